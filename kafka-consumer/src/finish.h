/* SPDX-License-Identifier: Apache-2.0 */
/*
 * finish: what became of a batch, as rows for Redis and as metrics.
 *
 * Threads: the loop's. Nothing blocks or fails.
 */
#ifndef FINISH_H
#define FINISH_H

#include "batch.h"
#include "batch_spans.h"
#include "mesh/metrics.h"

struct finish {
    struct mesh_metric *batch_events;
    struct mesh_metric *archived_seconds;
    struct mesh_metric *settled_seconds;
    struct batch_spans spans; /* of the batch in hand */
};

struct finish finish_make(void);
/* MongoDB has the batch: rows of it, and how long it took. */
void finish_archived(struct finish *finish, const struct batch *batch);
/* The round is over. Where Redis has the batch, too (settled): how long that took. */
void finish_settled(struct finish *finish, const struct batch *batch, bool settled);

#endif
