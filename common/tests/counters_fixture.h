/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counters_fixture: a redis-server with our functions, and short calls of them on partition 0 of a
 * stream "test" with the groups Chile, Côte d'Ivoire, Peru and Unknown.
 *
 * Threads: the test's. Failures fail the cmocka case.
 */
#ifndef COUNTERS_FIXTURE_H
#define COUNTERS_FIXTURE_H

#include "mesh/counters.h"
#include "redis_fixture.h"

#include <stdbool.h>
#include <stdint.h>

#define TOPIC "topic-id-1"
#define STATE "{test}:state"

struct counters_fixture {
    struct redis_fixture *fixture;
    redisContext *redis;
    struct mesh_counters_command *command;
};

extern struct counters_fixture test;
extern const struct mesh_stream counters_stream;

/* For cmocka: around the group, and before each case. */
int counters_start(void **state);
int counters_stop(void **state);
int counters_empty(void **state);

MESH_PRINTF(1, 2)
redisReply *redis_ask(const char *format, ...);
/* Must not be answered by an error. */
MESH_PRINTF(1, 2)
void redis_run(const char *format, ...);

/* Runs test.command. */
struct mesh_counters_reply counters_call(void);
/* Groups as digits, 'x' for NOT_COUNTED, '-' for HOLE; duplicates as '0' and '1', NULL: none. */
struct mesh_counters_reply counters_apply(uint64_t first, const char *groups);
struct mesh_counters_reply counters_settle(uint64_t first, const char *groups,
                                           const char *duplicates);

/* value NULL: there is no such field. */
void assert_field(const char *key, const char *field, const char *value);
/* How often Redis has run a write command since the start, from INFO commandstats. */
unsigned long long writes_so_far(void);
/* Changes when anything in the state changes. */
uint64_t state_digest(void);

#endif
