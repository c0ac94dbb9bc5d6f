/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_calls: the connection to Redis and the two pipelines that go over it.
 *
 * Threads: the Redis thread only. Every call blocks at most as long as Redis may take to answer.
 */
#ifndef REDIS_CALLS_H
#define REDIS_CALLS_H

#include "live.h"
#include "mesh/counters.h"
#include "mesh/stream.h"
#include "windows.h"

#include <stdbool.h>
#include <stdint.h>

#define REDIS_CALLS_WINDOWS_MAX 64 /* applied at once */

struct redis_calls;

struct redis_calls_options {
    const char *url; /* kept */
    uint32_t ms_max;
    const struct mesh_streams *streams; /* kept */
    struct live *live;                  /* kept */
};

struct redis_calls *redis_calls_new(const struct redis_calls_options *options);
/* Accepts NULL. */
void redis_calls_free(struct redis_calls *calls);

/* Connects and loads the function library, unless connected. */
MESH_MUST_CHECK
bool redis_calls_connect(struct redis_calls *calls, struct mesh_error *err);

/* Applies up to REDIS_CALLS_WINDOWS_MAX windows by one pipeline of as few calls as hold them.
 * False: Redis is away, and perhaps some were applied; do all of it again later. What Redis refuses
 * for good is counted as dropped. */
MESH_MUST_CHECK
bool redis_calls_apply(struct redis_calls *calls, const struct window *list,
                       struct mesh_error *err);

/* Writes the derived hashes of the streams marked and hands what they hold to live. */
MESH_MUST_CHECK
bool redis_calls_show(struct redis_calls *calls, const bool *wanted, struct mesh_error *err);

/* Runs on the connection and leaves no answer outstanding. False: the connection broke. */
typedef bool redis_calls_look_fn(void *arg, redisContext *redis, struct mesh_error *err);

/* Has `look` ask what else people want to see. */
MESH_MUST_CHECK
bool redis_calls_look(struct redis_calls *calls, redis_calls_look_fn *look, void *arg,
                      struct mesh_error *err);

#endif
