/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call: one gRPC call on the server's side, from its first message to its status.
 *
 * A method is given each message of a call and answers when it likes, from any thread; the call
 * reads on, sends what is to be sent one after the other, and ends by itself when all is answered.
 * Threads: method functions run on the worker that owns the call; call_reply(), call_fail(),
 * call_push() and call_unref() from any thread. Ownership: counted references; whoever was given a
 * message holds one until call_reply() or call_fail().
 */
#ifndef CALL_H
#define CALL_H

#include "mesh/bytes.h"
#include "mesh/error.h"
#include "mesh/macros.h"

#include <grpc/grpc.h>
#include <stdbool.h>
#include <stddef.h>

struct call;

enum method_kind {
    METHOD_UNARY,         /* one message, one reply */
    METHOD_SERVER_STREAM, /* one message, then pushes until the client goes */
    METHOD_BIDI,          /* any number of messages, one reply each, in any order */
};

struct method {
    const char *path; /* "/tweetmesh.v1.Ingest/Publish" */
    enum method_kind kind;
    void *arg; /* for the functions */
    /* A message came. The bytes are gone when it returns; the reference to the call is handed over,
     * except in a server stream. */
    void (*message)(void *arg, struct call *call, struct mesh_bytes message);
    /* The call is over, after its message() began. May be NULL. */
    void (*closed)(void *arg, struct call *call);
};

/* Answers one message: sends the bytes and gives the reference back. Takes the slice. */
void call_reply(struct call *call, grpc_slice reply);
/* Answers one message by ending the call with a status, after the replies that others are still
 * working on. Gives the reference back. */
void call_fail(struct call *call, enum mesh_code code, const char *text);
/* Sends a message that nobody asked for. False: the one before is still on its way. Takes the
 * slice. */
MESH_MUST_CHECK
bool call_push(struct call *call, grpc_slice message);

#endif
