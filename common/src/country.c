/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/country.h"

#include "country_table.h"

#include <stdbool.h>
#include <string.h>

/* A code point becomes at most this many bytes: those that the table says, or its own. */
#define FOLDED_MAX sizeof(mesh_country_folds[0].folded)

/* A folded name and its hash: FNV-1a, for short keys, which country_table.py has in three lines. */
struct key {
    char text[MESH_COUNTRY_CODE_POINTS_MAX * FOLDED_MAX];
    size_t size;
    uint32_t hash;
};

/* Decodes one code point of two to four bytes; its length, or 0 when it is none. */
static size_t code_point_read(const uint8_t *data, size_t size, uint32_t *out)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t first = data[0];
    size_t length = 0;
    uint32_t value = 0;

    if ((first & 0xE0) == 0xC0) {
        length = 2;
        value = first & 0x1FU;
    } else if ((first & 0xF0) == 0xE0) {
        length = 3;
        value = first & 0x0FU;
    } else if ((first & 0xF8) == 0xF0) {
        length = 4;
        value = first & 0x07U;
    }
    if (length == 0 || length > size) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((data[i] & 0xC0) != 0x80) {
            return 0;
        }
        value = value << 6 | (data[i] & 0x3FU);
    }
    *out = value;
    return value >= least[length] ? length : 0;
}

/* NULL: the code point stays as it is. */
static const char *fold_find(uint32_t code_point)
{
    size_t low = 0;
    size_t high = mesh_country_fold_count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (mesh_country_folds[middle].code_point < code_point) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < mesh_country_fold_count && mesh_country_folds[low].code_point == code_point) {
        return mesh_country_folds[low].folded;
    }
    return NULL;
}

static uint32_t hash_add(uint32_t hash, uint8_t byte)
{
    return (hash ^ byte) * 0x01000193U;
}

static void key_add(struct key *key, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        key->text[key->size++] = text[i];
        key->hash = hash_add(key->hash, (uint8_t)text[i]);
    }
}

/* A code point above ASCII; its length, or 0 when it is not UTF-8. */
static size_t key_add_other(struct key *key, const uint8_t *data, size_t size)
{
    uint32_t code_point = 0;
    const size_t length = code_point_read(data, size, &code_point);
    const char *folded = length > 0 ? fold_find(code_point) : "";

    if (folded != NULL) {
        key_add(key, folded, strlen(folded));
    } else {
        key_add(key, (const char *)data, length);
    }
    return length;
}

/* From `at` on, up to the next byte that is not ASCII; returns where that is. */
static size_t key_add_ascii(struct key *key, struct mesh_bytes utf8, size_t at)
{
    uint32_t hash = key->hash; /* in registers: the text might be where the key is */
    size_t size = key->size;

    for (; at < utf8.size && utf8.data[at] < 0x80; at++) {
        const uint8_t byte = utf8.data[at];
        const uint8_t lower = byte | 0x20; /* of a letter; digits stay as they are */
        if ((lower >= 'a' && lower <= 'z') || (byte >= '0' && byte <= '9')) {
            key->text[size++] = (char)lower;
            hash = hash_add(hash, lower);
        }
    }
    key->hash = hash;
    key->size = size;
    return at;
}

/* Lower case, no accents, no punctuation, no spaces. False: not UTF-8. At most
 * MESH_COUNTRY_CODE_POINTS_MAX code points. */
static bool key_fold(struct mesh_bytes utf8, struct key *key)
{
    size_t at = 0;

    key->size = 0;
    key->hash = 0x811C9DC5U;
    while ((at = key_add_ascii(key, utf8, at)) < utf8.size) {
        const size_t length = key_add_other(key, utf8.data + at, utf8.size - at);
        if (length == 0) {
            return false;
        }
        at += length;
    }
    return true;
}

size_t mesh_country_count(void)
{
    return mesh_country_name_count;
}

const char *mesh_country_name(size_t index)
{
    return mesh_country_names[index];
}

size_t mesh_country_unknown(void)
{
    return mesh_country_name_count - 1;
}

size_t mesh_country_find(struct mesh_bytes utf8)
{
    MESH_UNINITIALIZED struct key key; /* read up to what key_fold() wrote */

    /* Each step of key_fold() takes one byte that begins a code point: so the key has room. */
    if (utf8.size > MESH_COUNTRY_BYTES_MAX ||
        (utf8.size > MESH_COUNTRY_CODE_POINTS_MAX &&
         mesh_bytes_code_points(utf8) > MESH_COUNTRY_CODE_POINTS_MAX) ||
        !key_fold(utf8, &key)) {
        return mesh_country_unknown();
    }
    uint32_t slot = key.hash & mesh_country_slot_mask;
    while (mesh_country_slots[slot] != 0) {
        const struct mesh_country_key *entry = &mesh_country_keys[mesh_country_slots[slot] - 1];
        if (entry->size == key.size &&
            memcmp(mesh_country_key_text + entry->offset, key.text, key.size) == 0) {
            return entry->country;
        }
        slot = (slot + 1) & mesh_country_slot_mask;
    }
    return mesh_country_unknown();
}
