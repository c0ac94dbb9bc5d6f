/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest.h"

#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/failpoint.h"
#include "mesh/metrics.h"
#include "request.h"

#include <stdlib.h>

/* Codes that an event can end with; anything else is counted as INTERNAL. */
static const enum mesh_code counted_codes[] = {
    MESH_OK,          MESH_INVALID_ARGUMENT, MESH_DEADLINE_EXCEEDED, MESH_RESOURCE_EXHAUSTED,
    MESH_UNAVAILABLE, MESH_INTERNAL};

enum { CODE_COUNT = MESH_COUNT_OF(counted_codes) };

struct event_metrics {
    struct mesh_metric *by_code[CODE_COUNT];
};

struct method_metrics {
    const char *method;
    struct mesh_metric *answered; /* code OK */
    struct mesh_metric *refused;  /* code INVALID_ARGUMENT, the message as a whole */
    struct mesh_metric *seconds;
};

struct ingest {
    const struct mesh_streams *streams;
    struct publisher *publisher;
    size_t stream_count;
    struct event_metrics *events; /* one a stream, and a last one for undeclared streams */
    struct method_metrics unary;
    struct method_metrics stream;
    struct mesh_metric *batch_events;
};

/* A request that somebody waits for. */
struct publishing {
    struct ingest *ingest;
    const struct method_metrics *metrics;
    struct call *call;
    struct request *request;
    int64_t began_us;
};

static size_t code_index(enum mesh_code code)
{
    for (size_t i = 0; i < CODE_COUNT; i++) {
        if (counted_codes[i] == code) {
            return i;
        }
    }
    return CODE_COUNT - 1;
}

static void events_count(const struct ingest *ingest, const struct publication_batch *batch)
{
    size_t run = 0;

    for (size_t i = 0; i < batch->count; i += run) {
        const struct publication *first = &batch->at[i];
        const struct event_metrics *metrics =
            &ingest->events[first->stream < ingest->stream_count ? first->stream
                                                                 : ingest->stream_count];
        /* Mostly all share stream and code, and are counted in one go. */
        for (run = 1; i + run < batch->count && first[run].stream == first->stream &&
                      first[run].code == first->code;
             run++) {
        }
        mesh_metric_add(metrics->by_code[code_index(first->code)], run);
    }
}

/* A publication_done_fn: all codes are final. */
static void publishing_done(void *arg)
{
    struct publishing *publishing = arg;
    struct request *request = publishing->request;

    MESH_FAILPOINT("grpc_server_delivered_before_reply");
    events_count(publishing->ingest, request_batch(request));
    grpc_slice reply = grpc_slice_malloc(request_reply_size(request));
    request_reply_write(request, GRPC_SLICE_START_PTR(reply));
    mesh_metric_add(publishing->metrics->answered, 1);
    mesh_metric_observe_us(publishing->metrics->seconds,
                           mesh_clock_mono_us() - publishing->began_us);
    call_reply(publishing->call, reply);
    MESH_FAILPOINT("grpc_server_after_reply");
    request_replied(request, publishing->metrics->method, publishing->began_us);
    request_free(request);
    free(publishing);
}

static void publish(struct ingest *ingest, const struct method_metrics *metrics, struct call *call,
                    struct mesh_bytes message)
{
    struct mesh_error err = {0};
    int64_t began_us = mesh_clock_mono_us();
    struct request *request = request_new(ingest->streams, message, &err);

    if (request == NULL) {
        mesh_metric_add(metrics->refused, 1);
        call_fail(call, err.code, err.text);
        return;
    }
    struct publication_batch *batch = request_batch(request);
    struct publishing *publishing = mesh_new(struct publishing);
    *publishing = (struct publishing){.ingest = ingest,
                                      .metrics = metrics,
                                      .call = call,
                                      .request = request,
                                      .began_us = began_us};
    batch->done = publishing_done;
    batch->arg = publishing;
    mesh_metric_observe(ingest->batch_events, batch->count);
    request_check(request, mesh_clock_wall_ms());
    MESH_FAILPOINT("grpc_server_before_produce");
    if (!publisher_send(ingest->publisher, batch)) {
        publishing_done(publishing);
    }
    MESH_FAILPOINT("grpc_server_after_produce");
}

static void on_unary(void *arg, struct call *call, struct mesh_bytes message)
{
    struct ingest *ingest = arg;

    publish(ingest, &ingest->unary, call, message);
}

static void on_stream(void *arg, struct call *call, struct mesh_bytes message)
{
    struct ingest *ingest = arg;

    publish(ingest, &ingest->stream, call, message);
}

static struct event_metrics event_metrics_of(const char *stream)
{
    struct event_metrics metrics;

    for (size_t i = 0; i < CODE_COUNT; i++) {
        char *labels =
            mesh_format("stream=\"%s\",code=\"%s\"", stream, mesh_code_name(counted_codes[i]));
        metrics.by_code[i] =
            mesh_counter("tweetmesh_events_total", labels, "Events by what became of them.");
        free(labels);
    }
    return metrics;
}

static struct method_metrics method_metrics_of(const char *method)
{
    struct method_metrics metrics = {.method = method};
    static const char requests[] = "tweetmesh_grpc_requests_total";
    static const char help[] = "Messages of the Ingest service by how they were answered.";
    char *ok = mesh_format("method=\"%s\",code=\"OK\"", method);
    char *invalid = mesh_format("method=\"%s\",code=\"INVALID_ARGUMENT\"", method);
    char *label = mesh_format("method=\"%s\"", method);

    metrics.answered = mesh_counter(requests, ok, help);
    metrics.refused = mesh_counter(requests, invalid, help);
    metrics.seconds = mesh_histogram_seconds("tweetmesh_grpc_request_seconds", label,
                                             "From a message's arrival to its reply.");
    free(ok);
    free(invalid);
    free(label);
    return metrics;
}

struct ingest *ingest_new(const struct mesh_streams *streams, struct publisher *publisher)
{
    struct ingest *ingest = mesh_new(struct ingest);

    ingest->streams = streams;
    ingest->publisher = publisher;
    ingest->stream_count = mesh_streams_count(streams);
    ingest->events = mesh_new_array(struct event_metrics, ingest->stream_count + 1);
    for (size_t i = 0; i < ingest->stream_count; i++) {
        ingest->events[i] = event_metrics_of(mesh_streams_at(streams, i)->name);
    }
    ingest->events[ingest->stream_count] = event_metrics_of("");
    ingest->unary = method_metrics_of("Publish");
    ingest->stream = method_metrics_of("PublishStream");
    ingest->batch_events = mesh_histogram_count("tweetmesh_publish_batch_events", NULL,
                                                "Events in a message of the Ingest service.");
    return ingest;
}

void ingest_methods(struct ingest *ingest, struct method out[static INGEST_METHOD_COUNT])
{
    out[0] = (struct method){.path = "/tweetmesh.v1.Ingest/Publish",
                             .kind = METHOD_UNARY,
                             .arg = ingest,
                             .message = on_unary};
    out[1] = (struct method){.path = "/tweetmesh.v1.Ingest/PublishStream",
                             .kind = METHOD_BIDI,
                             .arg = ingest,
                             .message = on_stream};
}

void ingest_free(struct ingest *ingest)
{
    if (ingest == NULL) {
        return;
    }
    free(ingest->events);
    free(ingest);
}
