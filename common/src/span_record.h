/* SPDX-License-Identifier: Apache-2.0 */
/*
 * span_record: a span in the queue, in one block of memory, and what becomes of a list of them.
 *
 * Private to the spans modules. Threads: none of its own.
 */
#ifndef MESH_SPAN_RECORD_H
#define MESH_SPAN_RECORD_H

#include "mesh/bytes.h"
#include "mesh/spans.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span_record {
    struct mesh_span span;             /* points into this block; start_us and end_us are unused */
    uint8_t parent[MESH_SPAN_ID_SIZE]; /* where span.parent points, if at all */
    uint64_t start_ns;                 /* since 1970-01-01T00:00:00Z */
    uint64_t end_ns;
    size_t links_left_out;
};

/* wall_us: what to add to the monotonic clock to get the time of day. The caller frees it. */
struct span_record *span_record_new(const struct mesh_span *span, int64_t wall_us);

/* A pair of OTEL_RESOURCE_ATTRIBUTES or OTEL_EXPORTER_OTLP_HEADERS. */
struct span_pair {
    char *name;
    char *value;
};

#define SPAN_PAIRS_MAX 64

struct span_pairs {
    struct span_pair at[SPAN_PAIRS_MAX];
    size_t count;
};

/* Takes "a=b,c=d" apart and undoes percent-encoding of values; *out is the caller's
 * (span_pairs_done). NULL: well; else what is wrong, and *out is empty. */
const char *span_pairs_read(const char *text, struct span_pairs *out);
void span_pairs_add(struct span_pairs *pairs, const char *name, const char *value);
void span_pairs_done(struct span_pairs *pairs);

/* The sampler that a config asks for. */
struct span_sampler {
    bool asks_parent;
    uint64_t below; /* a trace is sampled when 63 bits of its id are below it */
};

/* False: there is none such, or the share is no number from 0 to 1. */
bool span_sampler_read(const char *name, const char *arg, struct span_sampler *out);
bool span_sampler_takes(const struct span_sampler *sampler,
                        const struct mesh_trace_context *context, bool has_parent);

/* Where spans go to; the caller frees it. NULL: nowhere. */
char *span_endpoint(const struct mesh_spans_config *config);

/* Appends an ExportTraceServiceRequest. */
void span_encode(const struct span_pairs *resource, struct span_record *const *records,
                 size_t count, struct mesh_buffer *out);

#define SPAN_ANSWER_BYTES_MAX 65536 /* of a collector's; no more is read */

/* Reads the body of a good answer: how many of `sent` spans the collector threw away. What is no
 * answer at all threw away none. */
uint64_t span_answer_read(struct mesh_bytes body, uint64_t sent);

#endif
