/* SPDX-License-Identifier: Apache-2.0 */
/*
 * positions: records of a topic by where they are, each with a group; 24 bytes a record.
 *
 * Threads: one. Nothing blocks.
 */
#ifndef POSITIONS_H
#define POSITIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct position {
    int64_t offset;
    int32_t partition;
    uint8_t group; /* no part of the place */
};

/* Zeroed: empty. */
struct positions {
    struct position *at;
    size_t count;
    size_t capacity;
};

/* All before positions_sort(). */
void positions_add(struct positions *positions, struct position position);
/* Before the first positions_find(). */
void positions_sort(struct positions *positions);
/* NULL: no such record. Borrowed. */
const struct position *positions_find(const struct positions *positions, int32_t partition,
                                      int64_t offset);
void positions_done(struct positions *positions);

#endif
