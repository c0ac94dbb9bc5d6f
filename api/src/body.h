/* SPDX-License-Identifier: Apache-2.0 */
/*
 * body: turns the bytes of a request's body into checked events.
 *
 * Threads: any; no shared state. Nothing blocks.
 */
#ifndef API_BODY_H
#define API_BODY_H

#include "events.h"
#include "mesh/bytes.h"
#include "mesh/trace.h"
#include "problem.h"

#include <stdbool.h>
#include <stdint.h>

#define BODY_BYTES_MAX 1048576 /* as sent, and again after gzip is undone */

enum body_format { BODY_JSON, BODY_NDJSON };

/* What the head of the request said. */
struct body_head {
    const struct mesh_stream *stream;
    enum body_format format;
    bool gzip;
    struct mesh_bytes key;   /* Idempotency-Key; empty: none */
    struct mesh_trace trace; /* empty: none goes on */
};

/* Why a body is refused as a whole. */
struct body_refusal {
    enum problem_kind kind;
    char detail[160]; /* never text of the client */
};

/* Reads Content-Type's value; false: not one we take. NULL is none. */
bool body_format_read(const char *content_type, enum body_format *out_format);
/* Reads Content-Encoding's value; false: not one we take. NULL is none. */
bool body_encoding_read(const char *content_encoding, bool *out_gzip);
/* Whether an Idempotency-Key is 1 to 255 visible ASCII characters. */
bool body_key_valid(struct mesh_bytes key);

/* Undoes gzip; *out is the caller's. False: not whole gzip data, or more than BODY_BYTES_MAX. */
MESH_MUST_CHECK
bool body_inflate(struct mesh_bytes gzip, struct mesh_buffer *out, struct body_refusal *refusal);

/* Parses, checks, gives ids and writes the wire bytes of what fits. `text` is plain (not gzip). On
 * success *out_events is the caller's (events_done), also when none of the events fits; it must
 * not be moved. False: refused as a whole. */
MESH_MUST_CHECK
bool body_read(const struct body_head *head, struct mesh_bytes text, int64_t received_at_ms,
               struct events *out_events, struct body_refusal *refusal);

#endif
