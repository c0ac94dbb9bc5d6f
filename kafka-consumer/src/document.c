/* SPDX-License-Identifier: Apache-2.0 */
#include "document.h"

#include "mesh/bson.h"
#include "mesh/trace.h"

struct mesh_bytes document_traceparent(const rd_kafka_message_t *message)
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

static struct mesh_bytes key(const char *text)
{
    return mesh_bytes_of_text(text); /* the compiler knows its length */
}

const char *document_write(struct mesh_buffer *out, const struct entry *entry)
{
    static const char *const ours[] = {"id", "received_at", NULL};
    struct mesh_bytes traceparent = document_traceparent(entry->message);
    size_t place = mesh_bson_begin(out);

    mesh_bson_add_text(out, key("_id"), mesh_bytes_of(entry->record.id.text, MESH_ID_LENGTH));
    const char *reason = mesh_bson_add_members(out, yyjson_doc_get_root(entry->record.doc), ours);
    if (reason != NULL) {
        out->size = place;
        return reason;
    }
    mesh_bson_add_date(out, key("received_at"), entry->record.received_at_ms);
    if (traceparent.size > 0) {
        mesh_bson_add_text(out, key("traceparent"), traceparent);
    }
    size_t kafka = mesh_bson_begin_member(out, key("kafka"));
    mesh_bson_add_text(out, key("topic"),
                       mesh_bytes_of_text(entry->partition->topic->stream->topic));
    mesh_bson_add_int32(out, key("partition"), entry->message->partition);
    mesh_bson_add_int64(out, key("offset"), entry->message->offset);
    mesh_bson_end(out, kafka);
    mesh_bson_end(out, place);
    return NULL;
}
