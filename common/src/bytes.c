/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/bytes.h"

#include <string.h>

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

/* Eight bytes at a time: most text is ASCII. */
static bool is_ascii_word(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return (word & UINT64_C(0x8080808080808080)) == 0;
}

bool mesh_bytes_is_utf8(struct mesh_bytes bytes)
{
    size_t at = 0;
    while (at < bytes.size) {
        if (bytes.size - at >= sizeof(uint64_t) && is_ascii_word(bytes.data + at)) {
            at += sizeof(uint64_t);
            continue;
        }
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
