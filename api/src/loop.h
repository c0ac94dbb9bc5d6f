/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop: one thread that serves HTTP connections: a daemon of libmicrohttpd without threads of its
 * own, run by a loop of ours.
 *
 * libmicrohttpd's own threads are woken through a pipe once for each connection that is resumed,
 * and each time a connection is suspended and resumed the kernel is told twice. Here outcomes,
 * which come in batches, wake the thread once; and a request that waits stays in line for a while,
 * that is, libmicrohttpd asks for its answer in every round, which costs far less. Only when many
 * wait, or one waits long, it is suspended.
 *
 * Threads: loop_wake() from any; loop_wait(), loop_waits() and loop_leaves() in the callbacks.
 * These run on the loop's thread, or, for connections that loop_free() closes, on its caller's. All
 * else: main thread.
 */
#ifndef API_LOOP_H
#define API_LOOP_H

#include "mesh/error.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <sys/queue.h>

struct loop;

/* A request whose answer comes later; lives in what waits. */
struct loop_waiter {
    struct MHD_Connection *mhd;
    /* the loop's */
    STAILQ_ENTRY(loop_waiter) entry;
    unsigned rounds; /* in line */
    bool waits;
    bool suspended;
    bool left; /* its connection is closed */
};

struct loop_options {
    int listener;             /* shared by all loops; stays the caller's */
    bool tls;                 /* see https.h */
    unsigned connections_max; /* of this loop */
    unsigned idle_s_max;
    MHD_AccessHandlerCallback on_request;
    MHD_RequestCompletedCallback on_completed;
    MHD_NotifyConnectionCallback on_connection;
    void *arg; /* of these three */
    /* A waiter was woken whose connection had been closed before. */
    void (*on_left)(struct loop_waiter *waiter);
    /* After each round, with `arg`: within how many microseconds the next has to begin; -1: when
     * something comes. */
    int64_t (*on_round)(void *arg);
};

/* The caller owns the result. NULL on failure, with *err filled in. */
MESH_MUST_CHECK
struct loop *loop_new(const struct loop_options *options, struct mesh_error *err);
/* Starts the thread: callbacks come from now on. False on failure, with *err filled in. */
MESH_MUST_CHECK
bool loop_start(struct loop *loop, struct mesh_error *err);
/* In on_request: the answer comes later. To be called before anybody may wake the waiter. */
void loop_wait(struct loop *loop, struct loop_waiter *waiter);
/* In on_request, before the answer is queued: whether it is still to come. */
bool loop_waits(struct loop *loop, struct loop_waiter *waiter);
/* In on_completed: whether the answer is still to come; on_left is called then. */
bool loop_leaves(struct loop *loop, struct loop_waiter *waiter);
/* The answer is there. Once for each loop_wait(). The waiter may be gone when this returns. */
void loop_wake(struct loop *loop, struct loop_waiter *waiter);
/* Accepts no more connections once it returns. */
void loop_quiesce(struct loop *loop);
/* Closes the connections, none of which may wait, and ends the thread. Accepts NULL. */
void loop_free(struct loop *loop);

#endif
