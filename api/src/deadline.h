/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deadline: a timer wheel on the monotonic clock, with a thread of its own.
 *
 * libmicrohttpd's time-outs count inactivity only, and a suspended connection has none; our
 * deadlines are absolute. Ticks last 50 ms; the thread sleeps until the next armed one.
 *
 * Threads: deadline_arm() and deadline_disarm() from any thread but out of a callback. Callbacks
 * run on the wheel's thread under its mutex, so once deadline_disarm() has returned the callback is
 * neither running nor will it run. A thread that holds a lock which a callback takes must not
 * arm or disarm.
 */
#ifndef API_DEADLINE_H
#define API_DEADLINE_H

#include "mesh/error.h"

#include <stdbool.h>
#include <stdint.h>

struct deadlines;

struct deadline; /* lives in its owner's memory; all zero: not armed */

/* now_us: the wheel's moment. Returns when to call again (monotonic, us); 0: disarmed. */
typedef int64_t deadline_fn(struct deadline *deadline, int64_t now_us);

struct deadline {
    deadline_fn *late;
    /* the wheel's, guarded by its mutex */
    struct deadline *next;
    struct deadline **link; /* what points to it; NULL: not armed */
    int64_t tick;
};

/* Starts the thread. NULL on failure, with *err filled in. */
MESH_MUST_CHECK
struct deadlines *deadlines_new(struct mesh_error *err);
/* Has deadline->late called at at_us or up to one tick later. It must not be armed. */
void deadline_arm(struct deadlines *deadlines, struct deadline *deadline, int64_t at_us);
void deadline_disarm(struct deadlines *deadlines, struct deadline *deadline);
/* Stops the thread. Nothing may be armed. Accepts NULL. */
void deadlines_free(struct deadlines *deadlines);

#endif
