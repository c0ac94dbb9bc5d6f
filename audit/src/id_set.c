/* SPDX-License-Identifier: Apache-2.0 */
#include "id_set.h"

#include "mesh/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { KEY_SIZE = 16, TAKEN = 254, FREE = 255, FIRST_CAPACITY = 1024 };

struct id_set {
    uint8_t (*keys)[KEY_SIZE];
    uint8_t *groups; /* FREE: the slot is; TAKEN: the id was, its group is forgotten */
    size_t capacity; /* a power of two */
    size_t count;
    size_t bytes_max;
};

static uint8_t nibble(char digit)
{
    return (uint8_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

/* The sixteen bytes behind the canonical text. */
static void key_of(const struct mesh_id *id, uint8_t out[static KEY_SIZE])
{
    const char *at = id->text;

    for (size_t i = 0; i < KEY_SIZE; i++) {
        at += *at == '-' ? 1 : 0;
        out[i] = (uint8_t)(nibble(at[0]) << 4 | nibble(at[1]));
        at += 2;
    }
}

static void text_of(const uint8_t key[static KEY_SIZE], struct mesh_id *out)
{
    static const char digits[] = "0123456789abcdef";
    char *at = out->text;

    for (size_t i = 0; i < KEY_SIZE; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *at++ = '-';
        }
        *at++ = digits[key[i] >> 4];
        *at++ = digits[key[i] & 15];
    }
    *at = '\0';
}

static void slots_make(struct id_set *set, size_t capacity)
{
    set->capacity = capacity;
    set->keys = mesh_alloc_zeroed(capacity, KEY_SIZE);
    set->groups = mesh_alloc(capacity);
    (void)memset(set->groups, FREE, capacity);
}

struct id_set *id_set_new(size_t bytes_max)
{
    struct id_set *set = mesh_new(struct id_set);

    set->bytes_max = bytes_max;
    slots_make(set, FIRST_CAPACITY);
    return set;
}

/* The slot of a key, or the free one where it belongs. Half of the slots are free, so it ends. */
static size_t slot_of(const struct id_set *set, const uint8_t key[static KEY_SIZE])
{
    size_t slot = XXH3_64bits(key, KEY_SIZE) & (set->capacity - 1);

    while (set->groups[slot] != FREE && memcmp(set->keys[slot], key, KEY_SIZE) != 0) {
        slot = (slot + 1) & (set->capacity - 1);
    }
    return slot;
}

static void put(struct id_set *set, size_t slot, const uint8_t key[static KEY_SIZE], uint8_t group)
{
    (void)memcpy(set->keys[slot], key, KEY_SIZE);
    set->groups[slot] = group;
}

static bool grow(struct id_set *set)
{
    struct id_set old = *set;

    /* While moving, both tables are there. */
    if (old.capacity * 3 > set->bytes_max / (KEY_SIZE + 1)) {
        return false;
    }
    slots_make(set, old.capacity * 2);
    for (size_t i = 0; i < old.capacity; i++) {
        if (old.groups[i] != FREE) {
            put(set, slot_of(set, old.keys[i]), old.keys[i], old.groups[i]);
        }
    }
    free(old.keys);
    free(old.groups);
    return true;
}

enum id_set_outcome id_set_add(struct id_set *set, const struct mesh_id *id, uint8_t group,
                               uint8_t *out_first_group)
{
    uint8_t key[KEY_SIZE];

    assert(group < TAKEN);
    key_of(id, key);
    size_t slot = slot_of(set, key);
    if (set->groups[slot] != FREE) {
        *out_first_group = set->groups[slot];
        return set->groups[slot] == group ? ID_SET_KNOWN : ID_SET_OTHER_GROUP;
    }
    if (set->count * 2 >= set->capacity) {
        if (!grow(set)) {
            return ID_SET_FULL;
        }
        slot = slot_of(set, key);
    }
    put(set, slot, key, group);
    set->count++;
    return ID_SET_NEW;
}

enum id_set_taken id_set_take(struct id_set *set, const struct mesh_id *id, uint8_t *out_group)
{
    uint8_t key[KEY_SIZE];

    key_of(id, key);
    size_t slot = slot_of(set, key);
    if (set->groups[slot] == FREE) {
        return ID_SET_ABSENT;
    }
    if (set->groups[slot] == TAKEN) {
        return ID_SET_TAKEN_BEFORE;
    }
    *out_group = set->groups[slot];
    set->groups[slot] = TAKEN;
    return ID_SET_TAKEN;
}

bool id_set_next(const struct id_set *set, size_t *at, struct mesh_id *out)
{
    while (*at < set->capacity) {
        size_t slot = (*at)++;
        if (set->groups[slot] < TAKEN) {
            text_of(set->keys[slot], out);
            return true;
        }
    }
    return false;
}

void id_set_free(struct id_set *set)
{
    if (set == NULL) {
        return;
    }
    free(set->keys);
    free(set->groups);
    free(set);
}
