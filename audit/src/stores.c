/* SPDX-License-Identifier: Apache-2.0 */
#include "stores.h"

#include "mesh/alloc.h"
#include "mesh/counters.h"
#include "mesh/event.h"
#include "mesh/mongo.h"
#include "mesh/redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Documents in one answer of MongoDB: few bytes in memory, few round trips. */
enum { ANSWER_LEN_MAX = 5000 };

struct stores {
    const struct config *config;
    redisContext *redis;
    struct mesh_mongo *mongo;
};

struct stores *stores_new(const struct config *config, struct mesh_error *err)
{
    struct stores *stores = mesh_new(struct stores);

    stores->config = config;
    stores->redis = mesh_redis_connect(config->redis_url, (uint32_t)config->redis_ms_max, err);
    if (stores->redis == NULL) {
        goto fail;
    }
    stores->mongo = mesh_mongo_new(
        &(struct mesh_mongo_options){
            .uri = config->mongodb_uri,
            .app_name = "tweetmesh-audit",
            .timeout_ms = (uint32_t)config->mongodb_ms_max,
        },
        err);
    if (stores->mongo == NULL) {
        goto fail;
    }
    return stores;

fail:
    stores_free(stores);
    return NULL;
}

bool stores_unsettled(struct stores *stores, const struct mesh_stream *stream,
                      const struct log_extent *extent, uint64_t *out, struct mesh_error *err)
{
    struct mesh_counters_state state = {0};
    uint64_t unsettled = 0;

    if (!mesh_counters_state_read(stores->redis, stream, &state, err)) {
        return false;
    }
    for (size_t i = 0; i < extent->count; i++) {
        uint64_t end = (uint64_t)extent->partitions[i].end;
        uint64_t watermark = i < state.watermark_count ? state.watermarks[i] : 0;
        unsettled += watermark < end ? end - watermark : 0;
    }
    mesh_counters_state_done(&state);
    *out = unsettled;
    return true;
}

/* Adds a count under the name that a store gives the group. */
static void tally_add(struct tally *tally, const struct mesh_stream *stream, const char *name,
                      uint64_t count)
{
    tally->total += count;
    for (size_t i = 0; i < stream->group_count; i++) {
        if (strcmp(stream->group_names[i], name) == 0) {
            tally->groups[i] += count;
            return;
        }
    }
    tally->foreign += count;
}

static bool shown_read(struct stores *stores, const struct mesh_stream *stream, struct tally *out,
                       struct mesh_error *err)
{
    char *key = mesh_counters_groups_key(stream);
    redisReply *reply = redisCommand(stores->redis, "HGETALL %s", key);
    bool ok = reply != NULL && (reply->type == REDIS_REPLY_ARRAY || reply->type == REDIS_REPLY_MAP);

    if (!ok) {
        (void)mesh_redis_fail(stores->redis, reply, err);
    }
    for (size_t i = 0; ok && i + 1 < reply->elements; i += 2) {
        tally_add(out, stream, reply->element[i]->str,
                  strtoull(reply->element[i + 1]->str, NULL, 10));
    }
    freeReplyObject(reply);
    free(key);
    return ok;
}

bool stores_redis(struct stores *stores, const struct mesh_stream *stream,
                  struct findings *findings, struct mesh_error *err)
{
    struct mesh_counters_state state = {0};
    struct tally shown = {0};

    if (!mesh_counters_state_read(stores->redis, stream, &state, err)) {
        return false;
    }
    findings->redis = (struct tally){.total = state.total, .foreign = state.foreign};
    for (size_t i = 0; i < stream->group_count; i++) {
        findings->redis.groups[i] = state.counts[i];
    }
    mesh_counters_state_done(&state);
    if (!shown_read(stores, stream, &shown, err)) {
        return false;
    }
    findings->shown = shown;
    return true;
}

/* The group of what a document has where its stream counts; what is no text is Unknown. */
static uint8_t group_of(const struct mesh_stream *stream, const bson_iter_t *value)
{
    uint32_t size = 0;
    const char *text = BSON_ITER_HOLDS_UTF8(value) ? bson_iter_utf8(value, &size) : "";

    return mesh_stream_group(stream, mesh_bytes_of(text, size));
}

/* An _id for people. */
static void id_text(const bson_iter_t *id, char out[static STRAY_ID_SIZE])
{
    uint32_t size = 0;

    if (BSON_ITER_HOLDS_OID(id)) {
        bson_oid_to_string(bson_iter_oid(id), out);
        return;
    }
    if (BSON_ITER_HOLDS_UTF8(id)) {
        const char *text = bson_iter_utf8(id, &size);
        if (size < STRAY_ID_SIZE && mesh_bytes_is_utf8(mesh_bytes_of(text, size))) {
            (void)memcpy(out, text, size);
            out[size] = '\0';
            return;
        }
    }
    (void)snprintf(out, STRAY_ID_SIZE, "(BSON type %d)", (int)bson_iter_type(id));
}

/* Of which record a document was made. */
static void place_read(const bson_iter_t *place, struct position *out)
{
    bson_iter_t at;

    if (!BSON_ITER_HOLDS_DOCUMENT(place) || !bson_iter_recurse(place, &at)) {
        return;
    }
    while (bson_iter_next(&at)) {
        if (strcmp(bson_iter_key(&at), "partition") == 0) {
            out->partition = (int32_t)bson_iter_as_int64(&at);
        } else if (strcmp(bson_iter_key(&at), "offset") == 0) {
            out->offset = bson_iter_as_int64(&at);
        }
    }
}

/* What the archive says of a document; what it does not say cannot be a record's. */
static void document_read(const struct mesh_stream *stream, const bson_t *document,
                          struct ledger_document *out)
{
    bson_iter_t at;
    uint32_t size = 0;

    *out = (struct ledger_document){
        .archived = {.partition = -1,
                     .offset = -1,
                     .group = mesh_stream_group(stream, mesh_bytes_of(NULL, 0))}};
    if (!bson_iter_init(&at, document)) {
        return;
    }
    while (bson_iter_next(&at)) {
        const char *key = bson_iter_key(&at);
        if (strcmp(key, "_id") == 0) {
            id_text(&at, out->id);
            const char *text = BSON_ITER_HOLDS_UTF8(&at) ? bson_iter_utf8(&at, &size) : NULL;
            (void)mesh_id_parse(mesh_bytes_of(text, size), &out->event);
        } else if (stream->count_by != NULL && strcmp(key, stream->count_by) == 0) {
            out->archived.group = group_of(stream, &at);
        } else if (strcmp(key, "kafka") == 0) {
            place_read(&at, &out->archived);
        }
    }
}

/* All documents of a stream, of each only what document_read() wants. */
static mongoc_cursor_t *documents_find(mongoc_collection_t *collection,
                                       const struct mesh_stream *stream)
{
    bson_t filter = BSON_INITIALIZER;
    bson_t options = BSON_INITIALIZER;
    bson_t fields;

    BSON_APPEND_INT32(&options, "batchSize", ANSWER_LEN_MAX);
    BSON_APPEND_DOCUMENT_BEGIN(&options, "projection", &fields);
    BSON_APPEND_INT32(&fields, "_id", 1);
    BSON_APPEND_INT32(&fields, "kafka", 1);
    if (stream->count_by != NULL) {
        BSON_APPEND_INT32(&fields, stream->count_by, 1);
    }
    (void)bson_append_document_end(&options, &fields);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, &filter, &options, NULL);
    bson_destroy(&options);
    bson_destroy(&filter);
    return cursor;
}

bool stores_documents(struct stores *stores, const struct mesh_stream *stream,
                      stores_document_fn *visit, void *arg, struct mesh_error *err)
{
    mongoc_collection_t *collection = mongoc_client_get_collection(
        mesh_mongo_client(stores->mongo), stores->config->mongodb_database, stream->collection);
    mongoc_cursor_t *cursor = documents_find(collection, stream);
    const bson_t *document = NULL;
    struct ledger_document read;
    bson_error_t error;

    while (mongoc_cursor_next(cursor, &document)) {
        document_read(stream, document, &read);
        visit(arg, &read);
    }
    bool ok = !mongoc_cursor_error(cursor, &error) || mesh_mongo_fail(err, &error);
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(collection);
    return ok;
}

void stores_free(struct stores *stores)
{
    if (stores == NULL) {
        return;
    }
    redisFree(stores->redis);
    mesh_mongo_free(stores->mongo);
    free(stores);
}
