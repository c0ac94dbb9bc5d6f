/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace: W3C Trace Context, level 1 (https://www.w3.org/TR/trace-context/), `traceparent` only.
 *
 * Threads: any; nothing blocks or fails.
 */
#ifndef MESH_TRACE_H
#define MESH_TRACE_H

#include "mesh/bytes.h"

#include <stdbool.h>
#include <stdint.h>

#define MESH_TRACEPARENT_LENGTH 55
#define MESH_TRACE_ID_SIZE 16
#define MESH_SPAN_ID_SIZE 8
#define MESH_TRACE_SAMPLED 1 /* in the flags */

struct mesh_trace {
    /* Version 00, NUL at the end; the empty text: there is no trace. */
    char traceparent[MESH_TRACEPARENT_LENGTH + 1];
};

/* The same, taken apart; neither id is all zero. */
struct mesh_trace_context {
    uint8_t trace_id[MESH_TRACE_ID_SIZE];
    uint8_t span_id[MESH_SPAN_ID_SIZE];
    uint8_t flags;
};

/* A new trace with random ids, not sampled. */
struct mesh_trace mesh_trace_new(void);
/* The caller's trace with a parent-id of ours, when `traceparent` is well-formed; else a new one.
 */
struct mesh_trace mesh_trace_continue(struct mesh_bytes traceparent);
/* Whether the bytes are a well-formed version 00 traceparent. */
bool mesh_trace_valid(struct mesh_bytes traceparent);
/* The caller's trace as it is, for who has no span to put between. False: not well-formed; *out is
 * then untouched. */
bool mesh_trace_copy(struct mesh_bytes traceparent, struct mesh_trace *out);

/* False: not well-formed; *out is then untouched. */
bool mesh_trace_read(struct mesh_bytes traceparent, struct mesh_trace_context *out);
void mesh_trace_write(const struct mesh_trace_context *context, struct mesh_trace *out);

#endif
