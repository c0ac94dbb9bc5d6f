/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pace: an evenly spaced schedule.
 *
 * Threads: plain values.
 */
#ifndef BENCH_PACE_H
#define BENCH_PACE_H

#include <stdint.h>

struct pace {
    int64_t start_us;
    double per_s; /* above 0 */
};

/* How many things are due by now, from the start on. */
uint64_t pace_due(const struct pace *pace, int64_t now_us);
/* When the one with this index, from 0, is due: the first one after a whole interval. */
int64_t pace_due_us(const struct pace *pace, uint64_t index);

#endif
