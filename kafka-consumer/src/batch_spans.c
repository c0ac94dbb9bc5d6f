/* SPDX-License-Identifier: Apache-2.0 */
#include "batch_spans.h"

#include "document.h"

#include <stdio.h>

/* The records of a batch that have spans. */
struct sampled {
    size_t count;
    size_t left_out;
    const struct entry *entries[BATCH_SPANS_MAX];
    struct mesh_trace_context sends[BATCH_SPANS_MAX]; /* the span that sent each */
};

static void sampled_find(const struct batch *batch, struct sampled *out)
{
    struct mesh_trace_context context;

    out->count = 0;
    out->left_out = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct entry *entry = &batch->entries[i];
        if (entry->partition == NULL ||
            !mesh_trace_read(document_traceparent(entry->message), &context) ||
            !mesh_spans_sample(&context, true)) {
            continue;
        }
        if (out->count == BATCH_SPANS_MAX) {
            out->left_out++;
            continue;
        }
        out->entries[out->count] = entry;
        out->sends[out->count++] = context;
    }
}

static const char *outcome_of(const struct entry *entry)
{
    return entry->state == ENTRY_ARCHIVED      ? "archived"
           : entry->state == ENTRY_REDELIVERED ? "redelivered"
           : entry->state == ENTRY_REPEATED    ? "repeated"
                                               : "dead";
}

static void archive_record(const struct batch_spans *spans, const struct batch *batch,
                           const struct entry *entry, const struct mesh_trace_context *send,
                           const struct mesh_trace_context *archive,
                           const struct mesh_trace_context *whole)
{
    const struct mesh_stream *stream = entry->partition->topic->stream;
    const bool dead = entry->state == ENTRY_DEAD;
    char partition[16];

    (void)snprintf(partition, sizeof(partition), "%d", entry->message->partition);
    const struct mesh_span_attribute attributes[] = {
        MESH_SPAN_TEXT("messaging.system", "kafka"),
        MESH_SPAN_TEXT("messaging.operation.type", "process"),
        MESH_SPAN_TEXT("messaging.operation.name", "archive"),
        MESH_SPAN_TEXT("messaging.destination.name", stream->topic),
        MESH_SPAN_TEXT("messaging.destination.partition.id", partition),
        MESH_SPAN_INT("messaging.kafka.offset", entry->message->offset),
        MESH_SPAN_TEXT("messaging.message.id", entry->record.id.text),
        MESH_SPAN_INT("messaging.batch.message_count", batch->count),
        MESH_SPAN_TEXT("db.system.name", "mongodb"),
        MESH_SPAN_TEXT("db.collection.name", stream->collection),
        MESH_SPAN_TEXT("db.operation.name", "insert"),
        MESH_SPAN_TEXT("tweetmesh.outcome", outcome_of(entry)),
        MESH_SPAN_TEXT("error.type", "dead_letter"), /* the last: left out when all is well */
    };
    mesh_span_record(&(struct mesh_span){
        .name = "archive",
        .kind = MESH_SPAN_CONSUMER,
        .context = *archive,
        .parent = send->span_id,
        .start_us = spans->began_us,
        .end_us = spans->archived_us,
        .error = dead ? "cannot be archived; is in the dead letter topic" : NULL,
        .attributes = attributes,
        .attribute_count = MESH_COUNT_OF(attributes) - (dead ? 0 : 1),
        .links = whole,
        .link_count = 1,
    });
}

static void settle_record(const struct batch_spans *spans, const struct mesh_trace_context *archive,
                          bool settled, int64_t now_us)
{
    static const struct mesh_span_attribute attributes[] = {
        MESH_SPAN_TEXT("db.system.name", "redis"), MESH_SPAN_TEXT("db.operation.name", "FCALL"),
        MESH_SPAN_TEXT("db.stored_procedure.name", "tweetmesh_settle"),
        MESH_SPAN_TEXT("error.type", "UNAVAILABLE"), /* the last: left out when all is well */
    };
    struct mesh_trace_context settle = *archive;

    mesh_span_id_new(settle.span_id);
    mesh_span_record(&(struct mesh_span){
        .name = "settle",
        .kind = MESH_SPAN_CLIENT,
        .context = settle,
        .parent = archive->span_id,
        .start_us = spans->archived_us,
        .end_us = now_us,
        .error = settled ? NULL : "Redis is away; it is settled later",
        .attributes = attributes,
        .attribute_count = MESH_COUNT_OF(attributes) - (settled ? 1 : 0),
    });
}

/* The batch as a whole is a trace of its own: it belongs to all of its records' traces. */
static struct mesh_trace_context whole_new(void)
{
    struct mesh_trace_context whole = {.flags = 0};
    const struct mesh_trace made = mesh_trace_new();

    (void)mesh_trace_read(mesh_bytes_of_text(made.traceparent), &whole);
    whole.flags = MESH_TRACE_SAMPLED;
    return whole;
}

static void whole_record(const struct batch_spans *spans, const struct batch *batch,
                         const struct sampled *sampled, const struct mesh_trace_context *whole,
                         int64_t now_us)
{
    const struct mesh_span_attribute attributes[] = {
        MESH_SPAN_TEXT("messaging.system", "kafka"),
        MESH_SPAN_TEXT("messaging.operation.type", "process"),
        MESH_SPAN_TEXT("messaging.operation.name", "archive"),
        MESH_SPAN_INT("messaging.batch.message_count", batch->count),
    };
    mesh_span_record(&(struct mesh_span){.name = "archive batch",
                                         .kind = MESH_SPAN_CONSUMER,
                                         .context = *whole,
                                         .start_us = spans->began_us,
                                         .end_us = now_us,
                                         .attributes = attributes,
                                         .attribute_count = MESH_COUNT_OF(attributes),
                                         .links = sampled->sends,
                                         .link_count = sampled->count});
}

void batch_spans_record(const struct batch_spans *spans, const struct batch *batch, bool settled)
{
    MESH_UNINITIALIZED struct sampled sampled; /* 5 KiB; `count` says how many are written */

    if (!mesh_spans_enabled()) {
        return;
    }
    sampled_find(batch, &sampled);
    mesh_spans_left_out(sampled.left_out);
    if (sampled.count == 0) {
        return;
    }
    const int64_t now_us = mesh_clock_mono_us();
    const struct mesh_trace_context whole = whole_new();
    whole_record(spans, batch, &sampled, &whole, now_us);
    for (size_t i = 0; i < sampled.count; i++) {
        struct mesh_trace_context archive = sampled.sends[i];
        mesh_span_id_new(archive.span_id);
        archive_record(spans, batch, sampled.entries[i], &sampled.sends[i], &archive, &whole);
        settle_record(spans, &archive, settled, now_us);
    }
}
