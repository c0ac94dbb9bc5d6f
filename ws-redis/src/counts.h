/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counts: brings counting hints into Redis, and what Redis shows to live.
 *
 * A frame is checked and put into a bounded queue; the Redis thread takes whatever waits, sends it
 * as one pipeline, and meanwhile the next batch forms by itself. After that it writes the derived
 * hashes, at most every 100 ms, and once a second when nothing happens, which is also how it
 * notices that Redis is away. Hints survive a lost connection (applying twice is harmless) until
 * the queue is full.
 * Threads: one of its own; counts_offer() from one other thread; the rest from any.
 */
#ifndef COUNTS_H
#define COUNTS_H

#include "frame.h"
#include "live.h"
#include "mesh/error.h"
#include "redis_calls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct counts;

struct counts_options {
    const char *redis_url;              /* kept */
    uint32_t redis_ms_max;              /* for connecting and for each answer */
    size_t queue_len_max;               /* windows */
    const struct mesh_streams *streams; /* kept */
    struct live *live;                  /* kept */
    redis_calls_look_fn *look;          /* runs after each show; NULL: nothing */
    void *look_arg;                     /* kept */
};

/* Starts the thread without waiting for Redis. The caller owns the result. NULL on failure, with
 * *err filled in. */
MESH_MUST_CHECK
struct counts *counts_new(const struct counts_options *options, struct mesh_error *err);

/* Takes one frame as it came; never blocks. What is not good is counted and forgotten. */
enum frame_result counts_offer(struct counts *counts, struct mesh_bytes frame);
/* The last frame offered, as far as its result says. On the same thread. */
const struct frame *counts_offered(const struct counts *counts);

/* Whether Redis answered within the last 2 s; a mesh_ready_fn. */
bool counts_ready(void *counts, struct mesh_buffer *reason);
/* Members of /status; a mesh_status_fn. */
void counts_status(void *counts, struct mesh_buffer *members);

/* Waits until all that is queued is applied and shown, at most ms_max. False: some is not. */
bool counts_drain(struct counts *counts, uint32_t ms_max);
/* Stops the thread, which takes at most one answer's time. Accepts NULL. */
void counts_free(struct counts *counts);

#endif
