/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event_walk: what event.c and event_scalar.c share while one event is checked and written.
 *
 * Threads: as mesh_event_check().
 */
#ifndef MESH_EVENT_WALK_H
#define MESH_EVENT_WALK_H

#include "mesh/event.h"
#include "pointer.h"
#include "schema.h"

#include <stdbool.h>
#include <stddef.h>
#include <yyjson.h>

/* One call of mesh_event_check(). */
struct mesh_event_walk {
    const struct mesh_stream *stream;
    struct mesh_buffer *out;
    size_t out_start;
    struct mesh_problems *problems;
    size_t group;
    bool stopped; /* more would not help: too many problems, or too big */
};

MESH_PRINTF(3, 4)
void mesh_event_problem(struct mesh_event_walk *walk, const struct mesh_pointer *at,
                        const char *format, ...);
/* Notes that the event is too big, and stops. */
void mesh_event_too_big(struct mesh_event_walk *walk);

/* Writes a JSON string. False: U+0000, which BSON keys and C programs down the way cannot take. */
bool mesh_event_write_text(struct mesh_event_walk *walk, yyjson_val *string);

/* A value of the schema's type: checked against its other keywords, normalised, written. */
void mesh_event_check_string(struct mesh_event_walk *walk, const struct mesh_schema *schema,
                             yyjson_val *value, const struct mesh_pointer *at);
void mesh_event_check_number(struct mesh_event_walk *walk, const struct mesh_schema *schema,
                             yyjson_val *value, const struct mesh_pointer *at);

#endif
