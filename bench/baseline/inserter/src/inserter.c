/* SPDX-License-Identifier: Apache-2.0 */
#include "inserter.h"

#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "process.h"

#include <inttypes.h>
#include <mongoc/mongoc.h>
#include <stdlib.h>

enum { FIND_MS = 10000, ANSWER_MS = 60000 };

struct inserter {
    mongoc_client_t *client;
    mongoc_collection_t *collection;
    bson_t *document; /* one buffer for all */
    bson_t *bulk_options;
    bson_t *insert_options;
};

static bool fail(struct mesh_error *err, const bson_error_t *error)
{
    return mesh_fail(err, MESH_UNAVAILABLE, "MongoDB: %s", error->message);
}

static bool client_open(struct inserter *inserter, const char *text, struct mesh_error *err)
{
    bson_error_t error;
    mongoc_uri_t *uri = mongoc_uri_new_with_error(text, &error);
    if (uri == NULL) {
        return mesh_fail(err, MESH_INVALID_ARGUMENT, "--uri: %s", error.message);
    }
    (void)mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, FIND_MS);
    (void)mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SOCKETTIMEOUTMS, ANSWER_MS);
    /* As kafka-consumer, which tries again itself. */
    (void)mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYWRITES, false);
    inserter->client = mongoc_client_new_from_uri_with_error(uri, &error);
    mongoc_uri_destroy(uri);
    if (inserter->client == NULL) {
        return mesh_fail(err, MESH_INVALID_ARGUMENT, "--uri: %s", error.message);
    }
    bson_t *ping = BCON_NEW("ping", BCON_INT32(1));
    bool good = mongoc_client_command_simple(inserter->client, "admin", ping, NULL, NULL, &error) ||
                fail(err, &error);
    bson_destroy(ping);
    return good;
}

static void collection_open(struct inserter *inserter, const struct inserter_options *options)
{
    mongoc_write_concern_t *majority = mongoc_write_concern_new();
    mongoc_write_concern_set_w(majority, MONGOC_WRITE_CONCERN_W_MAJORITY);
    inserter->collection =
        mongoc_client_get_collection(inserter->client, options->database, options->collection);
    mongoc_collection_set_write_concern(inserter->collection, majority);
    mongoc_write_concern_destroy(majority);
}

struct inserter *inserter_new(const struct inserter_options *options, struct mesh_error *err)
{
    struct inserter *inserter = mesh_new(struct inserter);
    mongoc_init();
    mongoc_log_set_handler(NULL, NULL); /* what matters comes back as an error */
    inserter->document = bson_new();
    inserter->bulk_options = BCON_NEW("ordered", BCON_BOOL(false));
    inserter->insert_options = BCON_NEW("validate", BCON_BOOL(false));
    if (!client_open(inserter, options->uri, err)) {
        inserter_free(inserter);
        return NULL;
    }
    collection_open(inserter, options);
    return inserter;
}

static uint64_t inserted_of(const bson_t *reply)
{
    bson_iter_t at;
    return bson_iter_init_find(&at, reply, "nInserted") ? (uint64_t)bson_iter_as_int64(&at) : 0;
}

static bool insert_batch(struct inserter *inserter, struct documents *documents, uint64_t first,
                         uint64_t count, uint64_t *inserted, struct mesh_error *err)
{
    bson_error_t error = {0};
    bson_t reply;
    mongoc_bulk_operation_t *bulk = mongoc_collection_create_bulk_operation_with_opts(
        inserter->collection, inserter->bulk_options);
    for (uint64_t i = first; i < first + count; i++) {
        documents_write(documents, i, inserter->document);
        if (!mongoc_bulk_operation_insert_with_opts(bulk, inserter->document,
                                                    inserter->insert_options, &error)) {
            mongoc_bulk_operation_destroy(bulk);
            return fail(err, &error);
        }
    }
    bool good = mongoc_bulk_operation_execute(bulk, &reply, &error) != 0 || fail(err, &error);
    uint64_t stored = inserted_of(&reply);
    *inserted += stored;
    bson_destroy(&reply);
    mongoc_bulk_operation_destroy(bulk);
    return good &&
           (stored == count ||
            mesh_fail(err, MESH_UNAVAILABLE, "MongoDB stored %" PRIu64 " of %" PRIu64 " documents",
                      stored, count));
}

bool inserter_run(struct inserter *inserter, struct documents *documents, uint64_t count,
                  uint64_t batch, struct inserter_result *out, struct mesh_error *err)
{
    int64_t began_us = mesh_clock_mono_us();
    double cpu_before = process_cpu_seconds();
    uint64_t inserted = 0;
    bool good = true;
    for (uint64_t first = 0; good && first < count; first += batch) {
        uint64_t left = count - first;
        good =
            insert_batch(inserter, documents, first, left < batch ? left : batch, &inserted, err);
    }
    *out = (struct inserter_result){.inserted = inserted,
                                    .seconds = (double)(mesh_clock_mono_us() - began_us) / 1e6,
                                    .cpu_seconds = process_cpu_seconds() - cpu_before};
    return good;
}

void inserter_free(struct inserter *inserter)
{
    if (inserter == NULL) {
        return;
    }
    if (inserter->collection != NULL) {
        mongoc_collection_destroy(inserter->collection);
    }
    if (inserter->client != NULL) {
        mongoc_client_destroy(inserter->client);
    }
    bson_destroy(inserter->document);
    bson_destroy(inserter->bulk_options);
    bson_destroy(inserter->insert_options);
    free(inserter);
    mongoc_cleanup();
}
