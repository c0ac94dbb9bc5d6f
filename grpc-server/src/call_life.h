/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call_life: how the server makes, turns and ends calls; what methods need is in call.h.
 *
 * Threads: call_life functions run on the worker that owns the call, but call_drain().
 */
#ifndef CALL_LIFE_H
#define CALL_LIFE_H

#include "call.h"

#include <stdint.h>

/* What a completion queue gives back: a tag points to one of these. */
struct operation {
    void (*completed)(void *owner, bool success);
    void *owner;
};

struct call_owner {
    void *arg;
    /* Which method; NULL: none of ours. Runs once a call came in. *out_refusal may be set to a
     * code other than MESH_OK to refuse it. */
    const struct method *(*arrived)(void *arg, struct call *call, grpc_slice path,
                                    enum mesh_code *out_refusal);
    /* No call came: the server is shutting down. */
    void (*none)(void *arg, struct call *call);
    /* gRPC is done with the call; others may still hold references. */
    void (*released)(void *arg, struct call *call);
};

struct call_options {
    grpc_server *server;
    grpc_completion_queue *queue;
    const struct call_owner *owner; /* kept */
    uint32_t requests_max;          /* messages without an answer; then reading pauses */
};

/* Waits for a call to come in; owner->arrived() or owner->none() follows. */
void call_await(const struct call_options *options);
/* Reads no more; ends the call once all is answered. From any thread. */
void call_drain(struct call *call);
/* Neighbours in the server's list of calls; the server's to use. */
struct call **call_next(struct call *call);
struct call **call_previous(struct call *call);
void call_unref(struct call *call);

#endif
