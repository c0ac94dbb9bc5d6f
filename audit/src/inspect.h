/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inspect: looks at one stream everywhere and writes down what is found.
 *
 * Threads: main. Blocks until all was read.
 */
#ifndef INSPECT_H
#define INSPECT_H

#include "compare.h"
#include "config.h"
#include "mesh/error.h"
#include "mesh/stream.h"

#include <stdbool.h>
#include <stdint.h>

struct inspector;

/* config: kept. The caller owns the result. NULL: a store cannot be reached. */
MESH_MUST_CHECK
struct inspector *inspector_new(const struct config *config, struct mesh_error *err);

/* Waits until the consumer has settled everything that Kafka holds, or until_us (monotonic) has
 * passed; both are fine. */
MESH_MUST_CHECK
bool inspect_wait(struct inspector *inspector, const struct mesh_stream *stream, int64_t until_us,
                  struct mesh_error *err);
/* Reads the log, Redis and MongoDB. */
MESH_MUST_CHECK
bool inspect_stream(struct inspector *inspector, const struct mesh_stream *stream,
                    struct findings *out, struct mesh_error *err);
/* Accepts NULL. */
void inspector_free(struct inspector *inspector);

#endif
