/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offsets: which offsets of delivery reports may be believed.
 *
 * Counting is exact only if no offset is ever told twice. Where a broker says "duplicate sequence"
 * (the first answer was lost) librdkafka reports success with offsets counted up from an invalid
 * base: -1, 0, 1, 2 … So an offset counts only if it is above the last one of its partition, and
 * not part of a run that began below zero.
 *
 * Threads: any, one at a time between offsets_lock() and offsets_unlock().
 */
#ifndef OFFSETS_H
#define OFFSETS_H

#include <stddef.h>
#include <stdint.h>

struct offsets;

/* For topics 0 to topic_count - 1. */
struct offsets *offsets_new(size_t topic_count);
/* Reports come in hundreds, so it is the caller who locks, once for all. Held for moments only. */
void offsets_lock(struct offsets *offsets);
void offsets_unlock(struct offsets *offsets);
/* Locked. The offset, or -1 when it must not be believed. Reports of a partition come in their
 * order. */
int64_t offsets_believe(struct offsets *offsets, size_t topic, int32_t partition, int64_t offset);
/* Accepts NULL. */
void offsets_free(struct offsets *offsets);

#endif
