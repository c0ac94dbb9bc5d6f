/* SPDX-License-Identifier: Apache-2.0 */
/*
 * id_set: the distinct ids of a stream, each with the group it was first seen in; 17 bytes a slot,
 * at most half of them used. First ids are added, then taken; what is left was not taken.
 *
 * Threads: one. Nothing blocks.
 */
#ifndef ID_SET_H
#define ID_SET_H

#include "mesh/error.h"
#include "mesh/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct id_set;

enum id_set_outcome {
    ID_SET_NEW,
    ID_SET_KNOWN,       /* seen before, in the same group */
    ID_SET_OTHER_GROUP, /* seen before, first in *out_first_group */
    ID_SET_FULL,        /* the memory limit is reached; nothing was added */
};

enum id_set_taken {
    ID_SET_ABSENT,
    ID_SET_TAKEN,
    ID_SET_TAKEN_BEFORE,
};

struct id_set *id_set_new(size_t bytes_max);
/* group: below 254. Not after the first id_set_take(). */
enum id_set_outcome id_set_add(struct id_set *set, const struct mesh_id *id, uint8_t group,
                               uint8_t *out_first_group);
/* Takes an id; when it was there until now, *out_group is its group. */
enum id_set_taken id_set_take(struct id_set *set, const struct mesh_id *id, uint8_t *out_group);
/* The next id that was not taken, in no order; *at is 0 for the first. False: there are no more. */
bool id_set_next(const struct id_set *set, size_t *at, struct mesh_id *out);
/* Accepts NULL. */
void id_set_free(struct id_set *set);

#endif
