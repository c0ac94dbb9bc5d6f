/* SPDX-License-Identifier: Apache-2.0 */
#include "histogram.h"

/* Below HISTOGRAM_STEPS a bucket is one microsecond; above, HISTOGRAM_STEPS buckets share each
 * power of two. */
static size_t bucket_of(uint64_t us)
{
    size_t shift = 0;
    while ((us >> shift) >= (uint64_t)2 * HISTOGRAM_STEPS) {
        shift++;
    }
    return us < HISTOGRAM_STEPS ? (size_t)us : shift * HISTOGRAM_STEPS + (size_t)(us >> shift);
}

/* The greatest time that falls into a bucket. */
static int64_t bucket_end(size_t bucket)
{
    if (bucket < (size_t)2 * HISTOGRAM_STEPS) {
        return (int64_t)bucket;
    }
    size_t shift = bucket / HISTOGRAM_STEPS - 1;
    return (int64_t)(((bucket - shift * HISTOGRAM_STEPS + 1) << shift) - 1);
}

void histogram_add(struct histogram *histogram, int64_t us)
{
    histogram_add_many(histogram, us, 1);
}

void histogram_add_many(struct histogram *histogram, int64_t us, uint64_t times)
{
    int64_t clamped = us < 0 ? 0 : us > HISTOGRAM_US_MAX ? HISTOGRAM_US_MAX : us;
    histogram->buckets[bucket_of((uint64_t)clamped)] += times;
    histogram->count += times;
    if (times > 0 && clamped > histogram->max_us) {
        histogram->max_us = clamped;
    }
}

int64_t histogram_quantile_us(const struct histogram *histogram, double part)
{
    double wanted = part * (double)histogram->count;
    uint64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen > 0 && (double)seen >= wanted) {
            int64_t end = bucket_end(i);
            return end > histogram->max_us ? histogram->max_us : end;
        }
    }
    return histogram->max_us;
}
