/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/arena.h"

#include "mesh/alloc.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct block {
    struct block *next;
    size_t capacity;
    size_t used;
    alignas(max_align_t) uint8_t memory[];
};

struct mesh_arena {
    size_t block_bytes;
    struct block *first;   /* kept over resets */
    struct block *current; /* where the next small piece comes from; large pieces hang behind it */
};

static struct block *block_new(size_t capacity)
{
    struct block *block = mesh_alloc(sizeof(struct block) + capacity);
    block->next = NULL;
    block->capacity = capacity;
    block->used = 0;
    return block;
}

struct mesh_arena *mesh_arena_new(size_t block_bytes)
{
    struct mesh_arena *arena = mesh_new(struct mesh_arena);
    arena->block_bytes = block_bytes;
    arena->first = block_new(block_bytes);
    arena->current = arena->first;
    return arena;
}

void *mesh_arena_alloc(struct mesh_arena *arena, size_t size)
{
    size_t rounded = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    struct block *block = arena->current;
    if (block->capacity - block->used < rounded) {
        size_t capacity = rounded > arena->block_bytes ? rounded : arena->block_bytes;
        struct block *added = block_new(capacity);
        added->next = block->next;
        block->next = added;
        arena->current = added;
        block = added;
    }
    void *memory = block->memory + block->used;
    block->used += rounded;
    return memory;
}

struct mesh_bytes mesh_arena_copy(struct mesh_arena *arena, struct mesh_bytes bytes)
{
    uint8_t *copy = mesh_arena_alloc(arena, bytes.size + 1);
    if (bytes.size > 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    copy[bytes.size] = 0;
    return mesh_bytes_of(copy, bytes.size);
}

void mesh_arena_reset(struct mesh_arena *arena)
{
    struct block *block = arena->first->next;
    while (block != NULL) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
    arena->first->next = NULL;
    arena->first->used = 0;
    arena->current = arena->first;
}

void mesh_arena_free(struct mesh_arena *arena)
{
    if (arena == NULL) {
        return;
    }
    mesh_arena_reset(arena);
    free(arena->first);
    free(arena);
}
