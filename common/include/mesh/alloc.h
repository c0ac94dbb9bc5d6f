/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alloc: heap memory that is there or the program ends.
 *
 * Every call aborts when memory is gone. That is acceptable only because every size and count
 * that comes from outside is checked against a configured limit first. Threads: any.
 * Ownership: the caller owns the result and gives it to free().
 */
#ifndef MESH_ALLOC_H
#define MESH_ALLOC_H

#include "mesh/macros.h"

#include <stddef.h>

#define mesh_new(type) ((type *)mesh_alloc_zeroed(1, sizeof(type)))
#define mesh_new_array(type, count) ((type *)mesh_alloc_zeroed((count), sizeof(type)))

/* Zeroed; aborts when count * size overflows. */
void *mesh_alloc_zeroed(size_t count, size_t size);
/* Not zeroed. */
void *mesh_alloc(size_t size);
void *mesh_realloc(void *memory, size_t size);

char *mesh_strdup(const char *text);
/* Copies `size` bytes and puts a NUL behind them. */
char *mesh_strndup(const char *text, size_t size);
MESH_PRINTF(1, 2)
char *mesh_format(const char *format, ...);

#endif
