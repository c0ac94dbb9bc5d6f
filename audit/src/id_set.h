/* SPDX-License-Identifier: Apache-2.0 */
/*
 * id_set: the distinct ids of a stream, each with the group it was first seen in; 17 bytes a slot,
 * at most half of them used.
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

struct id_set *id_set_new(size_t bytes_max);
/* group: below 255. */
enum id_set_outcome id_set_add(struct id_set *set, const struct mesh_id *id, uint8_t group,
                               uint8_t *out_first_group);
/* Changes the group of an id that is in the set. */
void id_set_regroup(struct id_set *set, const struct mesh_id *id, uint8_t group);
/* Accepts NULL. */
void id_set_free(struct id_set *set);

#endif
