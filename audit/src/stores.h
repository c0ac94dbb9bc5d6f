/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stores: what Redis and MongoDB hold of a stream.
 *
 * Threads: main. Every call blocks up to the configured limits.
 */
#ifndef STORES_H
#define STORES_H

#include "compare.h"
#include "config.h"
#include "documents.h"
#include "log_reader.h"
#include "mesh/error.h"
#include "mesh/stream.h"

#include <stdbool.h>
#include <stdint.h>

struct stores;

/* Connects to both. config: kept. The caller owns the result. NULL on failure. */
MESH_MUST_CHECK
struct stores *stores_new(const struct config *config, struct mesh_error *err);
/* Offsets within the extent that Redis has not settled. */
MESH_MUST_CHECK
bool stores_unsettled(struct stores *stores, const struct mesh_stream *stream,
                      const struct log_extent *extent, uint64_t *out, struct mesh_error *err);
/* The counts in Redis: the truth and what is shown. */
MESH_MUST_CHECK
bool stores_redis(struct stores *stores, const struct mesh_stream *stream,
                  struct findings *findings, struct mesh_error *err);
/* Calls visit for every document of the stream in MongoDB, in no order; what visit is given lives
 * only during the call. */
MESH_MUST_CHECK
bool stores_documents(struct stores *stores, const struct mesh_stream *stream, document_fn *visit,
                      void *arg, struct mesh_error *err);
/* Accepts NULL. */
void stores_free(struct stores *stores);

#endif
