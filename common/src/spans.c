/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/spans.h"

#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/log.h"
#include "mesh/metrics.h"
#include "random.h"
#include "span_export.h"
#include "span_record.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

/* Between two lines of the log about a collector that is away. */
#define LOG_US INT64_C(60000000)

atomic_bool mesh_spans_on;

static struct spans {
    const struct mesh_spans_config *config;
    struct span_sampler sampler;
    struct span_pairs resource;
    struct span_export *export;
    pthread_t thread;

    pthread_mutex_t lock; /* guards the ring and the flag */
    pthread_cond_t work;
    struct span_record **ring;
    size_t first;
    size_t count;
    bool stopping;

    /* the thread */
    struct span_record **batch;
    struct mesh_buffer request;
    int64_t logged_us; /* 0: never */

    struct mesh_metric *sent;
    struct mesh_metric *queue_full;
    struct mesh_metric *failed;
    struct mesh_metric *rejected;
    struct mesh_metric *left_out;
} *spans; /* NULL: off */

/* ---- from any thread ---- */

bool mesh_spans_sample(struct mesh_trace_context *context, bool has_parent)
{
    const bool taken = span_sampler_takes(&spans->sampler, context, has_parent);
    context->flags = (uint8_t)(taken ? context->flags | MESH_TRACE_SAMPLED
                                     : context->flags & ~MESH_TRACE_SAMPLED);
    return taken;
}

void mesh_span_id_new(uint8_t out[static MESH_SPAN_ID_SIZE])
{
    mesh_random(out, MESH_SPAN_ID_SIZE);
    out[0] |= 1; /* not all zero */
}

void mesh_span_id_of_send(const struct mesh_trace_context *publish, const struct mesh_id *event,
                          uint8_t out[static MESH_SPAN_ID_SIZE])
{
    uint8_t text[MESH_SPAN_ID_SIZE + MESH_ID_LENGTH];
    XXH64_canonical_t hash;

    memcpy(text, publish->span_id, MESH_SPAN_ID_SIZE);
    memcpy(text + MESH_SPAN_ID_SIZE, event->text, MESH_ID_LENGTH);
    XXH64_canonicalFromHash(&hash, XXH3_64bits(text, sizeof(text)));
    memcpy(out, hash.digest, MESH_SPAN_ID_SIZE);
    out[0] |= 1;
}

static int64_t wall_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 - mesh_clock_mono_us();
}

void mesh_span_record(const struct mesh_span *span)
{
    if (!mesh_spans_enabled()) {
        return;
    }
    struct span_record *record = span_record_new(span, wall_us());
    (void)pthread_mutex_lock(&spans->lock);
    const bool fits = spans->count < spans->config->queue_len_max;
    if (fits) {
        spans->ring[(spans->first + spans->count) % spans->config->queue_len_max] = record;
        spans->count++;
        if (spans->count == 1 || spans->count == spans->config->batch_len_max) {
            (void)pthread_cond_signal(&spans->work);
        }
    }
    (void)pthread_mutex_unlock(&spans->lock);
    if (!fits) {
        free(record);
        mesh_metric_add(spans->queue_full, 1);
    }
}

void mesh_spans_left_out(size_t count)
{
    if (count > 0 && mesh_spans_enabled()) {
        mesh_metric_add(spans->left_out, count);
    }
}

/* ---- the thread ---- */

static void wait_until(int64_t until_us)
{
    const struct timespec until = {.tv_sec = until_us / 1000000,
                                   .tv_nsec = until_us % 1000000 * 1000};
    (void)pthread_cond_timedwait(&spans->work, &spans->lock, &until);
}

/* Waits for the first span, then for a whole batch or the delay; 0: the end. Past the end's time
 * sending fails at once, so all that is left is counted. */
static size_t batch_take(void)
{
    (void)pthread_mutex_lock(&spans->lock);
    while (spans->count == 0 && !spans->stopping) {
        (void)pthread_cond_wait(&spans->work, &spans->lock);
    }
    const int64_t until_us = mesh_clock_mono_us() + (int64_t)spans->config->delay_ms * 1000;
    while (spans->count < spans->config->batch_len_max && !spans->stopping &&
           mesh_clock_mono_us() < until_us) {
        wait_until(until_us);
    }
    size_t count = 0;
    while (spans->count > 0 && count < spans->config->batch_len_max) {
        spans->batch[count++] = spans->ring[spans->first];
        spans->first = (spans->first + 1) % spans->config->queue_len_max;
        spans->count--;
    }
    (void)pthread_mutex_unlock(&spans->lock);
    return count;
}

static void log_failure(const struct mesh_error *err)
{
    const int64_t now_us = mesh_clock_mono_us();
    if (spans->logged_us == 0 || now_us - spans->logged_us > LOG_US) {
        spans->logged_us = now_us;
        mesh_log_warn("spans_dropped", err);
    }
}

static void batch_send(size_t count)
{
    struct mesh_error err = {0};
    uint64_t rejected = 0;

    mesh_buffer_reset(&spans->request);
    span_encode(&spans->resource, spans->batch, count, &spans->request);
    for (size_t i = 0; i < count; i++) {
        free(spans->batch[i]);
    }
    if (!span_export_send(spans->export, mesh_buffer_bytes(&spans->request), count, &rejected,
                          &err)) {
        mesh_metric_add(spans->failed, count);
        log_failure(&err);
        return;
    }
    mesh_metric_add(spans->sent, count - rejected);
    mesh_metric_add(spans->rejected, rejected);
}

static void *run(void *arg)
{
    size_t count = 0;
    (void)arg;
    while ((count = batch_take()) > 0) {
        batch_send(count);
        if (count < spans->config->batch_len_max) {
            mesh_buffer_done(&spans->request); /* after a burst it was large */
        }
    }
    return NULL;
}

/* ---- life ---- */

static void resource_fill(const char *program)
{
    const struct mesh_id instance = mesh_id_new(mesh_clock_wall_ms());
    struct span_pairs read;

    if (spans->config->service_name[0] != '\0') {
        span_pairs_add(&spans->resource, "service.name", spans->config->service_name);
    }
    (void)span_pairs_read(spans->config->resource_attributes, &read); /* checked */
    for (size_t i = 0; i < read.count; i++) {
        span_pairs_add(&spans->resource, read.at[i].name, read.at[i].value);
    }
    span_pairs_done(&read);
    span_pairs_add(&spans->resource, "service.name", program);
    span_pairs_add(&spans->resource, "service.namespace", "tweetmesh");
    span_pairs_add(&spans->resource, "service.version", MESH_VERSION);
    span_pairs_add(&spans->resource, "service.instance.id", instance.text);
    span_pairs_add(&spans->resource, "telemetry.sdk.name", "tweetmesh");
    span_pairs_add(&spans->resource, "telemetry.sdk.language", "c");
    span_pairs_add(&spans->resource, "telemetry.sdk.version", MESH_VERSION);
}

static struct mesh_metric *dropped(const char *labels)
{
    return mesh_counter("tweetmesh_spans_dropped_total", labels,
                        "Spans that never reached the collector, by why.");
}

static void metrics_make(void)
{
    spans->sent =
        mesh_counter("tweetmesh_spans_exported_total", NULL, "Spans that the collector took.");
    spans->queue_full = dropped("reason=\"queue_full\"");
    spans->failed = dropped("reason=\"not_sent\"");
    spans->rejected = dropped("reason=\"rejected\"");
    spans->left_out = dropped("reason=\"batch_limit\"");
}

static void locks_make(void)
{
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&spans->work, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    (void)pthread_mutex_init(&spans->lock, NULL);
}

static void spans_free(void)
{
    for (size_t i = 0; i < spans->count; i++) {
        free(spans->ring[(spans->first + i) % spans->config->queue_len_max]);
    }
    span_export_free(spans->export);
    span_pairs_done(&spans->resource);
    mesh_buffer_done(&spans->request);
    (void)pthread_cond_destroy(&spans->work);
    (void)pthread_mutex_destroy(&spans->lock);
    free((void *)spans->ring);
    free((void *)spans->batch);
    free(spans);
    spans = NULL;
}

bool mesh_spans_start(const struct mesh_spans_config *config, const char *program,
                      struct mesh_error *err)
{
    char *url = span_endpoint(config);
    if (url == NULL) {
        return true;
    }
    assert(spans == NULL);
    spans = mesh_new(struct spans);
    spans->config = config;
    (void)span_sampler_read(config->sampler, config->sampler_arg, &spans->sampler); /* checked */
    resource_fill(program);
    metrics_make();
    locks_make();
    spans->ring = mesh_new_array(struct span_record *, config->queue_len_max);
    spans->batch = mesh_new_array(struct span_record *, config->batch_len_max);
    spans->export = span_export_new(config, url, err);
    free(url);
    if (spans->export == NULL) {
        spans_free();
        return false;
    }
    if (pthread_create(&spans->thread, NULL, run, NULL) != 0) {
        spans_free();
        return mesh_fail(err, MESH_RESOURCE_EXHAUSTED, "cannot start the thread for spans");
    }
    (void)pthread_setname_np(spans->thread, "spans");
    atomic_store(&mesh_spans_on, true);
    mesh_log(MESH_LOG_INFO, "spans_on", MESH_LOG_TEXT("sampler", config->sampler),
             MESH_LOG_TEXT("sampler_arg", config->sampler_arg));
    return true;
}

void mesh_spans_stop(uint32_t flush_ms)
{
    if (spans == NULL) {
        return;
    }
    atomic_store(&mesh_spans_on, false);
    span_export_hurry(spans->export, mesh_clock_mono_us() + (int64_t)flush_ms * 1000);
    (void)pthread_mutex_lock(&spans->lock);
    spans->stopping = true;
    (void)pthread_cond_signal(&spans->work);
    (void)pthread_mutex_unlock(&spans->lock);
    (void)pthread_join(spans->thread, NULL);
    mesh_log(MESH_LOG_INFO, "spans_off", MESH_LOG_INT("sent", mesh_metric_value(spans->sent)),
             MESH_LOG_INT("queue_full", mesh_metric_value(spans->queue_full)),
             MESH_LOG_INT("not_sent", mesh_metric_value(spans->failed)),
             MESH_LOG_INT("rejected", mesh_metric_value(spans->rejected)));
    spans_free();
}
