/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox: the messages that a call has yet to send, in their order.
 *
 * Threads: guarded by the call's mutex. At most as long as a call may have unanswered requests.
 */
#ifndef OUTBOX_H
#define OUTBOX_H

#include <grpc/grpc.h>
#include <stdbool.h>

struct outgoing {
    struct outgoing *next;
    grpc_byte_buffer *message;
    bool answers; /* a message that was received */
};

struct outbox {
    struct outgoing *first; /* NULL: empty */
    struct outgoing **end;
};

void outbox_init(struct outbox *outbox);
/* Keeps a reference of its own to the slice. */
void outbox_add(struct outbox *outbox, grpc_slice message, bool answers);
/* The first, which is the caller's to free; NULL: empty. */
struct outgoing *outbox_take(struct outbox *outbox);
/* Empties it. */
void outbox_done(struct outbox *outbox);
/* Accepts NULL. */
void outgoing_free(struct outgoing *outgoing);

#endif
