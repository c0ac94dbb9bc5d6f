/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/snapshot.h"

#include <stdlib.h>
#include <string.h>

enum { DUPLICATE_KEY = 11000 };

mongoc_collection_t *mesh_snapshot_collection(mongoc_client_t *client, const char *database,
                                              uint32_t timeout_ms)
{
    mongoc_collection_t *collection =
        mongoc_client_get_collection(client, database, MESH_SNAPSHOT_COLLECTION);
    mongoc_write_concern_t *majority = mongoc_write_concern_new();
    mongoc_read_prefs_t *primary = mongoc_read_prefs_new(MONGOC_READ_PRIMARY);

    mongoc_write_concern_set_wmajority(majority, (int32_t)timeout_ms);
    mongoc_collection_set_write_concern(collection, majority);
    mongoc_collection_set_read_prefs(collection, primary);
    mongoc_read_prefs_destroy(primary);
    mongoc_write_concern_destroy(majority);
    return collection;
}

/* A text or, of the bitmaps, bytes. */
static bool item_read(const bson_iter_t *item, struct mesh_bytes *out)
{
    uint32_t size = 0;

    if (BSON_ITER_HOLDS_UTF8(item)) {
        const char *text = bson_iter_utf8(item, &size);
        *out = mesh_bytes_of(text, size);
        return true;
    }
    if (BSON_ITER_HOLDS_BINARY(item)) {
        const uint8_t *data = NULL;
        bson_iter_binary(item, NULL, &size, &data);
        *out = mesh_bytes_of(data, size);
        return true;
    }
    return false;
}

static bool fields_read(const bson_iter_t *array, struct mesh_counters_copy *copy)
{
    bson_iter_t item;

    if (!BSON_ITER_HOLDS_ARRAY(array) || !bson_iter_recurse(array, &item)) {
        return false;
    }
    while (bson_iter_next(&item)) {
        struct mesh_bytes value = {0};
        if (!BSON_ITER_HOLDS_UTF8(&item)) {
            return false;
        }
        const char *name = bson_iter_utf8(&item, NULL);
        if (!bson_iter_next(&item) || !item_read(&item, &value)) {
            return false;
        }
        mesh_counters_copy_add(copy, name, value);
    }
    return true;
}

static void document_read(const bson_t *document, struct mesh_snapshot *out)
{
    struct mesh_error damage = {0};
    bson_iter_t at;
    bool whole = false;

    if (bson_iter_init_find(&at, document, "revision")) {
        out->revision = bson_iter_as_int64(&at);
    }
    if (bson_iter_init_find(&at, document, "taken_at") && BSON_ITER_HOLDS_DATE_TIME(&at)) {
        out->taken_at_ms = bson_iter_date_time(&at);
    }
    if (bson_iter_init_find(&at, document, "fields")) {
        whole = fields_read(&at, &out->copy);
    }
    out->usable = whole && mesh_counters_copy_summary(&out->copy, &out->summary, &damage);
}

bool mesh_snapshot_load(mongoc_collection_t *collection, const char *stream,
                        struct mesh_snapshot *out, struct mesh_error *err)
{
    bson_t filter = BSON_INITIALIZER;
    const bson_t *document = NULL;
    bson_error_t error;

    *out = (struct mesh_snapshot){0};
    BSON_APPEND_UTF8(&filter, "_id", stream);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, &filter, NULL, NULL);
    if (mongoc_cursor_next(cursor, &document)) {
        document_read(document, out);
    }
    bool ok = !mongoc_cursor_error(cursor, &error) || mesh_mongo_fail(err, &error);
    mongoc_cursor_destroy(cursor);
    bson_destroy(&filter);
    if (!ok) {
        mesh_snapshot_done(out);
    }
    return ok;
}

void mesh_snapshot_done(struct mesh_snapshot *snapshot)
{
    mesh_counters_summary_done(&snapshot->summary);
    mesh_counters_copy_done(&snapshot->copy);
    *snapshot = (struct mesh_snapshot){0};
}

bool mesh_snapshot_may_become(const struct mesh_snapshot *stored,
                              const struct mesh_counters_summary *next, int64_t now_ms)
{
    struct mesh_counters_summary measure = stored->summary;

    if (!stored->usable) {
        return true;
    }
    /* Counters that were lost and counted again from Kafka's beginning know of no recount. */
    if (now_ms - stored->taken_at_ms > MESH_SNAPSHOT_RECOUNT_MS &&
        measure.recounts > next->recounts) {
        measure.recounts = next->recounts;
    }
    return mesh_counters_summary_may_follow(&measure, next);
}

static void document_write(bson_t *out, const struct mesh_snapshot_next *next)
{
    const struct mesh_counters_summary *summary = next->summary;
    bson_t fields;
    uint32_t index = 0;
    char text[16];
    const char *key = NULL;

    BSON_APPEND_UTF8(out, "_id", next->stream);
    BSON_APPEND_INT64(out, "revision", next->replaces + 1);
    BSON_APPEND_DATE_TIME(out, "taken_at", next->taken_at_ms);
    BSON_APPEND_UTF8(out, "topic", summary->topic_id);
    BSON_APPEND_INT64(out, "recounts", (int64_t)summary->recounts);
    BSON_APPEND_INT64(out, "settled", (int64_t)summary->settled);
    BSON_APPEND_INT64(out, "total", (int64_t)summary->total);
    BSON_APPEND_ARRAY_BEGIN(out, "fields", &fields);
    for (size_t i = 0; i < next->copy->count; i++) {
        const struct mesh_counters_field *field = &next->copy->fields[i];
        (void)bson_uint32_to_string(index++, &key, text, sizeof text);
        BSON_APPEND_UTF8(&fields, key, field->name);
        (void)bson_uint32_to_string(index++, &key, text, sizeof text);
        if (strncmp(field->name, "b:", 2) == 0) {
            BSON_APPEND_BINARY(&fields, key, BSON_SUBTYPE_BINARY, (const uint8_t *)field->value,
                               (uint32_t)field->value_size);
        } else {
            (void)bson_append_utf8(&fields, key, -1, field->value, (int)field->value_size);
        }
    }
    (void)bson_append_array_end(out, &fields);
}

/* The first one of a stream. */
static bool insert(mongoc_collection_t *collection, const bson_t *document, bool *out_stored,
                   struct mesh_error *err)
{
    bson_error_t error;

    *out_stored = mongoc_collection_insert_one(collection, document, NULL, NULL, &error);
    return *out_stored || error.code == DUPLICATE_KEY || mesh_mongo_fail(err, &error);
}

static bool replace(mongoc_collection_t *collection, const struct mesh_snapshot_next *next,
                    const bson_t *document, bool *out_stored, struct mesh_error *err)
{
    bson_t filter = BSON_INITIALIZER;
    bson_t reply;
    bson_iter_t at;
    bson_error_t error;

    BSON_APPEND_UTF8(&filter, "_id", next->stream);
    BSON_APPEND_INT64(&filter, "revision", next->replaces);
    bool ok = mongoc_collection_replace_one(collection, &filter, document, NULL, &reply, &error) ||
              mesh_mongo_fail(err, &error);
    *out_stored =
        ok && bson_iter_init_find(&at, &reply, "matchedCount") && bson_iter_as_int64(&at) > 0;
    bson_destroy(&reply);
    bson_destroy(&filter);
    return ok;
}

bool mesh_snapshot_store(mongoc_collection_t *collection, const struct mesh_snapshot_next *next,
                         bool *out_stored, struct mesh_error *err)
{
    bson_t document = BSON_INITIALIZER;

    document_write(&document, next);
    bool ok = next->replaces == 0 ? insert(collection, &document, out_stored, err)
                                  : replace(collection, next, &document, out_stored, err);
    bson_destroy(&document);
    return ok;
}
