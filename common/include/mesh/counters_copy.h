/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counters_copy: the whole state of a stream's counters in memory, taken from Redis or built anew,
 * and put back there.
 *
 * A copy that one HGETALL took is the state as it was at that moment, hints and all. Putting it
 * back is like setting Redis back to then, from where the consumers settle on. Threads: plain
 * memory; calls with a redisContext belong to its thread and block for its answers.
 */
#ifndef MESH_COUNTERS_COPY_H
#define MESH_COUNTERS_COPY_H

#include "mesh/bytes.h"
#include "mesh/counters.h"
#include "mesh/error.h"
#include "mesh/macros.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More than this is not taken: a copy has to fit into one document of MongoDB. Without hints above
 * the watermarks a state of 2,000 partitions and 254 groups has some 50 kB; each 1,024 offsets that
 * are applied and not settled add 150 bytes. */
#define MESH_COUNTERS_COPY_BYTES_MAX ((size_t)8 * 1024 * 1024)

struct mesh_counters_field {
    char *name;  /* NUL-terminated UTF-8 */
    char *value; /* a NUL follows, too */
    size_t value_size;
};

/* Zeroed: empty. */
struct mesh_counters_copy {
    struct mesh_counters_field *fields;
    size_t count;
    size_t capacity;
    size_t bytes; /* of all names and values */
};

/* What a copy says of itself. */
struct mesh_counters_summary {
    const char *topic_id; /* points into the copy; NULL: none */
    uint64_t recounts;    /* how often the counters were rebuilt */
    uint64_t total;
    uint64_t settled;     /* sum of the watermarks */
    uint64_t *watermarks; /* by partition */
    size_t watermark_count;
};

/* Adds a field; name and value are copied. */
void mesh_counters_copy_add(struct mesh_counters_copy *copy, const char *name,
                            struct mesh_bytes value);
void mesh_counters_copy_add_number(struct mesh_counters_copy *copy, const char *name,
                                   uint64_t number);
/* NULL: there is no such field. */
const struct mesh_counters_field *mesh_counters_copy_find(const struct mesh_counters_copy *copy,
                                                          const char *name);
void mesh_counters_copy_done(struct mesh_counters_copy *copy);

/* Reads the copy's numbers. False: it is damaged (a number is none, the groups' counts are not the
 * total, it has no topic), so it must not be put anywhere. */
MESH_MUST_CHECK
bool mesh_counters_copy_summary(const struct mesh_counters_copy *copy,
                                struct mesh_counters_summary *out, struct mesh_error *err);
void mesh_counters_summary_done(struct mesh_counters_summary *summary);
/* 0 for partitions that it does not know. */
uint64_t mesh_counters_summary_watermark(const struct mesh_counters_summary *summary,
                                         size_t partition);
/* Whether `next` may take the place of `stored`: it never goes back, in no partition and no
 * recount. A copy of another topic is no measure. */
bool mesh_counters_summary_may_follow(const struct mesh_counters_summary *stored,
                                      const struct mesh_counters_summary *next);

/* Takes a copy of a stream's state. A stream without state gives one without fields. RESOURCE_
 * EXHAUSTED: it is bigger than MESH_COUNTERS_COPY_BYTES_MAX. */
MESH_MUST_CHECK
bool mesh_counters_copy_take(redisContext *redis, const char *stream,
                             struct mesh_counters_copy *out, struct mesh_error *err);
/* Writes the copy to Redis under a key of its own, where it expires unless it is installed soon.
 * *out_key is freed by the caller. */
MESH_MUST_CHECK
bool mesh_counters_copy_upload(redisContext *redis, const char *stream,
                               const struct mesh_counters_copy *copy, char **out_key,
                               struct mesh_error *err);
/* Puts an uploaded copy in the state's place, by one write, and drops it where it may not be: DONE,
 * AHEAD or OTHER_TOPIC. False when the outcome is FAILED. */
MESH_MUST_CHECK
bool mesh_counters_copy_install(redisContext *redis, const char *stream,
                                const struct mesh_counters_restoration *how,
                                struct mesh_counters_reply *out, struct mesh_error *err);

#endif
