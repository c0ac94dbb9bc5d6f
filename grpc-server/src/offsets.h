/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offsets: which offsets of delivery reports may be believed.
 *
 * Counting is exact only if no offset is ever told twice. Where a broker says "duplicate sequence"
 * (the first answer was lost) librdkafka reports success with offsets counted up from an invalid
 * base: -1, 0, 1, 2 … So an offset counts only if it is above the last one of its partition, and
 * not part of a run that began below zero. Threads: any; a mutex inside.
 */
#ifndef OFFSETS_H
#define OFFSETS_H

#include <stddef.h>
#include <stdint.h>

struct offsets;

/* For topics 0 to topic_count - 1. */
struct offsets *offsets_new(size_t topic_count);
/* The offset, or -1 when it must not be believed. Reports of a partition come in their order. */
int64_t offsets_believe(struct offsets *offsets, size_t topic, int32_t partition, int64_t offset);
/* Accepts NULL. */
void offsets_free(struct offsets *offsets);

#endif
