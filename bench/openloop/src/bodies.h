/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bodies: the request bodies of a file, one a line, ready to be sent round and round.
 *
 * Threads: read-only once made.
 */
#ifndef OPENLOOP_BODIES_H
#define OPENLOOP_BODIES_H

#include "mesh/bytes.h"
#include "mesh/error.h"

#include <stdint.h>

struct bodies;

/* What is the same in all requests. */
struct bodies_options {
    const char *file; /* NDJSON: each line is a body, an object or an array */
    const char *host; /* for the Host header; kept, likewise below */
    const char *path;
    const char *key; /* Idempotency-Key: <key>-<number of the request>; NULL: none is sent */
};

/* The caller owns the result. NULL on failure, with *err filled in. */
MESH_MUST_CHECK
struct bodies *bodies_new(const struct bodies_options *options, struct mesh_error *err);
/* Writes request `number`, from its head to the end of its body, into *out, which is emptied. */
void bodies_request(const struct bodies *bodies, uint64_t number, struct mesh_buffer *out);
/* Accepts NULL. */
void bodies_free(struct bodies *bodies);

#endif
