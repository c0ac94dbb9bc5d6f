/* SPDX-License-Identifier: Apache-2.0 */
#include "redis_hash.h"

#include "ledger.h"
#include "mesh/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { HASH_COUNT_MAX = 64, FIELD_COUNT_MAX = 256 };

struct field {
    struct mesh_bytes name;
    struct mesh_bytes value; /* .data NULL: not there */
};

struct hash {
    struct mesh_bytes key;
    struct field fields[FIELD_COUNT_MAX];
    size_t count;
};

/* What a write command did to one field. */
struct change {
    size_t write; /* number of the command */
    struct field *field;
    struct mesh_bytes before;
};

static struct hash hashes[HASH_COUNT_MAX];
static size_t hash_count;
static struct change *changes;
static size_t change_count;
static size_t change_capacity;
static size_t writes;

void redis_hash_start(void)
{
    hash_count = 0;
    change_count = 0;
    writes = 0;
}

static struct mesh_bytes keep(struct mesh_bytes bytes)
{
    uint8_t *copy = ledger_memory(bytes.size + 1); /* an empty value is there, too */

    memcpy(copy, bytes.data, bytes.size);
    return mesh_bytes_of(copy, bytes.size);
}

static struct hash *hash_of(struct mesh_bytes key, bool make)
{
    for (size_t i = 0; i < hash_count; i++) {
        if (mesh_bytes_equal(hashes[i].key, key)) {
            return &hashes[i];
        }
    }
    if (!make) {
        return NULL;
    }
    if (hash_count == HASH_COUNT_MAX) {
        abort();
    }
    struct hash *hash = &hashes[hash_count++];
    hash->key = keep(key);
    hash->count = 0;
    return hash;
}

static struct field *field_of(struct hash *hash, struct mesh_bytes name, bool make)
{
    for (size_t i = 0; hash != NULL && i < hash->count; i++) {
        if (mesh_bytes_equal(hash->fields[i].name, name)) {
            return &hash->fields[i];
        }
    }
    if (!make) {
        return NULL;
    }
    assert(hash != NULL);
    if (hash->count == FIELD_COUNT_MAX) {
        abort();
    }
    struct field *field = &hash->fields[hash->count++];
    *field = (struct field){.name = keep(name)};
    return field;
}

const struct mesh_bytes *redis_hash_get(struct mesh_bytes key, struct mesh_bytes name)
{
    const struct field *field = field_of(hash_of(key, false), name, false);

    return field == NULL || field->value.data == NULL ? NULL : &field->value;
}

const struct mesh_bytes *redis_hash_at(struct mesh_bytes key, size_t index,
                                       struct mesh_bytes *out_name)
{
    struct hash *hash = hash_of(key, false);

    for (size_t i = 0; hash != NULL && i < hash->count; i++) {
        if (hash->fields[i].value.data != NULL && index-- == 0) {
            *out_name = hash->fields[i].name;
            return &hash->fields[i].value;
        }
    }
    return NULL;
}

void redis_hash_write(void)
{
    writes++;
}

void redis_hash_set(struct mesh_bytes key, struct mesh_bytes name, struct mesh_bytes value)
{
    struct field *field = field_of(hash_of(key, true), name, true);

    if (change_count == change_capacity) {
        change_capacity = change_capacity * 2 + 1024;
        changes = mesh_realloc(changes, change_capacity * sizeof(struct change));
    }
    changes[change_count++] =
        (struct change){.write = writes, .field = field, .before = field->value};
    field->value = value.data == NULL ? value : keep(value);
    if (value.data != NULL) {
        redis_hash_written(key, name, value);
    }
}

size_t redis_hash_length(struct mesh_bytes key)
{
    const struct hash *hash = hash_of(key, false);
    size_t count = 0;

    for (size_t i = 0; hash != NULL && i < hash->count; i++) {
        count += hash->fields[i].value.data != NULL;
    }
    return count;
}

void redis_hash_drop(struct mesh_bytes key)
{
    const struct hash *hash = hash_of(key, false);

    for (size_t i = 0; hash != NULL && i < hash->count; i++) {
        if (hash->fields[i].value.data != NULL) {
            redis_hash_set(key, hash->fields[i].name, mesh_bytes_of(NULL, 0));
        }
    }
}

void redis_hash_rename(struct mesh_bytes from, struct mesh_bytes to)
{
    const struct hash *hash = hash_of(from, true);

    redis_hash_drop(to);
    for (size_t i = 0; i < hash->count; i++) {
        if (hash->fields[i].value.data != NULL) {
            redis_hash_set(to, hash->fields[i].name, hash->fields[i].value);
        }
    }
    redis_hash_drop(from);
}

size_t redis_hash_writes(void)
{
    return writes;
}

void redis_hash_undo(size_t count)
{
    writes -= count < writes ? count : writes;
    while (change_count > 0 && changes[change_count - 1].write > writes) {
        const struct change *change = &changes[--change_count];
        change->field->value = change->before;
    }
}
