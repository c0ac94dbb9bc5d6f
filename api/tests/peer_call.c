/* SPDX-License-Identifier: Apache-2.0 */
#include "peer_call.h"

#include "mesh/alloc.h"

#include <assert.h>
#include <stdlib.h>

void peer_call_await(grpc_server *server, grpc_completion_queue *cq)
{
    struct peer_call *call = mesh_new(struct peer_call);
    call->tag_new = (struct peer_tag){TAG_NEW, call};
    call->tag_received = (struct peer_tag){TAG_RECEIVED, call};
    call->tag_sent = (struct peer_tag){TAG_SENT, call};
    call->tag_closed = (struct peer_tag){TAG_CLOSED, call};
    grpc_call_details_init(&call->details);
    grpc_metadata_array_init(&call->metadata);
    call->open_ops = 1;
    grpc_server_request_call(server, &call->call, &call->details, &call->metadata, cq, cq,
                             &call->tag_new);
}

void peer_reply_free(struct peer_reply *reply)
{
    grpc_byte_buffer_destroy(reply->message);
    free(reply);
}

void peer_call_free(struct peer_call *call)
{
    grpc_call_details_destroy(&call->details);
    grpc_metadata_array_destroy(&call->metadata);
    while (call->replies != NULL) {
        struct peer_reply *next = call->replies->next;
        peer_reply_free(call->replies);
        call->replies = next;
    }
    if (call->received != NULL) {
        grpc_byte_buffer_destroy(call->received);
    }
    if (call->call != NULL) {
        grpc_call_unref(call->call);
    }
    free(call);
}

void peer_call_start(struct peer_call *call, const grpc_op *ops, size_t count, struct peer_tag *tag)
{
    call->open_ops++;
    grpc_call_error error = grpc_call_start_batch(call->call, ops, count, tag, NULL);
    assert(error == GRPC_CALL_OK);
    (void)error;
}

void peer_call_receive(struct peer_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &call->received;
    peer_call_start(call, &op, 1, &call->tag_received);
}

void peer_call_send_next(struct peer_call *call)
{
    struct peer_reply *reply = call->replies;
    if (reply == NULL || call->sending) {
        return;
    }
    call->replies = reply->next;
    call->sending = true;
    grpc_op ops[2] = {
        {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = reply->message},
        {.op = GRPC_OP_SEND_INITIAL_METADATA}};
    peer_call_start(call, ops, call->metadata_sent ? 1 : 2, &call->tag_sent);
    call->metadata_sent = true;
    peer_reply_free(reply);
}

void peer_call_reply(struct peer_call *call, struct peer_reply *reply)
{
    struct peer_reply **end = &call->replies;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = reply;
    peer_call_send_next(call);
}

struct peer_reply *peer_reply_new(const void *bytes, size_t size)
{
    struct peer_reply *reply = mesh_new(struct peer_reply);
    grpc_slice slice = grpc_slice_from_copied_buffer(bytes, size);
    reply->message = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return reply;
}
