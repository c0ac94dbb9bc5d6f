/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch_spans: the spans of one batch: archive for each sampled record, below it settle, and one
 * for the batch as a whole, which links to them.
 *
 * Threads: the loop's. Nothing but one question a round while spans are off.
 */
#ifndef BATCH_SPANS_H
#define BATCH_SPANS_H

#include "batch.h"
#include "mesh/clock.h"
#include "mesh/spans.h"

#include <stdbool.h>
#include <stdint.h>

#define BATCH_SPANS_MAX 128 /* sampled records of a batch that have spans */

/* When things happened to the batch in hand; 0: not yet. */
struct batch_spans {
    int64_t began_us;
    int64_t archived_us;
};

/* Work on the batch begins, for the first time or again. */
static inline void batch_spans_begin(struct batch_spans *spans)
{
    if (mesh_spans_enabled() && spans->began_us == 0) {
        spans->began_us = mesh_clock_mono_us();
    }
}

static inline void batch_spans_archived(struct batch_spans *spans)
{
    if (spans->began_us != 0) {
        spans->archived_us = mesh_clock_mono_us();
    }
}

/* The round is over: records the spans. settled: Redis knows the batch, too. */
void batch_spans_record(const struct batch_spans *spans, const struct batch *batch, bool settled);

static inline void batch_spans_end(struct batch_spans *spans, const struct batch *batch,
                                   bool settled)
{
    if (spans->began_us != 0) {
        batch_spans_record(spans, batch, settled);
        *spans = (struct batch_spans){0};
    }
}

#endif
