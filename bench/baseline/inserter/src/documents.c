/* SPDX-License-Identifier: Apache-2.0 */
#include "documents.h"

#include "ids.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/mongo.h"

#include <stdlib.h>

#define TOPIC "messages"
#define PARTITIONS 4

struct documents {
    bson_t **members; /* of a document but its first and its last one, by line */
    size_t count;
    struct ids ids;
};

static const char *members_write(bson_t *out, struct mesh_bytes line, int64_t received_at_ms)
{
    static const char *const ours[] = {"_id", "id", "kafka", "received_at", "traceparent", NULL};
    /* yyjson only writes to its input when asked to parse in place. */
    yyjson_doc *doc = yyjson_read((char *)(uintptr_t)line.data, line.size, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    const char *reason =
        yyjson_is_obj(root) ? mesh_mongo_append_members(out, root, ours) : "is no JSON object";
    yyjson_doc_free(doc);
    if (reason == NULL) {
        BSON_APPEND_DATE_TIME(out, "received_at", received_at_ms);
    }
    return reason;
}

struct documents *documents_new(const struct lines *lines, struct mesh_error *err)
{
    struct documents *documents = mesh_new(struct documents);
    int64_t now_ms = mesh_clock_wall_ms();
    ids_init(&documents->ids);
    documents->members = mesh_new_array(bson_t *, lines_count(lines));
    for (size_t i = 0; i < lines_count(lines); i++) {
        bson_t *members = bson_new();
        documents->members[documents->count++] = members;
        const char *reason = members_write(members, lines_at(lines, i), now_ms);
        if (reason != NULL) {
            mesh_fail(err, MESH_INVALID_ARGUMENT, "value %zu %s", i + 1, reason);
            documents_free(documents);
            return NULL;
        }
    }
    return documents;
}

void documents_write(struct documents *documents, uint64_t number, bson_t *out)
{
    char id[MESH_ID_LENGTH];
    bson_t kafka;
    ids_write(&documents->ids, id);
    bson_reinit(out);
    (void)bson_append_utf8(out, "_id", 3, id, sizeof(id));
    (void)bson_concat(out, documents->members[number % documents->count]);
    BSON_APPEND_DOCUMENT_BEGIN(out, "kafka", &kafka);
    BSON_APPEND_UTF8(&kafka, "topic", TOPIC);
    BSON_APPEND_INT32(&kafka, "partition", (int32_t)(number % PARTITIONS));
    BSON_APPEND_INT64(&kafka, "offset", (int64_t)(number / PARTITIONS));
    (void)bson_append_document_end(out, &kafka);
}

void documents_free(struct documents *documents)
{
    if (documents == NULL) {
        return;
    }
    for (size_t i = 0; i < documents->count; i++) {
        bson_destroy(documents->members[i]);
    }
    free(documents->members);
    free(documents);
}
