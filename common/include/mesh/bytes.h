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
#include <string.h>

/* What is called dozens of times for each event is inline here. */

struct mesh_bytes {
    const uint8_t *data; /* may be NULL when size is 0 */
    size_t size;
};

static inline struct mesh_bytes mesh_bytes_of(const void *data, size_t size)
{
    return (struct mesh_bytes){.data = (const uint8_t *)data, .size = size};
}

/* Without the NUL; NULL gives no bytes. */
static inline struct mesh_bytes mesh_bytes_of_text(const char *text)
{
    return mesh_bytes_of(text, text != NULL ? strlen(text) : 0);
}

static inline bool mesh_bytes_equal(struct mesh_bytes a, struct mesh_bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool mesh_bytes_equal_text(struct mesh_bytes bytes, const char *text)
{
    return mesh_bytes_equal(bytes, mesh_bytes_of_text(text));
}

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

/* The slow half of mesh_buffer_room(). */
void mesh_buffer_grow(struct mesh_buffer *buffer, size_t more);

/* Where `more` bytes and a NUL can be written; whoever writes them adds to `size`. */
static inline char *mesh_buffer_room(struct mesh_buffer *buffer, size_t more)
{
    if (more >= buffer->capacity - buffer->size) {
        mesh_buffer_grow(buffer, more);
    }
    return buffer->data + buffer->size;
}

static inline void mesh_buffer_add(struct mesh_buffer *buffer, struct mesh_bytes bytes)
{
    char *room = mesh_buffer_room(buffer, bytes.size);
    if (bytes.size > 0) {
        memcpy(room, bytes.data, bytes.size);
    }
    room[bytes.size] = '\0';
    buffer->size += bytes.size;
}

static inline void mesh_buffer_add_text(struct mesh_buffer *buffer, const char *text)
{
    mesh_buffer_add(buffer, mesh_bytes_of_text(text));
}

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
