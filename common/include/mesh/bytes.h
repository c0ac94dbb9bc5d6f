/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bytes: borrowed views of memory, and a buffer that grows.
 *
 * Threads: plain values; a buffer belongs to one thread at a time. A view never owns; whoever
 * needs the bytes longer than the call copies them.
 */
#ifndef MESH_BYTES_H
#define MESH_BYTES_H

#include "mesh/macros.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mesh_bytes {
    const uint8_t *data; /* may be NULL when size is 0 */
    size_t size;
};

struct mesh_bytes mesh_bytes_of(const void *data, size_t size);
/* Without the NUL; NULL gives no bytes. */
struct mesh_bytes mesh_bytes_of_text(const char *text);
bool mesh_bytes_equal(struct mesh_bytes a, struct mesh_bytes b);
bool mesh_bytes_equal_text(struct mesh_bytes bytes, const char *text);
/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool mesh_bytes_is_utf8(struct mesh_bytes bytes);
/* Code points of valid UTF-8. */
size_t mesh_bytes_code_points(struct mesh_bytes utf8);

/* A growing buffer in the caller's memory; all zero is an empty one. */
struct mesh_buffer {
    char *data; /* always ends in a NUL once something was added */
    size_t size;
    size_t capacity;
};

void mesh_buffer_add(struct mesh_buffer *buffer, struct mesh_bytes bytes);
void mesh_buffer_add_text(struct mesh_buffer *buffer, const char *text);
/* A JSON string with its quotes (RFC 8259); `utf8` must be valid UTF-8. */
void mesh_buffer_add_json(struct mesh_buffer *buffer, struct mesh_bytes utf8);
MESH_PRINTF(2, 3)
void mesh_buffer_add_format(struct mesh_buffer *buffer, const char *format, ...);
MESH_PRINTF(2, 0)
void mesh_buffer_add_format_args(struct mesh_buffer *buffer, const char *format, va_list args);
/* Empties it and keeps the memory. */
void mesh_buffer_reset(struct mesh_buffer *buffer);
/* Frees the memory; the buffer is empty and usable again. */
void mesh_buffer_done(struct mesh_buffer *buffer);
struct mesh_bytes mesh_buffer_bytes(const struct mesh_buffer *buffer);

#endif
