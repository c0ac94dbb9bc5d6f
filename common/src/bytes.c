/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/bytes.h"

#include <string.h>

struct mesh_bytes mesh_bytes_of(const void *data, size_t size)
{
    return (struct mesh_bytes){.data = data, .size = size};
}

struct mesh_bytes mesh_bytes_of_text(const char *text)
{
    return mesh_bytes_of(text, text != NULL ? strlen(text) : 0);
}

bool mesh_bytes_equal(struct mesh_bytes a, struct mesh_bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool mesh_bytes_equal_text(struct mesh_bytes bytes, const char *text)
{
    return mesh_bytes_equal(bytes, mesh_bytes_of_text(text));
}

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

/* Length of the well-formed sequence at `at` (table 3-7 of the Unicode standard); 0: it is none. */
static size_t sequence_length(const uint8_t *at, size_t left)
{
    uint8_t lead = at[0];
    if (lead < 0x80) {
        return 1;
    }
    if (lead >= 0xC2 && lead <= 0xDF) {
        return left >= 2 && is_continuation(at[1]) ? 2 : 0;
    }
    if (lead >= 0xE0 && lead <= 0xEF) {
        uint8_t low = lead == 0xE0 ? 0xA0 : 0x80;  /* no overlong forms */
        uint8_t high = lead == 0xED ? 0x9F : 0xBF; /* no surrogates */
        bool good = left >= 3 && at[1] >= low && at[1] <= high && is_continuation(at[2]);
        return good ? 3 : 0;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        uint8_t low = lead == 0xF0 ? 0x90 : 0x80;
        uint8_t high = lead == 0xF4 ? 0x8F : 0xBF; /* nothing above U+10FFFF */
        bool good = left >= 4 && at[1] >= low && at[1] <= high && is_continuation(at[2]) &&
                    is_continuation(at[3]);
        return good ? 4 : 0;
    }
    return 0;
}

bool mesh_bytes_is_utf8(struct mesh_bytes bytes)
{
    size_t at = 0;
    while (at < bytes.size) {
        size_t length = sequence_length(bytes.data + at, bytes.size - at);
        if (length == 0) {
            return false;
        }
        at += length;
    }
    return true;
}

size_t mesh_bytes_code_points(struct mesh_bytes utf8)
{
    size_t count = 0;
    for (size_t at = 0; at < utf8.size; at++) {
        count += !is_continuation(utf8.data[at]);
    }
    return count;
}
