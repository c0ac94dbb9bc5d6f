/* SPDX-License-Identifier: Apache-2.0 */
#include "document.h"

#include "mesh/mongo.h"
#include "mesh/trace.h"

/* The traceparent header, if it is there and well-formed. */
static struct mesh_bytes traceparent_of(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    size_t size = 0;

    if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR &&
        rd_kafka_header_get_last(headers, "traceparent", &value, &size) ==
            RD_KAFKA_RESP_ERR_NO_ERROR &&
        mesh_trace_valid(mesh_bytes_of(value, size))) {
        return mesh_bytes_of(value, size);
    }
    return mesh_bytes_of(NULL, 0);
}

const char *document_write(bson_t *out, const struct entry *entry)
{
    static const char *const ours[] = {"id", "received_at", NULL};
    struct mesh_bytes traceparent = traceparent_of(entry->message);
    bson_t kafka;

    bson_reinit(out);
    (void)bson_append_utf8(out, "_id", 3, entry->record.id.text, MESH_ID_LENGTH);
    const char *reason =
        mesh_mongo_append_members(out, yyjson_doc_get_root(entry->record.doc), ours);
    if (reason != NULL) {
        return reason;
    }
    BSON_APPEND_DATE_TIME(out, "received_at", entry->record.received_at_ms);
    if (traceparent.size > 0) {
        (void)bson_append_utf8(out, "traceparent", -1, (const char *)traceparent.data,
                               (int)traceparent.size);
    }
    BSON_APPEND_DOCUMENT_BEGIN(out, "kafka", &kafka);
    BSON_APPEND_UTF8(&kafka, "topic", entry->partition->topic->stream->topic);
    BSON_APPEND_INT32(&kafka, "partition", entry->message->partition);
    BSON_APPEND_INT64(&kafka, "offset", entry->message->offset);
    (void)bson_append_document_end(out, &kafka);
    return NULL;
}
