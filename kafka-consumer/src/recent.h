/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recent: the last events of a topic, for people who want to see some, in the Redis list
 * `{<stream>}:recent`, newest first. Off unless asked for: events may hold what not everybody who
 * looks at counts should read.
 *
 * Threads: the loop's. Nothing blocks or fails.
 */
#ifndef RECENT_H
#define RECENT_H

#include "mesh/bytes.h"

#include <hiredis/hiredis.h>
#include <stddef.h>

#define RECENT_MAX 100
#define RECENT_BYTES_MAX 2048 /* of an event; larger ones are left out */

/* In the owner's memory; all zero: off. */
struct recent {
    size_t max;
    size_t count; /* not yet sent, at most max; oldest at .first */
    size_t first;
    char *texts[RECENT_MAX]; /* a ring of .max */
};

/* An event's JSON, copied. */
void recent_add(struct recent *recent, struct mesh_bytes value);
/* Appends the commands that bring what is new to the list of a stream; how many there are. */
size_t recent_append(struct recent *recent, const char *stream, redisContext *redis);
/* Frees the texts; off. */
void recent_done(struct recent *recent);

#endif
