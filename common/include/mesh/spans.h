/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spans: what took how long, sent to an OpenTelemetry collector (OTLP over HTTP, protobuf).
 *
 * Off unless an endpoint is configured: then there is no thread and no memory, and whoever might
 * have a span asks mesh_spans_enabled() once a request. On: recording copies a span into a bounded
 * queue; a thread sends batches. Nothing here ever waits for the collector but that thread, and
 * what does not fit, or cannot be sent, is dropped and counted. docs/tracing.md shows the tree.
 * Threads: recording, ids and sampling from any; start and stop from main().
 */
#ifndef MESH_SPANS_H
#define MESH_SPANS_H

#include "mesh/bytes.h"
#include "mesh/config.h"
#include "mesh/error.h"
#include "mesh/id.h"
#include "mesh/trace.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESH_SPAN_ATTRIBUTES_MAX 16
#define MESH_SPAN_LINKS_MAX 128      /* further ones are counted in the span, not sent */
#define MESH_SPAN_TEXT_BYTES_MAX 255 /* of a name, value or message; longer ones are cut */

/* Settings under OpenTelemetry's names (https://opentelemetry.io/docs/specs/otel/configuration/).
 * A program's config has one of these, and MESH_SPANS_OPTIONS in its table. */
struct mesh_spans_config {
    char *endpoint;
    char *traces_endpoint;
    char *headers;
    uint64_t timeout_ms;
    char *sampler;
    char *sampler_arg;
    char *service_name;
    char *resource_attributes;
    uint64_t batch_len_max;
    uint64_t queue_len_max;
    uint64_t delay_ms;
    uint64_t export_ms_max;
    bool disabled;
};

/* clang-format off */
/* Rows of a table of struct mesh_option; `at`: offset of the struct mesh_spans_config. */
#define MESH_SPANS_OPTIONS(at)                                                                     \
    {"OTEL_BSP_EXPORT_TIMEOUT", MESH_UINT, (at) + offsetof(struct mesh_spans_config, export_ms_max),\
     "30000", 1, 600000,                                                                           \
     "How long a batch of spans may take to be sent, retries included, in milliseconds; then it is dropped."}, \
    {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", MESH_UINT,                                                  \
     (at) + offsetof(struct mesh_spans_config, batch_len_max), "512", 1, 512,                      \
     "Spans sent at once; at most OTEL_BSP_MAX_QUEUE_SIZE."},                                      \
    {"OTEL_BSP_MAX_QUEUE_SIZE", MESH_UINT, (at) + offsetof(struct mesh_spans_config, queue_len_max),\
     "2048", 1, 65536, "Spans waiting to be sent; further ones are dropped."},                     \
    {"OTEL_BSP_SCHEDULE_DELAY", MESH_UINT, (at) + offsetof(struct mesh_spans_config, delay_ms),    \
     "5000", 1, 600000, "How long spans wait for others to go with, in milliseconds."},            \
    {"OTEL_EXPORTER_OTLP_ENDPOINT", MESH_TEXT, (at) + offsetof(struct mesh_spans_config, endpoint),\
     "", 0, 2048,                                                                                  \
     "Base URL of an OpenTelemetry collector (OTLP/HTTP); spans go to its /v1/traces. Without one there are none."}, \
    {"OTEL_EXPORTER_OTLP_HEADERS", MESH_SECRET, (at) + offsetof(struct mesh_spans_config, headers),\
     "", 0, 4096, "Headers for the collector: name=value, comma-separated, values percent-encoded."}, \
    {"OTEL_EXPORTER_OTLP_TIMEOUT", MESH_UINT, (at) + offsetof(struct mesh_spans_config, timeout_ms),\
     "10000", 1, 600000, "How long the collector may take for one answer, in milliseconds."},      \
    {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", MESH_TEXT,                                              \
     (at) + offsetof(struct mesh_spans_config, traces_endpoint), "", 0, 2048,                      \
     "URL that spans are sent to as it is, in place of OTEL_EXPORTER_OTLP_ENDPOINT."},             \
    {"OTEL_RESOURCE_ATTRIBUTES", MESH_TEXT,                                                        \
     (at) + offsetof(struct mesh_spans_config, resource_attributes), "", 0, 4096,                  \
     "What all spans say of this process: key=value, comma-separated, values percent-encoded."},   \
    {"OTEL_SDK_DISABLED", MESH_BOOL, (at) + offsetof(struct mesh_spans_config, disabled), "false", \
     0, 0, "true: no spans, whatever the others say."},                                            \
    {"OTEL_SERVICE_NAME", MESH_TEXT, (at) + offsetof(struct mesh_spans_config, service_name), "",  \
     0, 255, "service.name of the spans, if it is not to be the program's name."},                 \
    {"OTEL_TRACES_SAMPLER", MESH_TEXT, (at) + offsetof(struct mesh_spans_config, sampler),         \
     "parentbased_always_on", 1, 64,                                                               \
     "Which traces have spans: always_on, always_off, traceidratio, or parentbased_ and one of these."}, \
    {"OTEL_TRACES_SAMPLER_ARG", MESH_TEXT, (at) + offsetof(struct mesh_spans_config, sampler_arg), \
     "", 0, 32, "For traceidratio: the share of the traces, 0 to 1; empty: all."}
/* clang-format on */

/* Adds a line for each setting that is wrong or contradicts another. */
void mesh_spans_check(const struct mesh_spans_config *config, struct mesh_buffer *problems);

/* Starts the thread, unless nothing is configured, which is fine, too. `config` (checked) must
 * live until mesh_spans_stop(); `program` is kept. False, with *err filled in: no thread. */
MESH_MUST_CHECK
bool mesh_spans_start(const struct mesh_spans_config *config, const char *program,
                      struct mesh_error *err);
#define MESH_SPANS_FLUSH_MS 1000 /* what programs give it at their end */
/* Sends what waits for at most flush_ms, drops the rest, and ends the thread. Nobody may record any
 * more. Also when it was never started. */
void mesh_spans_stop(uint32_t flush_ms);

extern atomic_bool mesh_spans_on;

/* Whether spans are recorded at all. */
static inline bool mesh_spans_enabled(void)
{
    return __builtin_expect(atomic_load_explicit(&mesh_spans_on, memory_order_relaxed), 0);
}

/* Decides by the configured sampler whether a trace that comes in (has_parent) or begins here has
 * spans, and says so in its flags. Only while enabled. */
bool mesh_spans_sample(struct mesh_trace_context *context, bool has_parent);

void mesh_span_id_new(uint8_t out[static MESH_SPAN_ID_SIZE]);
/* The id of the span that sends an event to Kafka: api, which tells ws-redis of it, and
 * grpc-server, which sends it, come to the same without asking each other. `publish`: the span
 * above. */
void mesh_span_id_of_send(const struct mesh_trace_context *publish, const struct mesh_id *event,
                          uint8_t out[static MESH_SPAN_ID_SIZE]);

/* The numbers are OTLP's. */
enum mesh_span_kind {
    MESH_SPAN_INTERNAL = 1,
    MESH_SPAN_SERVER,
    MESH_SPAN_CLIENT,
    MESH_SPAN_PRODUCER,
    MESH_SPAN_CONSUMER,
};

struct mesh_span_attribute {
    const char *key;  /* a constant: kept */
    const char *text; /* copied; NULL: the number */
    int64_t number;
};

#define MESH_SPAN_TEXT(name, value) ((struct mesh_span_attribute){.key = (name), .text = (value)})
#define MESH_SPAN_INT(name, value)                                                                 \
    ((struct mesh_span_attribute){.key = (name), .number = (int64_t)(value)})

/* A span that has ended. Everything is copied, but for the keys. */
struct mesh_span {
    const char *name; /* never text of users; likewise the values */
    enum mesh_span_kind kind;
    struct mesh_trace_context context; /* its own id */
    const uint8_t *parent;             /* MESH_SPAN_ID_SIZE bytes; NULL: it is the root */
    int64_t start_us;                  /* mesh_clock_mono_us() */
    int64_t end_us;
    const char *error; /* NULL: nothing went wrong */
    const struct mesh_span_attribute *attributes;
    size_t attribute_count; /* up to MESH_SPAN_ATTRIBUTES_MAX */
    const struct mesh_trace_context *links;
    size_t link_count;
};

/* Queues it, or drops it when the queue is full. Never blocks for longer than a copy. Nothing while
 * not enabled. */
void mesh_span_record(const struct mesh_span *span);
/* `count` spans were left out because a batch had more than is allowed. */
void mesh_spans_left_out(size_t count);

#endif
