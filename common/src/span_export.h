/* SPDX-License-Identifier: Apache-2.0 */
/*
 * span_export: posts batches of spans to a collector, again where OTLP says so.
 *
 * https://opentelemetry.io/docs/specs/otlp/#otlphttp. Threads: one, but for span_export_hurry().
 */
#ifndef MESH_SPAN_EXPORT_H
#define MESH_SPAN_EXPORT_H

#include "mesh/bytes.h"
#include "mesh/error.h"
#include "mesh/spans.h"

#include <stdbool.h>
#include <stdint.h>

#define SPAN_RETRY_AFTER_MS_MAX 30000 /* a collector that wants a longer pause gets this one */

struct span_export;

/* The config is checked and kept. The caller owns the result; NULL on failure with *err filled in.
 */
MESH_MUST_CHECK
struct span_export *span_export_new(const struct mesh_spans_config *config, const char *url,
                                    struct mesh_error *err);

/* Sends a request that holds `count` spans; blocks for at most export_ms_max. False, with *err
 * filled in: not sent. *out_rejected: spans of a request that was sent, but that the collector
 * threw away. */
MESH_MUST_CHECK
bool span_export_send(struct span_export *export, struct mesh_bytes request, uint64_t count,
                      uint64_t *out_rejected, struct mesh_error *err);

/* From now on nothing blocks beyond this moment (monotonic). From any thread. */
void span_export_hurry(struct span_export *export, int64_t until_us);

/* Accepts NULL. */
void span_export_free(struct span_export *export);

#endif
