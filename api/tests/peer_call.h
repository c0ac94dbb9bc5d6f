/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer_call: one gRPC call as the server for tests sees it: messages come in, replies go out one
 * after the other.
 *
 * Threads: the server's own. A call belongs to its open operations: who takes the last completion
 * frees it.
 */
#ifndef API_TESTS_PEER_CALL_H
#define API_TESTS_PEER_CALL_H

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <stdbool.h>
#include <stddef.h>

struct peer_call;

/* What a completion belongs to. */
struct peer_tag {
    enum { TAG_NEW, TAG_RECEIVED, TAG_SENT, TAG_CLOSED } kind;
    struct peer_call *call;
};

/* A reply that waits for the one before it to be sent. */
struct peer_reply {
    struct peer_reply *next;
    grpc_byte_buffer *message;
};

struct peer_call {
    grpc_call *call;
    grpc_call_details details;
    grpc_metadata_array metadata;
    grpc_byte_buffer *received;
    struct peer_reply *replies;
    bool sending;
    bool metadata_sent;
    int cancelled;
    int open_ops;
    struct peer_tag tag_new, tag_received, tag_sent, tag_closed;
};

/* Asks for one more call; it comes with TAG_NEW. */
void peer_call_await(grpc_server *server, grpc_completion_queue *cq);
void peer_call_free(struct peer_call *call);
/* Starts operations that complete with this tag. */
void peer_call_start(struct peer_call *call, const grpc_op *ops, size_t count,
                     struct peer_tag *tag);
/* Asks for the next message: TAG_RECEIVED, then it is in call->received. */
void peer_call_receive(struct peer_call *call);

/* The bytes are copied. */
struct peer_reply *peer_reply_new(const void *bytes, size_t size);
void peer_reply_free(struct peer_reply *reply);
/* Takes the reply, and sends it when those before it are sent. */
void peer_call_reply(struct peer_call *call, struct peer_reply *reply);
/* Goes on sending; to be called after TAG_SENT. */
void peer_call_send_next(struct peer_call *call);

#endif
