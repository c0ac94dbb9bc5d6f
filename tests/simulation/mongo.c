/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MongoDB driver as kafka-consumer's archive calls it, in front of the ledger's documents.
 * BSON is the real library's. An insert may be done in part, and its answer may be lost or say
 * nothing.
 */
#include "mesh/mongo.h"

#include "chance.h"
#include "ledger.h"
#include "mesh/alloc.h"
#include "mesh/snapshot.h"
#include "mongo.h"
#include "process.h"
#include "verdict.h"

#include <mongoc/mongoc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALIDATION_FAILURE = 121, DUPLICATE_KEY = 11000, NOT_PRIMARY = 10107 };

struct pending {
    struct document document;
    char kind[16];
};

struct _mongoc_bulk_operation_t {
    struct process *process;
    struct pending *at;
    size_t count;
    size_t capacity;
};

struct _mongoc_cursor_t {
    const struct document **documents; /* those that were found */
    size_t count;
    size_t at;
    bson_t *found;    /* the one given last */
    bson_t *snapshot; /* where that is what was asked for */
    bool failed;
};

struct mesh_mongo {
    struct process *process;
};

struct _mongoc_collection_t {
    struct process *process;
    bool of_snapshots;
};

static bson_t *snapshot; /* the only stream's; NULL: none was taken */

struct mesh_mongo *__wrap_mesh_mongo_new(const struct mesh_mongo_options *options,
                                         struct mesh_error *err);
mongoc_client_t *__wrap_mesh_mongo_client(const struct mesh_mongo *mongo);
bool __wrap_mesh_mongo_ping(struct mesh_mongo *mongo, struct mesh_error *err);
void __wrap_mesh_mongo_free(struct mesh_mongo *mongo);

struct mesh_mongo *__wrap_mesh_mongo_new(const struct mesh_mongo_options *options,
                                         struct mesh_error *err)
{
    struct mesh_mongo *mongo = mesh_new(struct mesh_mongo);

    (void)options;
    (void)err;
    mongo->process = process_current();
    return mongo;
}

mongoc_client_t *__wrap_mesh_mongo_client(const struct mesh_mongo *mongo)
{
    return (mongoc_client_t *)mongo->process;
}

bool __wrap_mesh_mongo_ping(struct mesh_mongo *mongo, struct mesh_error *err)
{
    return process_call(mongo->process, "pings MongoDB").answer ||
           mesh_fail(err, MESH_UNAVAILABLE, "no answer");
}

void __wrap_mesh_mongo_free(struct mesh_mongo *mongo)
{
    free(mongo);
}

mongoc_collection_t *mongoc_client_get_collection(mongoc_client_t *client, const char *database,
                                                  const char *name)
{
    mongoc_collection_t *collection = mesh_alloc_zeroed(1, sizeof(struct _mongoc_collection_t));

    (void)database;
    collection->of_snapshots = strcmp(name, MESH_SNAPSHOT_COLLECTION) == 0;
    collection->process = (struct process *)client;
    return collection;
}

void mongoc_collection_destroy(mongoc_collection_t *collection)
{
    free(collection);
}

void mongoc_collection_set_write_concern(mongoc_collection_t *collection,
                                         const mongoc_write_concern_t *concern)
{
    (void)collection;
    (void)concern;
}

void mongoc_collection_set_read_prefs(mongoc_collection_t *collection,
                                      const mongoc_read_prefs_t *prefs)
{
    (void)collection;
    (void)prefs;
}

bool mongoc_collection_create_indexes_with_opts(mongoc_collection_t *collection,
                                                mongoc_index_model_t *const *models, size_t count,
                                                const bson_t *options, bson_t *reply,
                                                bson_error_t *error)
{
    (void)collection;
    (void)models;
    (void)count;
    (void)options;
    (void)reply;
    (void)error;
    return true;
}

/* ---- inserting ---- */

mongoc_bulk_operation_t *
mongoc_collection_create_bulk_operation_with_opts(mongoc_collection_t *collection,
                                                  const bson_t *options)
{
    mongoc_bulk_operation_t *bulk = mesh_alloc_zeroed(1, sizeof(struct _mongoc_bulk_operation_t));

    (void)options;
    bulk->process = collection->process;
    return bulk;
}

static void copy_text(const bson_t *from, const char *name, char *to, size_t size)
{
    bson_iter_t at;

    if (bson_iter_init_find(&at, from, name) && BSON_ITER_HOLDS_UTF8(&at)) {
        (void)snprintf(to, size, "%s", bson_iter_utf8(&at, NULL));
    }
}

static int64_t number_of(const bson_t *from, const char *name)
{
    bson_iter_t root;
    bson_iter_t at;

    return bson_iter_init(&root, from) && bson_iter_find_descendant(&root, name, &at)
               ? bson_iter_as_int64(&at)
               : -1;
}

bool mongoc_bulk_operation_insert_with_opts(mongoc_bulk_operation_t *bulk, const bson_t *document,
                                            const bson_t *options, bson_error_t *error)
{
    char text[32] = {0};

    (void)options;
    (void)error;
    if (bulk->count == bulk->capacity) {
        bulk->capacity = bulk->capacity * 2 + 4;
        bulk->at = mesh_realloc(bulk->at, bulk->capacity * sizeof(struct pending));
    }
    struct pending *pending = &bulk->at[bulk->count++];
    *pending = (struct pending){0};
    copy_text(document, "_id", pending->document.id, sizeof(pending->document.id));
    copy_text(document, "kind", pending->kind, sizeof(pending->kind));
    copy_text(document, "text", text, sizeof(text));
    pending->document.event = ledger_event_of(mesh_bytes_of_text(text));
    pending->document.partition = (int32_t)number_of(document, "kafka.partition");
    pending->document.offset = number_of(document, "kafka.offset");
    return true;
}

static void append_error(bson_t *errors, uint32_t at, size_t index, int32_t code)
{
    char name[16];
    bson_t one;

    (void)snprintf(name, sizeof(name), "%u", at);
    bson_append_document_begin(errors, name, -1, &one);
    BSON_APPEND_INT32(&one, "index", (int32_t)index);
    BSON_APPEND_INT32(&one, "code", code);
    bson_append_document_end(errors, &one);
}

static bool is_refused(const struct document *document)
{
    return document->event < EVENT_COUNT_MAX && ledger.events[document->event].refused;
}

/* Inserts what is not there yet; some may be put off. Fills the reply as a server would. */
static void insert(const mongoc_bulk_operation_t *bulk, bool partly, bson_t *reply)
{
    bson_t errors;
    uint32_t error_count = 0;
    int32_t inserted = 0;

    BSON_APPEND_ARRAY_BEGIN(reply, "writeErrors", &errors);
    for (size_t i = 0; i < bulk->count; i++) {
        const struct pending *pending = &bulk->at[i];
        if (partly && chance_one_in(2)) {
            append_error(&errors, error_count++, i, NOT_PRIMARY);
        } else if (is_refused(&pending->document)) {
            append_error(&errors, error_count++, i, VALIDATION_FAILURE);
        } else if (ledger_document(pending->document.id) != NULL) {
            append_error(&errors, error_count++, i, DUPLICATE_KEY);
        } else {
            ledger_archive(&pending->document, pending->kind);
            inserted++;
        }
    }
    bson_append_array_end(reply, &errors);
    BSON_APPEND_INT32(reply, "nInserted", inserted);
}

static void network_error(bson_error_t *error)
{
    *error = (bson_error_t){.domain = MONGOC_ERROR_STREAM, .code = MONGOC_ERROR_STREAM_SOCKET};
    (void)snprintf(error->message, sizeof(error->message), "closed");
}

uint32_t mongoc_bulk_operation_execute(mongoc_bulk_operation_t *bulk, bson_t *reply,
                                       bson_error_t *error)
{
    struct fate fate = process_call(bulk->process, "inserts");
    bool partly = chance_one_in(faults.mongo);
    bool no_majority = chance_one_in(faults.mongo);
    bool silent = chance_one_in(faults.mongo);
    bson_t concern;

    bson_init(reply);
    for (size_t i = 0; i < bulk->count && fate.answer; i++) {
        if (is_refused(&bulk->at[i].document) && chance_one_in(2)) {
            /* Some refuse the command as a whole. */
            *error = (bson_error_t){.domain = MONGOC_ERROR_SERVER, .code = VALIDATION_FAILURE};
            return 0;
        }
    }
    if (fate.effect) {
        insert(bulk, partly, reply);
    }
    if (!fate.answer || !fate.effect || silent) {
        /* What the driver knows of a command without an answer is nothing. */
        bson_reinit(reply);
        network_error(error);
        return 0;
    }
    if (no_majority) {
        BSON_APPEND_ARRAY_BEGIN(reply, "writeConcernErrors", &concern);
        append_error(&concern, 0, 0, 64);
        bson_append_array_end(reply, &concern);
    }
    bson_error_t none = {.domain = MONGOC_ERROR_SERVER, .code = DUPLICATE_KEY};
    *error = none;
    bson_iter_t at;
    bson_iter_t item;
    bool errors = bson_iter_init_find(&at, reply, "writeErrors") && bson_iter_recurse(&at, &item) &&
                  bson_iter_next(&item);
    return errors || no_majority ? 0 : 1;
}

void mongoc_bulk_operation_destroy(mongoc_bulk_operation_t *bulk)
{
    free(bulk->at);
    free(bulk);
}

/* ---- snapshots ---- */

void mongo_start(void)
{
    bson_destroy(snapshot);
    snapshot = NULL;
}

static void snapshot_put(const bson_t *document)
{
    trace("MongoDB: a snapshot of revision %lld", (long long)number_of(document, "revision"));
    bson_destroy(snapshot);
    snapshot = bson_copy(document);
}

bool mongoc_collection_insert_one(mongoc_collection_t *collection, const bson_t *document,
                                  const bson_t *options, bson_t *reply, bson_error_t *error)
{
    struct fate fate = process_call(collection->process, "inserts a snapshot");
    bool there = snapshot != NULL;

    (void)options;
    (void)reply;
    if (fate.effect && !there) {
        snapshot_put(document);
    }
    if (!fate.answer) {
        network_error(error);
        return false;
    }
    *error = (bson_error_t){.domain = MONGOC_ERROR_SERVER, .code = DUPLICATE_KEY};
    return !there;
}

bool mongoc_collection_replace_one(mongoc_collection_t *collection, const bson_t *selector,
                                   const bson_t *document, const bson_t *options, bson_t *reply,
                                   bson_error_t *error)
{
    struct fate fate = process_call(collection->process, "replaces a snapshot");
    bool matches =
        snapshot != NULL && number_of(snapshot, "revision") == number_of(selector, "revision");

    (void)options;
    bson_init(reply);
    if (fate.effect && matches) {
        snapshot_put(document);
    }
    if (!fate.answer) {
        network_error(error);
        return false;
    }
    BSON_APPEND_INT32(reply, "matchedCount", matches ? 1 : 0);
    return true;
}

/* ---- looking up ---- */

/* buildInfo: some servers are FerretDB. */
bool mongoc_client_command_simple(mongoc_client_t *client, const char *database,
                                  const bson_t *command, const mongoc_read_prefs_t *prefs,
                                  bson_t *reply, bson_error_t *error)
{
    (void)database;
    (void)command;
    (void)prefs;
    bson_init(reply);
    if (!process_call((struct process *)client, "asks MongoDB who it is").answer) {
        network_error(error);
        return false;
    }
    if (chance_one_in(2)) {
        BSON_APPEND_UTF8(reply, "ferretdbVersion", "2");
    }
    return true;
}

static void cursor_add(mongoc_cursor_t *cursor, const bson_iter_t *id)
{
    const struct document *document = ledger_document(bson_iter_utf8(id, NULL));
    bool twice = false;

    for (size_t i = 0; i < cursor->count; i++) {
        twice = twice || cursor->documents[i] == document;
    }
    if (document != NULL && !twice) {
        cursor->documents =
            mesh_realloc(cursor->documents, (cursor->count + 1) * sizeof(struct document *));
        cursor->documents[cursor->count++] = document;
    }
}

/* {_id: id} or {_id: {$in: [ids]}} */
static void cursor_find(mongoc_cursor_t *cursor, const bson_t *filter)
{
    bson_iter_t root;
    bson_iter_t at;

    if (bson_iter_init_find(&root, filter, "_id") && BSON_ITER_HOLDS_UTF8(&root)) {
        cursor_add(cursor, &root);
    } else if (bson_iter_init(&root, filter) && bson_iter_find_descendant(&root, "_id.$in", &at) &&
               bson_iter_recurse(&at, &root)) {
        while (bson_iter_next(&root)) {
            cursor_add(cursor, &root);
        }
    } else {
        verdict_broken("the simulated MongoDB does not know this filter");
    }
}

mongoc_cursor_t *mongoc_collection_find_with_opts(mongoc_collection_t *collection,
                                                  const bson_t *filter, const bson_t *options,
                                                  const mongoc_read_prefs_t *prefs)
{
    mongoc_cursor_t *cursor = mesh_alloc_zeroed(1, sizeof(struct _mongoc_cursor_t));

    (void)options;
    (void)prefs;
    cursor->failed = !process_call(collection->process, "looks documents up").answer;
    if (collection->of_snapshots) {
        cursor->snapshot = cursor->failed || snapshot == NULL ? NULL : bson_copy(snapshot);
        return cursor;
    }
    cursor_find(cursor, filter);
    if (cursor->failed) { /* after some of them */
        cursor->count = chance_below(cursor->count + 1);
    }
    return cursor;
}

bool mongoc_cursor_next(mongoc_cursor_t *cursor, const bson_t **out)
{
    bson_t kafka;

    if (cursor->snapshot != NULL && cursor->at++ == 0) {
        *out = cursor->snapshot;
        return true;
    }
    if (cursor->at >= cursor->count) {
        return false;
    }
    const struct document *document = cursor->documents[cursor->at++];
    bson_destroy(cursor->found);
    cursor->found = bson_new();
    BSON_APPEND_UTF8(cursor->found, "_id", document->id);
    BSON_APPEND_DOCUMENT_BEGIN(cursor->found, "kafka", &kafka);
    BSON_APPEND_INT32(&kafka, "partition", document->partition);
    BSON_APPEND_INT64(&kafka, "offset", document->offset);
    bson_append_document_end(cursor->found, &kafka);
    *out = cursor->found;
    return true;
}

bool mongoc_cursor_error(mongoc_cursor_t *cursor, bson_error_t *error)
{
    if (cursor->failed) {
        network_error(error);
    }
    return cursor->failed;
}

void mongoc_cursor_destroy(mongoc_cursor_t *cursor)
{
    bson_destroy(cursor->found);
    bson_destroy(cursor->snapshot);
    free(cursor->documents);
    free(cursor);
}
