/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notices: what people see in Redis of this consumer; never the truth, and nobody waits for it.
 *
 *   {<stream>}:archive   hash: <partition> -> "<in Kafka> <archived> <settled> <at, Unix ms>", the
 *                        offsets below which everything is; written a second apart while one moves
 *   tweetmesh:health     hash: kafka-consumer/<instance> -> {"at_ms","state","ready","partitions",
 *                        "lag"}; every two or three seconds, and taken away at a clean end. Who was
 * killed stays, with an at_ms that grows old.
 *
 *   {<stream>}:recent    list: the last events, see recent.h
 *
 * They go with the heartbeats, in one round trip: send, then receive. What Redis refuses is told
 * once in the log and tried again when it is due.
 * Threads: the loop's. Only notices_receive() and notices_end() block, as Redis does.
 */
#ifndef NOTICES_H
#define NOTICES_H

#include "levels.h"
#include "mesh/error.h"
#include "mesh/macros.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct notices;

struct notices_options {
    const char *instance; /* our name among the consumers; NULL or empty: host and pid */
    size_t recent_max;    /* last events of each topic that Redis holds; 0: none */
    const struct loop_levels *levels; /* kept, as are the topics */
    struct topic *topics;
    size_t topic_count;
};

/* The caller owns the result. Reads the options during the call. */
struct notices *notices_new(const struct notices_options *options);

/* Adds the commands that are due to what goes to Redis next. */
void notices_send(struct notices *notices, redisContext *redis);
/* Reads their answers, if any were sent. False: the connection broke, *err says how. */
MESH_MUST_CHECK
bool notices_receive(struct notices *notices, redisContext *redis, struct mesh_error *err);
/* When the next is due that is worth waking for; INT64_MAX: none, health waits for whatever comes
 * next. Monotonic. */
int64_t notices_due_us(const struct notices *notices);
/* We end: our health is no more. redis: NULL does nothing. */
void notices_end(struct notices *notices, redisContext *redis);

/* Accepts NULL. */
void notices_free(struct notices *notices);

#endif
