/* SPDX-License-Identifier: Apache-2.0 */
/*
 * histogram: times in microseconds, each known to within 1/64 of itself, up to an hour.
 *
 * Threads: one at a time. Plain values: all zero is an empty one.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_US_MAX INT64_C(3600000000) /* longer ones count as this */
#define HISTOGRAM_STEPS 64                   /* buckets per power of two */
#define HISTOGRAM_BUCKETS ((size_t)HISTOGRAM_STEPS * 28)

struct histogram {
    uint64_t buckets[HISTOGRAM_BUCKETS];
    uint64_t count;
    int64_t max_us;
};

void histogram_add(struct histogram *histogram, int64_t us);
/* `times` times the same. */
void histogram_add_many(struct histogram *histogram, int64_t us, uint64_t times);
/* The time that `part` (0 to 1) of all stayed within; 0 where there are none. */
int64_t histogram_quantile_us(const struct histogram *histogram, double part);

#endif
