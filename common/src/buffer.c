/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/alloc.h"
#include "mesh/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void mesh_buffer_grow(struct mesh_buffer *buffer, size_t more)
{
    const size_t needed = buffer->size + more + 1;
    const size_t capacity = buffer->capacity * 2 > 256 ? buffer->capacity * 2 : 256;
    buffer->capacity = capacity > needed ? capacity : needed;
    buffer->data = mesh_realloc(buffer->data, buffer->capacity);
}

void mesh_buffer_add_format_args(struct mesh_buffer *buffer, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, args);
    if (size > 0) {
        char *room = mesh_buffer_room(buffer, (size_t)size);
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

/* Whether one of eight bytes needs it; "Determine if a word has a byte less than n", Bit Twiddling
 * Hacks. A byte above 0x7F never does. */
static bool word_needs_escape(const uint8_t *at)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    const uint64_t quotes = word ^ ones * '"';
    const uint64_t backslashes = word ^ ones * '\\';
    return (((word - ones * 0x20) | (quotes - ones) | (backslashes - ones)) & ~word &
            ones * 0x80) != 0;
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

/* How many bytes from `at` on can be written as they are. */
static size_t plain_run(struct mesh_bytes utf8, size_t at)
{
    const size_t from = at;
    while (utf8.size - at >= sizeof(uint64_t) && !word_needs_escape(utf8.data + at)) {
        at += sizeof(uint64_t);
    }
    while (at < utf8.size && !needs_escape(utf8.data[at])) {
        at++;
    }
    return at - from;
}

void mesh_buffer_add_json(struct mesh_buffer *buffer, struct mesh_bytes utf8)
{
    /* Mostly enough, and then all of it is reserved at once. */
    (void)mesh_buffer_room(buffer, utf8.size + 2);
    mesh_buffer_add_text(buffer, "\"");
    for (size_t at = 0; at < utf8.size;) {
        const size_t run = plain_run(utf8, at);
        mesh_buffer_add(buffer, mesh_bytes_of(utf8.data + at, run));
        at += run;
        if (at < utf8.size) {
            add_escape(buffer, utf8.data[at++]);
        }
    }
    mesh_buffer_add_text(buffer, "\"");
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
