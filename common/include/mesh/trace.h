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

#define MESH_TRACEPARENT_LENGTH 55

struct mesh_trace {
    char traceparent[MESH_TRACEPARENT_LENGTH + 1]; /* version 00, NUL at the end */
};

/* A new trace with random ids, not sampled. */
struct mesh_trace mesh_trace_new(void);
/* The caller's trace with a parent-id of ours, when `traceparent` is well-formed; else a new one.
 */
struct mesh_trace mesh_trace_continue(struct mesh_bytes traceparent);
/* Whether the bytes are a well-formed version 00 traceparent. */
bool mesh_trace_valid(struct mesh_bytes traceparent);

#endif
