/* SPDX-License-Identifier: Apache-2.0 */
#include "request_spans.h"

#include "mesh/alloc.h"
#include "mesh/clock.h"

#include <stdio.h>
#include <string.h>

struct request_spans {
    bool has_parent;
    uint8_t parent[MESH_SPAN_ID_SIZE]; /* of POST */
    struct mesh_trace_context post;
    struct mesh_trace_context publish;
    int64_t submitted_us;
};

struct request_spans *request_spans_new(const char *traceparent, struct mesh_trace *trace)
{
    struct request_spans spans = {0};
    struct mesh_trace_context caller;

    spans.has_parent = mesh_trace_read(mesh_bytes_of_text(traceparent), &caller);
    (void)mesh_trace_read(mesh_bytes_of_text(trace->traceparent), &spans.post); /* is ours */
    const bool sampled = mesh_spans_sample(&spans.post, spans.has_parent);
    if (!sampled) {
        mesh_trace_write(&spans.post, trace); /* the flags */
        return NULL;
    }
    if (spans.has_parent) {
        memcpy(spans.parent, caller.span_id, MESH_SPAN_ID_SIZE);
    }
    spans.publish = spans.post;
    mesh_span_id_new(spans.publish.span_id);
    mesh_trace_write(&spans.publish, trace);
    struct request_spans *kept = mesh_alloc(sizeof(*kept));
    *kept = spans;
    return kept;
}

const struct mesh_trace_context *request_spans_publish(const struct request_spans *spans)
{
    return &spans->publish;
}

void request_spans_submitted(struct request_spans *spans, int64_t now_us)
{
    spans->submitted_us = now_us;
}

/* The worst that became of what was sent: unknown, else not stored. */
static enum mesh_code worst_code(const struct events *events, size_t *out_sent)
{
    enum mesh_code worst = MESH_OK;
    *out_sent = 0;
    for (size_t i = 0; i < events->count; i++) {
        const enum mesh_code code = events->at[i].code;
        if (events_sends(events, i)) {
            *out_sent += 1;
            worst = code == MESH_OK || worst == MESH_DEADLINE_EXCEEDED ? worst : code;
        }
    }
    return worst;
}

void request_spans_outcomes(const struct request_spans *spans, const struct events *events)
{
    size_t sent = 0;
    const enum mesh_code worst = worst_code(events, &sent);
    const char *error = worst == MESH_OK ? NULL : mesh_code_name(worst);
    const struct mesh_span_attribute attributes[] = {
        MESH_SPAN_TEXT("rpc.system", "grpc"),
        MESH_SPAN_TEXT("rpc.service", "tweetmesh.v1.Ingest"),
        MESH_SPAN_TEXT("rpc.method", "PublishStream"),
        MESH_SPAN_INT("rpc.grpc.status_code", worst),
        MESH_SPAN_TEXT("tweetmesh.stream", events->stream->name),
        MESH_SPAN_INT("tweetmesh.event.count", sent),
        MESH_SPAN_TEXT("error.type", error), /* the last: left out when all is well */
    };
    mesh_span_record(&(struct mesh_span){
        .name = "publish",
        .kind = MESH_SPAN_CLIENT,
        .context = spans->publish,
        .parent = spans->post.span_id,
        .start_us = spans->submitted_us,
        .end_us = mesh_clock_mono_us(),
        .error = error,
        .attributes = attributes,
        .attribute_count = MESH_COUNT_OF(attributes) - (error == NULL ? 1 : 0),
    });
}

void request_spans_end(const struct request_spans *spans, const struct mesh_stream *stream,
                       size_t event_count, int status, int64_t started_us)
{
    char name[MESH_SPAN_TEXT_BYTES_MAX];
    char type[16];
    const bool failed = status == 0 || status >= 500;

    (void)snprintf(name, sizeof(name), "POST %s", stream->path);
    (void)snprintf(type, sizeof(type), "%d", status);
    struct mesh_span_attribute attributes[8] = {
        MESH_SPAN_TEXT("http.request.method", "POST"),
        MESH_SPAN_TEXT("http.route", stream->path),
        MESH_SPAN_TEXT("url.path", stream->path),
        MESH_SPAN_TEXT("tweetmesh.stream", stream->name),
        MESH_SPAN_INT("tweetmesh.event.count", event_count),
    };
    size_t count = 5;
    if (status != 0) {
        attributes[count++] = MESH_SPAN_INT("http.response.status_code", status);
    }
    if (failed) {
        attributes[count++] = MESH_SPAN_TEXT("error.type", status == 0 ? "gone" : type);
    }
    mesh_span_record(&(struct mesh_span){
        .name = name,
        .kind = MESH_SPAN_SERVER,
        .context = spans->post,
        .parent = spans->has_parent ? spans->parent : NULL,
        .start_us = started_us,
        .end_us = mesh_clock_mono_us(),
        .error = !failed       ? NULL
                 : status == 0 ? "the client has gone, or was too slow"
                               : "not stored, or unknown",
        .attributes = attributes,
        .attribute_count = count,
    });
}
