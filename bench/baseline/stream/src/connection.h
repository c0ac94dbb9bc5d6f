/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection: one channel with one PublishStream call on it.
 *
 * Threads: one, which also turns the completion queue. What completes there is given to
 * connection_complete() with the tag's connection and what it stands for.
 */
#ifndef CONNECTION_H
#define CONNECTION_H

#include "messages.h"
#include "run.h"
#include "window.h"

#include <grpc/grpc.h>

enum connection_step { STEP_START, STEP_SEND, STEP_RECEIVE, STEP_STATUS, STEP_CLOSE, STEP_COUNT };

struct connection;

/* What comes out of the completion queue. */
struct connection_tag {
    struct connection *connection;
    enum connection_step step;
};

/* What all connections share; lives as long as they do. */
struct connection_shared {
    grpc_completion_queue *cq;
    struct messages *messages;
    struct run *run;
    uint64_t batch;
    uint64_t window; /* messages under way on each connection */
    uint64_t number; /* of the next message */
};

/* Begins to connect. The caller owns the result. */
struct connection *connection_new(struct connection_shared *shared, const char *target);
/* Sends if a message can be sent now. */
void connection_send(struct connection *connection, int64_t now_us);
/* Acts on a completion. False, with *err filled in: the stream has ended, or what came makes no
 * sense. */
MESH_MUST_CHECK
bool connection_complete(const struct connection_tag *tag, bool success, struct mesh_error *err);
/* Ends the call: orderly (the server answers all it has, then ends it), or at once. */
void connection_close(struct connection *connection);
void connection_cancel(struct connection *connection);
/* Whether nothing of it is in the completion queue any more. */
bool connection_is_idle(const struct connection *connection);
/* Only when idle. Accepts NULL. */
void connection_free(struct connection *connection);

#endif
