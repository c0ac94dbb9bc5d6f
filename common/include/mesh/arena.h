/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena: memory for one batch, given back all at once.
 *
 * Threads: one at a time; an arena goes with its batch. Ownership: what mesh_arena_alloc() returns
 * lives until mesh_arena_reset() or mesh_arena_free(). Sizes follow the limits of the batch; there
 * is no limit of its own.
 */
#ifndef MESH_ARENA_H
#define MESH_ARENA_H

#include "mesh/bytes.h"

#include <stddef.h>

struct mesh_arena;

/* block_bytes: size of a usual block; larger wishes get a block of their own. */
struct mesh_arena *mesh_arena_new(size_t block_bytes);
/* Aligned for any type, not zeroed. */
void *mesh_arena_alloc(struct mesh_arena *arena, size_t size);
/* Copies; the copy ends in a NUL that size does not count. */
struct mesh_bytes mesh_arena_copy(struct mesh_arena *arena, struct mesh_bytes bytes);
/* Keeps the first block for the next batch and frees the others. */
void mesh_arena_reset(struct mesh_arena *arena);
/* Accepts NULL. */
void mesh_arena_free(struct mesh_arena *arena);

#endif
