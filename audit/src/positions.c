/* SPDX-License-Identifier: Apache-2.0 */
#include "positions.h"

#include "mesh/alloc.h"

#include <stdlib.h>

static int position_order(const void *a, const void *b)
{
    const struct position *left = a;
    const struct position *right = b;

    if (left->partition != right->partition) {
        return left->partition < right->partition ? -1 : 1;
    }
    return left->offset < right->offset ? -1 : left->offset > right->offset ? 1 : 0;
}

void positions_add(struct positions *positions, struct position position)
{
    if (positions->count == positions->capacity) {
        positions->capacity = positions->capacity * 2 + 64;
        positions->at = mesh_realloc(positions->at, positions->capacity * sizeof(struct position));
    }
    positions->at[positions->count++] = position;
}

void positions_sort(struct positions *positions)
{
    if (positions->count > 0) {
        qsort(positions->at, positions->count, sizeof(struct position), position_order);
    }
}

const struct position *positions_find(const struct positions *positions, int32_t partition,
                                      int64_t offset)
{
    struct position key = {.partition = partition, .offset = offset};

    return positions->count == 0 ? NULL
                                 : bsearch(&key, positions->at, positions->count,
                                           sizeof(struct position), position_order);
}

void positions_done(struct positions *positions)
{
    free(positions->at);
    *positions = (struct positions){0};
}
