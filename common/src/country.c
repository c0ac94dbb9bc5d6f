/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/country.h"

#include "country_table.h"

#include <stdbool.h>
#include <string.h>

/* A folded name. Nothing longer than what may be looked up is in the table. */
struct key {
    char text[MESH_COUNTRY_BYTES_MAX];
    size_t size;
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

static bool key_add(struct key *key, const void *text, size_t size)
{
    if (size > sizeof(key->text) - key->size) {
        return false;
    }
    memcpy(key->text + key->size, text, size);
    key->size += size;
    return true;
}

static bool key_add_ascii(struct key *key, uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z') {
        byte = (uint8_t)(byte - 'A' + 'a');
    } else if ((byte < 'a' || byte > 'z') && (byte < '0' || byte > '9')) {
        return true;
    }
    return key_add(key, &byte, 1);
}

/* Lower case, no accents, no punctuation, no spaces. False: too long, or not UTF-8. */
static bool key_fold(struct mesh_bytes utf8, struct key *key)
{
    size_t code_points = 0;
    size_t at = 0;

    while (at < utf8.size) {
        if (++code_points > MESH_COUNTRY_CODE_POINTS_MAX) {
            return false;
        }
        if (utf8.data[at] < 0x80) {
            if (!key_add_ascii(key, utf8.data[at])) {
                return false;
            }
            at++;
            continue;
        }
        uint32_t code_point = 0;
        const size_t length = code_point_read(utf8.data + at, utf8.size - at, &code_point);
        if (length == 0) {
            return false;
        }
        const char *folded = fold_find(code_point);
        if (folded != NULL ? !key_add(key, folded, strlen(folded))
                           : !key_add(key, utf8.data + at, length)) {
            return false;
        }
        at += length;
    }
    return true;
}

/* FNV-1a: short keys, and a hash that country_table.py has in three lines too. */
static uint32_t key_hash(const struct key *key)
{
    uint32_t hash = 0x811C9DC5U;
    for (size_t i = 0; i < key->size; i++) {
        hash = (hash ^ (uint8_t)key->text[i]) * 0x01000193U;
    }
    return hash;
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
    struct key key;

    key.size = 0;
    if (utf8.size > MESH_COUNTRY_BYTES_MAX || !key_fold(utf8, &key)) {
        return mesh_country_unknown();
    }
    uint32_t slot = key_hash(&key) & mesh_country_slot_mask;
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
