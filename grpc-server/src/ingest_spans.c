/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest_spans.h"

#include "mesh/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Sampled events of one trace. */
struct run {
    struct mesh_trace_context ingest;
    uint8_t parent[MESH_SPAN_ID_SIZE];
    bool has_parent;
    size_t first;
    size_t end;
};

struct ingest_spans {
    struct run *runs;
    size_t count;
};

static bool same(const struct mesh_trace *a, const struct mesh_trace *b)
{
    return memcmp(a->traceparent, b->traceparent, MESH_TRACEPARENT_LENGTH) == 0;
}

/* The first event of a run, whose trace is as it came; *out is what is below. */
static struct run run_begin(const struct mesh_trace_context *came, bool has_parent, size_t index)
{
    struct run run = {.ingest = *came, .has_parent = has_parent, .first = index};

    if (has_parent) {
        memcpy(run.parent, came->span_id, MESH_SPAN_ID_SIZE);
        mesh_span_id_new(run.ingest.span_id);
    }
    return run;
}

struct ingest_spans *ingest_spans_begin(struct mesh_arena *arena, struct publication_batch *batch,
                                        const struct mesh_trace *made)
{
    struct ingest_spans *spans = mesh_arena_alloc(arena, sizeof(*spans));
    struct mesh_trace last = {.traceparent = ""}; /* as it came */
    struct mesh_trace_context came = {.flags = 0};
    bool sampled = false;

    *spans = (struct ingest_spans){
        .runs = mesh_arena_alloc(arena, batch->count * sizeof(spans->runs[0]))};
    for (size_t i = 0; i < batch->count; i++) {
        struct publication *publication = &batch->at[i];
        if (!same(&publication->trace, &last)) {
            const bool has_parent = made == NULL || !same(&publication->trace, made);
            last = publication->trace;
            (void)mesh_trace_read(mesh_bytes_of_text(last.traceparent), &came); /* was checked */
            sampled = mesh_spans_sample(&came, has_parent);
            if (sampled) {
                spans->runs[spans->count++] = run_begin(&came, has_parent, i);
            }
        }
        struct mesh_trace_context goes_on = came;
        if (sampled) {
            mesh_span_id_of_send(&came, &publication->id, goes_on.span_id);
            spans->runs[spans->count - 1].end = i + 1;
        }
        mesh_trace_write(&goes_on, &publication->trace);
    }
    return spans->count > 0 ? spans : NULL;
}

static void send_record(const struct run *run, const struct publication *publication,
                        const struct mesh_stream *stream, int64_t start_us, int64_t end_us)
{
    struct mesh_trace_context context = {.flags = 0};
    char name[MESH_SPAN_TEXT_BYTES_MAX];
    char partition[16];
    const char *error = publication->code == MESH_OK ? NULL : mesh_code_name(publication->code);

    (void)mesh_trace_read(mesh_bytes_of_text(publication->trace.traceparent), &context);
    (void)snprintf(name, sizeof(name), "send %s", stream->topic);
    (void)snprintf(partition, sizeof(partition), "%d", publication->partition);
    struct mesh_span_attribute attributes[8] = {
        MESH_SPAN_TEXT("messaging.system", "kafka"),
        MESH_SPAN_TEXT("messaging.operation.type", "send"),
        MESH_SPAN_TEXT("messaging.operation.name", "send"),
        MESH_SPAN_TEXT("messaging.destination.name", stream->topic),
        MESH_SPAN_TEXT("messaging.message.id", publication->id.text),
    };
    size_t count = 5;
    if (error != NULL) {
        attributes[count++] = MESH_SPAN_TEXT("error.type", error);
    } else {
        attributes[count++] = MESH_SPAN_TEXT("messaging.destination.partition.id", partition);
        if (publication->offset >= 0) {
            attributes[count++] = MESH_SPAN_INT("messaging.kafka.offset", publication->offset);
        }
    }
    mesh_span_record(&(struct mesh_span){.name = name,
                                         .kind = MESH_SPAN_PRODUCER,
                                         .context = context,
                                         .parent = run->ingest.span_id,
                                         .start_us = start_us,
                                         .end_us = end_us,
                                         .error = error,
                                         .attributes = attributes,
                                         .attribute_count = count});
}

/* What is worst of a run: unknown, then anything that is not stored. */
static enum mesh_code worst_code(const struct run *run, const struct publication_batch *batch)
{
    enum mesh_code worst = MESH_OK;
    for (size_t i = run->first; i < run->end; i++) {
        const enum mesh_code code = batch->at[i].code;
        worst = code == MESH_OK || worst == MESH_DEADLINE_EXCEEDED ? worst : code;
    }
    return worst;
}

static void ingest_record(const struct run *run, const struct publication_batch *batch,
                          const char *method, int64_t start_us, int64_t end_us)
{
    const enum mesh_code worst = worst_code(run, batch);
    const char *error = worst == MESH_OK ? NULL : mesh_code_name(worst);
    const struct mesh_span_attribute attributes[] = {
        MESH_SPAN_TEXT("rpc.system", "grpc"),
        MESH_SPAN_TEXT("rpc.service", "tweetmesh.v1.Ingest"),
        MESH_SPAN_TEXT("rpc.method", method),
        MESH_SPAN_INT("rpc.grpc.status_code", worst),
        MESH_SPAN_INT("tweetmesh.event.count", run->end - run->first),
        MESH_SPAN_TEXT("error.type", error), /* the last: left out when all is well */
    };
    mesh_span_record(&(struct mesh_span){
        .name = "ingest",
        .kind = MESH_SPAN_SERVER,
        .context = run->ingest,
        .parent = run->has_parent ? run->parent : NULL,
        .start_us = start_us,
        .end_us = end_us,
        .error = error,
        .attributes = attributes,
        .attribute_count = MESH_COUNT_OF(attributes) - (error == NULL ? 1 : 0),
    });
}

void ingest_spans_end(const struct ingest_spans *spans, const struct publication_batch *batch,
                      const struct mesh_streams *streams, const char *method, int64_t began_us)
{
    const int64_t now_us = mesh_clock_mono_us();
    const int64_t sent_us = batch->sent_us > 0 ? batch->sent_us : began_us;

    for (size_t i = 0; i < spans->count; i++) {
        const struct run *run = &spans->runs[i];
        ingest_record(run, batch, method, began_us, now_us);
        for (size_t k = run->first; k < run->end; k++) {
            const struct publication *publication = &batch->at[k];
            if (publication->code != MESH_INVALID_ARGUMENT) { /* else nothing was sent */
                send_record(run, publication, mesh_streams_at(streams, publication->stream),
                            sent_us, now_us);
            }
        }
    }
}
