/* SPDX-License-Identifier: Apache-2.0 */
#include "insert_reply.h"

#include "mesh/macros.h"

#include <string.h>

enum { DUPLICATE_KEY = 11000 };

static size_t array_length(const bson_t *reply, const char *name)
{
    bson_iter_t at;
    bson_iter_t item;
    size_t count = 0;

    if (bson_iter_init_find(&at, reply, name) && BSON_ITER_HOLDS_ARRAY(&at) &&
        bson_iter_recurse(&at, &item)) {
        while (bson_iter_next(&item)) {
            count++;
        }
    }
    return count;
}

bool insert_reply_is_whole(const bson_t *reply, size_t count)
{
    bson_iter_t at;
    int64_t inserted = bson_iter_init_find(&at, reply, "nInserted") ? bson_iter_as_int64(&at) : 0;

    return array_length(reply, "writeConcernErrors") == 0 &&
           (size_t)inserted + array_length(reply, "writeErrors") == count;
}

/* A server that says it cannot just now, within a reply that is otherwise whole. */
static bool code_is_passing(int32_t code)
{
    static const int32_t passing[] = {
        6,    7,     13,    18,    24,    50,    63,    64,    79,    89,  91,
        100,  112,   133,   150,   189,   202,   234,   246,   251,   262, 358,
        9001, 10058, 10107, 11600, 11602, 13388, 13435, 13436, 14031,
    };

    for (size_t i = 0; i < MESH_COUNT_OF(passing); i++) {
        if (passing[i] == code) {
            return true;
        }
    }
    return false;
}

/* One element of writeErrors. Entries without one were inserted. */
static void write_error_read(struct entry **entries, size_t count, const bson_iter_t *element)
{
    bson_iter_t field;
    int64_t index = -1;
    int32_t code = 0;

    if (!BSON_ITER_HOLDS_DOCUMENT(element) || !bson_iter_recurse(element, &field)) {
        return;
    }
    while (bson_iter_next(&field)) {
        if (strcmp(bson_iter_key(&field), "index") == 0) {
            index = bson_iter_as_int64(&field);
        } else if (strcmp(bson_iter_key(&field), "code") == 0) {
            code = (int32_t)bson_iter_as_int64(&field);
        }
    }
    if (index < 0 || (size_t)index >= count) {
        return;
    }
    struct entry *entry = entries[index];
    if (code == DUPLICATE_KEY) {
        entry->state = ENTRY_LOOK_UP;
    } else if (code_is_passing(code)) {
        entry->state = ENTRY_INSERT;
    } else {
        entry_set_poison(entry, "was refused by MongoDB", code);
    }
}

void insert_reply_read(struct entry **entries, size_t count, const bson_t *reply)
{
    bson_iter_t at;
    bson_iter_t item;

    for (size_t i = 0; i < count; i++) {
        if (entries[i]->state == ENTRY_INSERT) {
            entries[i]->state = ENTRY_ARCHIVED;
        }
    }
    if (bson_iter_init_find(&at, reply, "writeErrors") && bson_iter_recurse(&at, &item)) {
        while (bson_iter_next(&item)) {
            write_error_read(entries, count, &item);
        }
    }
}
