/* SPDX-License-Identifier: Apache-2.0 */
#include "stores.h"

#include "mesh/alloc.h"
#include "mesh/counters.h"
#include "mesh/event.h"
#include "mesh/mongo.h"
#include "mesh/redis.h"

#include <stdlib.h>
#include <string.h>

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

static mongoc_collection_t *collection_of(struct stores *stores, const struct mesh_stream *stream)
{
    return mongoc_client_get_collection(mesh_mongo_client(stores->mongo),
                                        stores->config->mongodb_database, stream->collection);
}

/* The group of what a document has where its stream counts; what is no text is Unknown. */
static uint8_t group_of(const struct mesh_stream *stream, const bson_iter_t *value)
{
    uint32_t size = 0;
    const char *text = BSON_ITER_HOLDS_UTF8(value) ? bson_iter_utf8(value, &size) : "";

    return mesh_stream_group(stream, mesh_bytes_of(text, size));
}

/* Names the server to ask, so that a cursor goes on where it began. NULL: none can be reached; else
 * the caller's. */
static bson_t *server_opts(mongoc_client_t *client, bson_error_t *error)
{
    mongoc_server_description_t *server = mongoc_client_select_server(client, false, NULL, error);
    bson_t *opts = NULL;

    if (server != NULL) {
        opts = BCON_NEW("serverId", BCON_INT32((int32_t)mongoc_server_description_id(server)));
        mongoc_server_description_destroy(server);
    }
    return opts;
}

/* A cursor over the documents' number by the value of count_by. Written as a command, because
 * mongoc_collection_aggregate() of 1.30.4 takes the namespace for the database and refuses it. */
static mongoc_cursor_t *group_cursor(struct stores *stores, const struct mesh_stream *stream,
                                     bson_error_t *error)
{
    mongoc_client_t *client = mesh_mongo_client(stores->mongo);
    bson_t *opts = server_opts(client, error);
    if (opts == NULL) {
        return NULL;
    }
    char *field = stream->count_by == NULL ? NULL : mesh_format("$%s", stream->count_by);
    bson_t *command =
        BCON_NEW("aggregate", BCON_UTF8(stream->collection), "cursor", "{", "}", "pipeline", "[",
                 "{", "$group", "{", "_id", BCON_UTF8(field == NULL ? "" : field), "n", "{", "$sum",
                 BCON_INT32(1), "}", "}", "}", "]");
    bson_t reply;
    mongoc_cursor_t *cursor = NULL;

    if (mongoc_client_read_command_with_opts(client, stores->config->mongodb_database, command,
                                             NULL, opts, &reply, error)) {
        cursor =
            mongoc_cursor_new_from_command_reply_with_opts(client, &reply, opts); /* takes it */
    } else {
        bson_destroy(&reply);
    }
    bson_destroy(command);
    bson_destroy(opts);
    free(field);
    return cursor;
}

bool stores_mongo(struct stores *stores, const struct mesh_stream *stream, struct tally *out,
                  struct mesh_error *err)
{
    bson_error_t error;
    mongoc_cursor_t *cursor = group_cursor(stores, stream, &error);
    struct tally tally = {0};
    const bson_t *row = NULL;

    if (cursor == NULL) {
        return mesh_mongo_fail(err, &error);
    }
    while (mongoc_cursor_next(cursor, &row)) {
        bson_iter_t id;
        bson_iter_t count;
        if (bson_iter_init_find(&id, row, "_id") && bson_iter_init_find(&count, row, "n")) {
            uint64_t n = (uint64_t)bson_iter_as_int64(&count);
            tally.total += n;
            tally.groups[group_of(stream, &id)] += n;
        }
    }
    bool ok = !mongoc_cursor_error(cursor, &error) || mesh_mongo_fail(err, &error);
    mongoc_cursor_destroy(cursor);
    if (ok) {
        *out = tally;
    }
    return ok;
}

bool stores_archived_group(struct stores *stores, const struct mesh_stream *stream,
                           const struct mesh_id *id, uint8_t *out_group, struct mesh_error *err)
{
    mongoc_collection_t *collection = collection_of(stores, stream);
    bson_t *filter = BCON_NEW("_id", BCON_UTF8(id->text));
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, filter, NULL, NULL);
    const bson_t *document = NULL;
    bson_error_t error;
    bson_iter_t value;
    bool found = mongoc_cursor_next(cursor, &document);

    if (found) {
        *out_group =
            stream->count_by != NULL && bson_iter_init_find(&value, document, stream->count_by)
                ? group_of(stream, &value)
                : mesh_stream_group(stream, mesh_bytes_of(NULL, 0));
    } else if (mongoc_cursor_error(cursor, &error)) {
        (void)mesh_mongo_fail(err, &error);
    } else {
        mesh_fail(err, MESH_NOT_FOUND, "not in the archive");
    }
    mongoc_cursor_destroy(cursor);
    bson_destroy(filter);
    mongoc_collection_destroy(collection);
    return found;
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
