/* SPDX-License-Identifier: Apache-2.0 */
#include "documents.h"

#include "mesh/event.h"
#include "mesh/mongo.h"

#include <stdio.h>
#include <string.h>

/* Documents in one answer of MongoDB: few bytes in memory, few round trips. */
enum { ANSWER_LEN_MAX = 5000 };

/* The group of what a document has where its stream counts; what is no text is Unknown. */
static uint8_t group_of(const struct mesh_stream *stream, const bson_iter_t *value)
{
    uint32_t size = 0;
    const char *text = BSON_ITER_HOLDS_UTF8(value) ? bson_iter_utf8(value, &size) : "";

    return mesh_stream_group(stream, mesh_bytes_of(text, size));
}

/* An _id for people. */
static void id_text(const bson_iter_t *id, char out[static DOCUMENT_ID_SIZE])
{
    uint32_t size = 0;

    if (BSON_ITER_HOLDS_OID(id)) {
        bson_oid_to_string(bson_iter_oid(id), out);
        return;
    }
    if (BSON_ITER_HOLDS_UTF8(id)) {
        const char *text = bson_iter_utf8(id, &size);
        if (size < DOCUMENT_ID_SIZE && mesh_bytes_is_utf8(mesh_bytes_of(text, size))) {
            (void)memcpy(out, text, size);
            out[size] = '\0';
            return;
        }
    }
    (void)snprintf(out, DOCUMENT_ID_SIZE, "(BSON type %d)", (int)bson_iter_type(id));
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
                          struct document *out)
{
    bson_iter_t at;
    uint32_t size = 0;

    *out =
        (struct document){.archived = {.partition = -1,
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

/* Of each document only what document_read() wants. */
static mongoc_cursor_t *find(mongoc_collection_t *collection, const bson_t *filter,
                             const struct mesh_stream *stream)
{
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
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, filter, &options, NULL);
    bson_destroy(&options);
    return cursor;
}

/* Calls visit for every document that the filter finds. */
static bool visit_all(mongoc_collection_t *collection, const bson_t *filter,
                      const struct mesh_stream *stream, document_fn *visit, void *arg,
                      struct mesh_error *err)
{
    mongoc_cursor_t *cursor = find(collection, filter, stream);
    const bson_t *document = NULL;
    struct document read;
    bson_error_t error;

    while (mongoc_cursor_next(cursor, &document)) {
        document_read(stream, document, &read);
        visit(arg, &read);
    }
    bool ok = !mongoc_cursor_error(cursor, &error) || mesh_mongo_fail(err, &error);
    mongoc_cursor_destroy(cursor);
    return ok;
}

bool documents_read(mongoc_client_t *client, const char *database, const struct mesh_stream *stream,
                    document_fn *visit, void *arg, struct mesh_error *err)
{
    mongoc_collection_t *collection =
        mongoc_client_get_collection(client, database, stream->collection);
    bson_t filter = BSON_INITIALIZER;

    bool ok = visit_all(collection, &filter, stream, visit, arg, err);
    bson_destroy(&filter);
    mongoc_collection_destroy(collection);
    return ok;
}

bool documents_find(mongoc_client_t *client, const char *database, const struct mesh_stream *stream,
                    const struct mesh_id *id, document_fn *visit, void *arg, struct mesh_error *err)
{
    mongoc_collection_t *collection =
        mongoc_client_get_collection(client, database, stream->collection);
    bson_t filter = BSON_INITIALIZER;

    BSON_APPEND_UTF8(&filter, "_id", id->text);
    bool ok = visit_all(collection, &filter, stream, visit, arg, err);
    bson_destroy(&filter);
    mongoc_collection_destroy(collection);
    return ok;
}
