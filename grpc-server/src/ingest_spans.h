/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest_spans: the spans of one PublishRequest: ingest for each sampled trace in it, and below it
 * send for each event.
 *
 * A message holds the events of many HTTP requests; those of one share a traceparent and follow
 * each other: a run. Threads: those of the request. Ownership: the request's arena.
 */
#ifndef INGEST_SPANS_H
#define INGEST_SPANS_H

#include "mesh/arena.h"
#include "mesh/spans.h"
#include "mesh/stream.h"
#include "publication.h"

#include <stddef.h>
#include <stdint.h>

struct ingest_spans;

/* All publications have a trace; `made` is that of those that came without one (NULL: none did).
 * Decides which traces are sampled, and makes send the parent in what goes on to Kafka. NULL: none
 * is. Only while spans are enabled. */
struct ingest_spans *ingest_spans_begin(struct mesh_arena *arena, struct publication_batch *batch,
                                        const struct mesh_trace *made);

/* All codes are final: records the spans. */
void ingest_spans_end(const struct ingest_spans *spans, const struct publication_batch *batch,
                      const struct mesh_streams *streams, const char *method, int64_t began_us);

#endif
