/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health: which programs are there and ready: this one, those whose health came over counts.v1, and
 * those that write their own entry in Redis (mesh/health.h).
 *
 * What was heard goes into Redis beside our own entry, so that every ws-redis shows all of them.
 * Threads: health_hear() and health_set_state() from any; the rest on the Redis thread.
 */
#ifndef HEALTH_H
#define HEALTH_H

#include "mesh/bytes.h"
#include "mesh/health.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEALTH_PROGRAMS_MAX 64 /* heard at a time, and shown; more are passed over */
#define HEALTH_VALUE_BYTES_MAX 512
#define HEALTH_STATE_BYTES_MAX 63 /* visible ASCII and spaces, without '"' and '\\' */

struct health;

/* One program as others may see it. */
struct health_entry {
    char program[MESH_HEALTH_NAME_BYTES_MAX + 1];
    char instance[MESH_HEALTH_NAME_BYTES_MAX + 1];
    char state[HEALTH_STATE_BYTES_MAX + 1];
    bool ready;
    int64_t at_ms; /* wall clock of who wrote it */
};

/* instance: copied. The caller owns the result. */
struct health *health_new(const char *instance);
/* Accepts NULL. */
void health_free(struct health *health);

/* Our own state; a word that lives on. */
void health_set_state(struct health *health, const char *state);
/* A feeder told of a program, just now. Names that are none are ignored. */
void health_hear(struct health *health, struct mesh_bytes program, struct mesh_bytes instance,
                 bool ready);

/* Appends one HSET of our own entry and of what was heard lately; its reply is the caller's. */
void health_append_write(struct health *health, redisContext *redis, bool ready, int64_t now_ms);
/* Appends one HDEL of what health_read() found to be too old. False: there is none. */
bool health_append_prune(struct health *health, redisContext *redis);
/* Writes what HGETALL of MESH_HEALTH_KEY answered as a JSON array in the order of the names:
 * [{"program":"api","instance":"host:8081","state":"running","ready":true,"at_ms":…}]. */
void health_read(struct health *health, const redisReply *hash, int64_t now_ms,
                 struct mesh_buffer *out);

/* When, of all that the last health_read() showed, one of this program said something; 0: never. */
int64_t health_last_ms(const struct health *health, const char *program);

/* One field and value as any program may have written them. False: not as they should be; *out is
 * then undefined. */
bool health_read_entry(struct mesh_bytes field, struct mesh_bytes value, struct health_entry *out);

#endif
