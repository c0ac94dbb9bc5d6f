/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/alloc.h"
#include "mesh/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for `more` bytes and the NUL. */
static char *buffer_room(struct mesh_buffer *buffer, size_t more)
{
    size_t needed = buffer->size + more + 1;
    if (needed > buffer->capacity) {
        size_t capacity = buffer->capacity * 2 > 256 ? buffer->capacity * 2 : 256;
        buffer->capacity = capacity > needed ? capacity : needed;
        buffer->data = mesh_realloc(buffer->data, buffer->capacity);
    }
    return buffer->data + buffer->size;
}

void mesh_buffer_add(struct mesh_buffer *buffer, struct mesh_bytes bytes)
{
    char *room = buffer_room(buffer, bytes.size);
    if (bytes.size > 0) {
        memcpy(room, bytes.data, bytes.size);
    }
    buffer->size += bytes.size;
    buffer->data[buffer->size] = '\0';
}

void mesh_buffer_add_text(struct mesh_buffer *buffer, const char *text)
{
    mesh_buffer_add(buffer, mesh_bytes_of_text(text));
}

void mesh_buffer_add_format_args(struct mesh_buffer *buffer, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, args);
    if (size > 0) {
        char *room = buffer_room(buffer, (size_t)size);
        (void)vsnprintf(room, (size_t)size + 1, format, again);
        buffer->size += (size_t)size;
    }
    va_end(again);
}

void mesh_buffer_add_format(struct mesh_buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    mesh_buffer_add_format_args(buffer, format, args);
    va_end(args);
}

static bool needs_escape(uint8_t byte)
{
    return byte < 0x20 || byte == '"' || byte == '\\';
}

static void add_escape(struct mesh_buffer *buffer, uint8_t byte)
{
    static const char short_forms[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (size_t i = 0; i + 1 < sizeof(short_forms); i += 2) {
        if (byte == (uint8_t)short_forms[i]) {
            const char escape[2] = {'\\', short_forms[i + 1]};
            mesh_buffer_add(buffer, mesh_bytes_of(escape, sizeof(escape)));
            return;
        }
    }
    mesh_buffer_add_format(buffer, "\\u%04x", (unsigned)byte);
}

void mesh_buffer_add_json(struct mesh_buffer *buffer, struct mesh_bytes utf8)
{
    mesh_buffer_add(buffer, mesh_bytes_of("\"", 1));
    size_t from = 0;
    for (size_t at = 0; at < utf8.size; at++) {
        if (needs_escape(utf8.data[at])) {
            mesh_buffer_add(buffer, mesh_bytes_of(utf8.data + from, at - from));
            add_escape(buffer, utf8.data[at]);
            from = at + 1;
        }
    }
    if (utf8.size > from) {
        mesh_buffer_add(buffer, mesh_bytes_of(utf8.data + from, utf8.size - from));
    }
    mesh_buffer_add(buffer, mesh_bytes_of("\"", 1));
}

void mesh_buffer_reset(struct mesh_buffer *buffer)
{
    buffer->size = 0;
    if (buffer->data != NULL) {
        buffer->data[0] = '\0';
    }
}

void mesh_buffer_done(struct mesh_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct mesh_buffer){0};
}

struct mesh_bytes mesh_buffer_bytes(const struct mesh_buffer *buffer)
{
    return mesh_bytes_of(buffer->data, buffer->size);
}
