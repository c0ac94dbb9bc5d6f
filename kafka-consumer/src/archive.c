/* SPDX-License-Identifier: Apache-2.0 */
#include "archive.h"

#include "insert_reply.h"
#include "lookup.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/log.h"
#include "mesh/mongo.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A document that vanishes between insert and look-up (TTL, people) is inserted again so often. */
enum { ROUND_MAX = 4 };

struct archive {
    struct archive_options options;
    bson_t *insert_options;
    struct mesh_mongo *mongo;
    struct mesh_mongo *retired;        /* had another password; NULL: none */
    mongoc_collection_t **collections; /* by topic index */
    const struct topic *topics;
    size_t topic_count;
    struct entry *
        *wanted; /* the entries of the call in hand; of an insert by position in the bulk */
    size_t wanted_capacity;
    struct mesh_metric *insert_seconds;
    struct mesh_metric *lookup_seconds;
    uint32_t ttl_days;
    bool indexed;
    bool learned;       /* .look_up_alone holds */
    bool look_up_alone; /* one id at a time */
};

static void collections_close(struct archive *archive)
{
    for (size_t i = 0; archive->collections != NULL && i < archive->topic_count; i++) {
        mongoc_collection_destroy(archive->collections[i]);
    }
    free(archive->collections);
    archive->collections = NULL;
}

static void collections_open(struct archive *archive)
{
    const struct archive_options *options = &archive->options;
    mongoc_write_concern_t *majority = mongoc_write_concern_new();
    mongoc_read_prefs_t *primary = mongoc_read_prefs_new(MONGOC_READ_PRIMARY);

    mongoc_write_concern_set_wmajority(majority, (int32_t)options->timeout_ms);
    archive->collections = mesh_new_array(mongoc_collection_t *, options->topic_count);
    for (size_t i = 0; i < options->topic_count; i++) {
        archive->collections[i] =
            mongoc_client_get_collection(mesh_mongo_client(archive->mongo), options->database,
                                         options->topics[i].stream->collection);
        mongoc_collection_set_write_concern(archive->collections[i], majority);
        mongoc_collection_set_read_prefs(archive->collections[i], primary);
    }
    mongoc_read_prefs_destroy(primary);
    mongoc_write_concern_destroy(majority);
}

static bool client_open(struct archive *archive, struct mesh_error *err)
{
    archive->mongo = mesh_mongo_new(
        &(struct mesh_mongo_options){
            .uri = archive->options.uri,
            .app_name = "tweetmesh-kafka-consumer",
            .timeout_ms = archive->options.timeout_ms,
        },
        err);
    if (archive->mongo == NULL) {
        return false;
    }
    collections_open(archive);
    return true;
}

struct archive *archive_new(const struct archive_options *options, struct mesh_error *err)
{
    struct archive *archive = mesh_new(struct archive);

    archive->insert_options = bson_new();
    /* mesh_record_read() checked the UTF-8; what else may be wrong the server says. */
    BSON_APPEND_BOOL(archive->insert_options, "validate", false);
    archive->topics = options->topics;
    archive->topic_count = options->topic_count;
    archive->ttl_days = options->ttl_days;
    archive->insert_seconds = mesh_histogram_seconds("tweetmesh_mongodb_insert_seconds", NULL,
                                                     "Time of one bulk insert.");
    archive->lookup_seconds = mesh_histogram_seconds("tweetmesh_mongodb_lookup_seconds", NULL,
                                                     "Time of one find for duplicates.");
    archive->options = *options;
    if (!client_open(archive, err)) {
        archive_free(archive);
        return NULL;
    }
    return archive;
}

mongoc_client_t *archive_log_in(struct archive *archive)
{
    struct mesh_mongo *old = archive->mongo;
    struct mesh_error err = {0};

    if (!mesh_mongo_login_changed(old)) {
        return NULL;
    }
    collections_close(archive);
    if (!client_open(archive, &err)) {
        mesh_log_error("mongodb_login_refused", &err);
        archive->mongo = old;
        collections_open(archive);
        return NULL;
    }
    archive->retired = old;
    return mesh_mongo_client(archive->mongo);
}

/* One index of {first: order[, received_at: -1]}. */
static void index_make(const struct archive *archive, const struct topic *topic, const char *first,
                       int order, const bson_t *options)
{
    bson_t keys = BSON_INITIALIZER;
    bson_error_t error;

    (void)bson_append_int32(&keys, first, -1, order);
    if (order > 0) {
        BSON_APPEND_INT32(&keys, "received_at", -1);
    }
    mongoc_index_model_t *model = mongoc_index_model_new(&keys, options);
    if (!mongoc_collection_create_indexes_with_opts(archive->collections[topic->index], &model, 1,
                                                    NULL, NULL, &error)) {
        mesh_log(MESH_LOG_WARN, "index_refused", MESH_LOG_TEXT("stream", topic->stream->name),
                 MESH_LOG_TEXT("field", first), MESH_LOG_INT("code", error.code),
                 MESH_LOG_TEXT("reason", error.message));
    }
    mongoc_index_model_destroy(model);
    bson_destroy(&keys);
}

static void indexes_make(const struct archive *archive)
{
    bson_t plain = BSON_INITIALIZER;
    bson_t expiring = BSON_INITIALIZER;

    BSON_APPEND_INT64(&expiring, "expireAfterSeconds", (int64_t)archive->ttl_days * 24 * 60 * 60);
    for (size_t i = 0; i < archive->topic_count; i++) {
        const struct topic *topic = &archive->topics[i];
        index_make(archive, topic, "received_at", -1, archive->ttl_days > 0 ? &expiring : &plain);
        if (topic->stream->count_by != NULL) {
            index_make(archive, topic, topic->stream->count_by, 1, &plain);
        }
    }
    bson_destroy(&expiring);
    bson_destroy(&plain);
}

bool archive_ping(struct archive *archive, struct mesh_error *err)
{
    mesh_mongo_free(archive->retired);
    archive->retired = NULL;
    if (!mesh_mongo_ping(archive->mongo, err)) {
        return false;
    }
    if (!archive->indexed) {
        indexes_make(archive);
        archive->indexed = true;
    }
    return true;
}

/* The entries of a topic in a state, into archive->wanted. */
static size_t gather(struct archive *archive, const struct batch *batch, const struct topic *topic,
                     enum entry_state state)
{
    size_t count = 0;

    if (archive->wanted_capacity < batch->count) {
        archive->wanted_capacity = batch->capacity;
        archive->wanted = mesh_realloc(archive->wanted, batch->capacity * sizeof(struct entry *));
    }
    for (size_t i = 0; i < batch->count; i++) {
        struct entry *entry = &batch->entries[i];
        if (entry->partition != NULL && entry->partition->topic == topic && entry->state == state) {
            archive->wanted[count++] = entry;
        }
    }
    return count;
}

/* Fills the bulk with the entries still to be inserted, which move to the front; poison is found
 * here as well. Returns how many they are. */
static size_t bulk_fill(struct archive *archive, const struct batch *batch,
                        mongoc_bulk_operation_t *bulk, struct entry **entries, size_t count)
{
    bson_error_t error;
    bson_t document;
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        struct entry *entry = entries[i];
        if (entry->state != ENTRY_INSERT) {
            continue;
        }
        struct mesh_bytes bytes = batch_document(batch, entry);
        if (!bson_init_static(&document, bytes.data, bytes.size) ||
            !mongoc_bulk_operation_insert_with_opts(bulk, &document, archive->insert_options,
                                                    &error)) {
            entry_set_poison(entry, "is no document", 0);
            continue;
        }
        entries[i] = entries[kept];
        entries[kept++] = entry;
    }
    return kept;
}

/* Inserts `count` entries of one topic. False with *error: the command as a whole failed. */
static bool bulk_insert(struct archive *archive, const struct batch *batch,
                        mongoc_collection_t *collection, struct entry **entries, size_t count,
                        bson_error_t *error)
{
    bson_t options = BSON_INITIALIZER;
    bson_t reply;
    int64_t started = mesh_clock_mono_us();

    BSON_APPEND_BOOL(&options, "ordered", false);
    mongoc_bulk_operation_t *bulk =
        mongoc_collection_create_bulk_operation_with_opts(collection, &options);
    bson_destroy(&options);
    size_t kept = bulk_fill(archive, batch, bulk, entries, count);
    if (kept == 0) {
        mongoc_bulk_operation_destroy(bulk);
        return true;
    }
    bool ok = mongoc_bulk_operation_execute(bulk, &reply, error) != 0;
    mesh_metric_observe_us(archive->insert_seconds, mesh_clock_mono_us() - started);
    ok = ok || insert_reply_is_whole(&reply, kept);
    if (ok) {
        insert_reply_read(entries, kept, &reply);
    }
    bson_destroy(&reply);
    mongoc_bulk_operation_destroy(bulk);
    return ok;
}

/* As bulk_insert(), but a command that is refused because of one document is halved until that
 * one is found. */
static bool insert_halving(struct archive *archive, const struct batch *batch,
                           mongoc_collection_t *collection, struct entry **entries, size_t count,
                           struct mesh_error *err)
{
    size_t stack[64]; /* lengths still to do; halving 2^32 entries takes fewer */
    size_t depth = 0;
    size_t at = 0;

    stack[depth++] = count;
    while (depth > 0) {
        bson_error_t error = {0};
        size_t length = stack[--depth];
        if (bulk_insert(archive, batch, collection, entries + at, length, &error)) {
            at += length;
        } else if (error.domain != MONGOC_ERROR_SERVER ||
                   !mesh_mongo_is_refusal((int32_t)error.code)) {
            return mesh_mongo_fail(err, &error);
        } else if (length == 1) {
            entry_set_poison(entries[at++], "was refused by MongoDB", (int32_t)error.code);
        } else {
            stack[depth++] = length - length / 2;
            stack[depth++] = length / 2;
        }
    }
    return true;
}

/* One find for `count` entries, up to LOOKUP_LEN_MAX, of one topic. */
static bool look_up(struct archive *archive, struct entry **entries, size_t count,
                    struct mesh_error *err)
{
    int64_t started = mesh_clock_mono_us();

    bool ok =
        lookup(archive->collections[entries[0]->partition->topic->index], entries, count, err);
    mesh_metric_observe_us(archive->lookup_seconds, mesh_clock_mono_us() - started);
    return ok;
}

static bool look_up_all(struct archive *archive, struct batch *batch, struct mesh_error *err)
{
    if (!archive->learned && batch_has(batch, ENTRY_LOOK_UP)) {
        if (!lookup_learn(mesh_mongo_client(archive->mongo), &archive->look_up_alone, err)) {
            return false;
        }
        archive->learned = true;
    }
    size_t step = archive->look_up_alone ? 1 : LOOKUP_LEN_MAX;
    for (size_t i = 0; i < archive->topic_count; i++) {
        size_t count = gather(archive, batch, &archive->topics[i], ENTRY_LOOK_UP);
        for (size_t at = 0; at < count; at += step) {
            size_t left = count - at;
            if (!look_up(archive, archive->wanted + at, left < step ? left : step, err)) {
                return false;
            }
        }
    }
    return true;
}

bool archive_batch(struct archive *archive, struct batch *batch, struct mesh_error *err)
{
    for (int round = 0; round < ROUND_MAX; round++) {
        if (!look_up_all(archive, batch, err)) {
            return false;
        }
        for (size_t i = 0; i < archive->topic_count; i++) {
            size_t count = gather(archive, batch, &archive->topics[i], ENTRY_INSERT);
            if (count > 0 && !insert_halving(archive, batch, archive->collections[i],
                                             archive->wanted, count, err)) {
                return false;
            }
        }
        if (!batch_has(batch, ENTRY_INSERT) && !batch_has(batch, ENTRY_LOOK_UP)) {
            return true;
        }
    }
    return mesh_fail(err, MESH_UNAVAILABLE, "MongoDB: some documents are refused for now");
}

mongoc_client_t *archive_client(const struct archive *archive)
{
    return mesh_mongo_client(archive->mongo);
}

void archive_free(struct archive *archive)
{
    if (archive == NULL) {
        return;
    }
    collections_close(archive);
    mesh_mongo_free(archive->retired);
    mesh_mongo_free(archive->mongo);
    bson_destroy(archive->insert_options);
    free(archive->wanted);
    free(archive);
}
