/* SPDX-License-Identifier: Apache-2.0 */
#include "lookup.h"

#include "mesh/mongo.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool lookup_learn(mongoc_client_t *client, bool *out_alone, struct mesh_error *err)
{
    bson_t command = BSON_INITIALIZER;
    bson_t reply;
    bson_error_t error;

    BSON_APPEND_INT32(&command, "buildInfo", 1);
    bool ok = mongoc_client_command_simple(client, "admin", &command, NULL, &reply, &error) ||
              mesh_mongo_fail(err, &error);
    if (ok) {
        /* Versions 1 and 2. */
        *out_alone =
            bson_has_field(&reply, "ferretdbVersion") || bson_has_field(&reply, "ferretdb");
    }
    bson_destroy(&reply);
    bson_destroy(&command);
    return ok;
}

static int entry_order(const void *a, const void *b)
{
    const struct entry *const *left = a;
    const struct entry *const *right = b;

    return strcmp((*left)->record.id.text, (*right)->record.id.text);
}

static int id_order(const void *key, const void *element)
{
    const struct entry *const *entry = element;

    return strcmp(key, (*entry)->record.id.text);
}

/* Which record does the archive hold for this id? */
static void stored_compare(struct entry *entry, const bson_t *stored)
{
    bson_iter_t root;
    bson_iter_t at;
    int64_t partition = -1;
    int64_t offset = -1;

    if (bson_iter_init(&root, stored) && bson_iter_find_descendant(&root, "kafka.partition", &at)) {
        partition = bson_iter_as_int64(&at);
    }
    if (bson_iter_init(&root, stored) && bson_iter_find_descendant(&root, "kafka.offset", &at)) {
        offset = bson_iter_as_int64(&at);
    }
    entry->state = partition == entry->message->partition && offset == entry->message->offset
                       ? ENTRY_REDELIVERED
                       : ENTRY_REPEATED;
}

/* All entries of this document's id, which are neighbours. */
static void stored_visit(struct entry **entries, size_t count, const bson_t *stored)
{
    bson_iter_t id;

    if (!bson_iter_init_find(&id, stored, "_id") || !BSON_ITER_HOLDS_UTF8(&id)) {
        return;
    }
    const char *text = bson_iter_utf8(&id, NULL);
    struct entry **found = bsearch(text, entries, count, sizeof(struct entry *), id_order);
    if (found == NULL) {
        return;
    }
    while (found > entries && id_order(text, found - 1) == 0) {
        found--;
    }
    for (; found < entries + count && id_order(text, found) == 0; found++) {
        stored_compare(*found, stored);
    }
}

/* {_id: id}, or {_id: {$in: [ids]}}. */
static void filter_write(bson_t *filter, struct entry *const *entries, size_t count)
{
    bson_t among;
    bson_t ids;
    char text[16];
    const char *key = NULL;

    if (count == 1) {
        BSON_APPEND_UTF8(filter, "_id", entries[0]->record.id.text);
        return;
    }
    BSON_APPEND_DOCUMENT_BEGIN(filter, "_id", &among);
    BSON_APPEND_ARRAY_BEGIN(&among, "$in", &ids);
    for (size_t i = 0; i < count; i++) {
        (void)bson_uint32_to_string((uint32_t)i, &key, text, sizeof text);
        BSON_APPEND_UTF8(&ids, key, entries[i]->record.id.text);
    }
    (void)bson_append_array_end(&among, &ids);
    (void)bson_append_document_end(filter, &among);
}

bool lookup(mongoc_collection_t *collection, struct entry **entries, size_t count,
            struct mesh_error *err)
{
    assert(count > 0 && count <= LOOKUP_LEN_MAX);

    bson_t filter = BSON_INITIALIZER;
    bson_t options = BSON_INITIALIZER;
    bson_t fields;
    const bson_t *stored = NULL;
    bson_error_t error;

    qsort(entries, count, sizeof(struct entry *), entry_order);
    filter_write(&filter, entries, count);
    BSON_APPEND_INT64(&options, "limit", (int64_t)count);
    BSON_APPEND_INT64(&options, "batchSize", (int64_t)count);
    BSON_APPEND_BOOL(&options, "singleBatch", true);
    BSON_APPEND_DOCUMENT_BEGIN(&options, "projection", &fields);
    BSON_APPEND_INT32(&fields, "kafka", 1);
    (void)bson_append_document_end(&options, &fields);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, &filter, &options, NULL);
    while (mongoc_cursor_next(cursor, &stored)) {
        stored_visit(entries, count, stored);
    }
    bool ok = !mongoc_cursor_error(cursor, &error) || mesh_mongo_fail(err, &error);
    for (size_t i = 0; ok && i < count; i++) {
        if (entries[i]->state == ENTRY_LOOK_UP) {
            entries[i]->state = ENTRY_INSERT;
        }
    }
    mongoc_cursor_destroy(cursor);
    bson_destroy(&options);
    bson_destroy(&filter);
    return ok;
}
