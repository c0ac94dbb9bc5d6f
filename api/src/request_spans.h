/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_spans: the spans of one request, if its trace is sampled: POST, and below it publish.
 *
 * The trace that goes on to grpc-server names publish as the parent. Threads: those of the request.
 */
#ifndef API_REQUEST_SPANS_H
#define API_REQUEST_SPANS_H

#include "events.h"
#include "mesh/spans.h"

#include <stdbool.h>
#include <stdint.h>

struct request_spans;

/* Decides whether the trace is sampled and writes that into *trace, which continues the caller's
 * `traceparent` (NULL: none). NULL: no spans; else the caller owns the result, and *trace is
 * publish's. Only while spans are enabled. */
struct request_spans *request_spans_new(const char *traceparent, struct mesh_trace *trace);

/* What publish's context is, for those below it. */
const struct mesh_trace_context *request_spans_publish(const struct request_spans *spans);
/* The events are being handed to grpc-server. */
void request_spans_submitted(struct request_spans *spans, int64_t now_us);
/* All outcomes are in: records publish. */
void request_spans_outcomes(const struct request_spans *spans, const struct events *events);
/* The answer is sent, or the client has gone (status 0): records POST. */
void request_spans_end(const struct request_spans *spans, const struct mesh_stream *stream,
                       size_t event_count, int status, int64_t started_us);

#endif
