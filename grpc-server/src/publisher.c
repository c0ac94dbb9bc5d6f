/* SPDX-License-Identifier: Apache-2.0 */
#include "publisher.h"

#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/log.h"
#include "mesh/metrics.h"
#include "offsets.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum {
    LOOK_MS_MAX = 2000,        /* how long a look waits for a broker's answer */
    LOOK_EVERY_MS = 3000,      /* while all is well */
    LOOK_AGAIN_MS = 100,       /* while nobody answers: a look itself waits for a connection */
    DOWN_US = 2000000,         /* without a sign of life for so long: refuse */
    METADATA_US_MAX = 30000000 /* older knowledge of the topics makes us not ready */
};

struct stream_metrics {
    struct mesh_metric *produce_seconds;
};

struct publisher {
    struct publisher_options options;
    struct offsets *offsets;
    size_t stream_count;
    struct stream_metrics *metrics; /* one a stream */
    struct mesh_metric *queue_len;
    struct mesh_metric *queue_full;
    struct mesh_metric *refused_down;
    struct mesh_metric *restarts;
    struct mesh_metric *producer_up;

    pthread_rwlock_t producer_lock; /* guards the pointer; readers use the producer under it */
    struct producer *producer;

    atomic_bool up;              /* brokers answer */
    atomic_bool *topic_ready;    /* one a stream */
    _Atomic int64_t looked_us;   /* the last answer about the topics; 0: none yet */
    _Atomic int64_t reported_us; /* the last delivery that succeeded */

    int64_t failing_since_us; /* the watching thread's: first look in vain, 0: none */

    pthread_mutex_t watch_mutex; /* guards the two flags */
    pthread_cond_t watch_wake;
    bool troubled;
    bool stopping;
    pthread_t watch;
    bool watch_runs;
};

/* Returns whether one of them was stored. */
static bool offsets_check(struct offsets *offsets, struct publication *const *publications,
                          size_t count)
{
    bool stored = false;

    offsets_lock(offsets);
    for (size_t i = 0; i < count; i++) {
        struct publication *publication = publications[i];
        if (publication->code == MESH_OK) {
            publication->offset = offsets_believe(offsets, publication->stream,
                                                  publication->partition, publication->offset);
            stored = true;
        }
    }
    offsets_unlock(offsets);
    return stored;
}

static void batch_settle(struct publication_batch *batch, size_t count)
{
    batch->pending -= count;
    if (batch->pending == 0) {
        batch->done(batch->arg); /* which frees the batch with its publications */
    }
}

static void on_handed_over(void *arg, struct publication_batch *batch)
{
    (void)arg;
    batch_settle(batch, 1);
}

static void on_reported(void *arg, struct publication *const *publications, size_t count,
                        int64_t at_us)
{
    struct publisher *publisher = arg;
    const struct publication *first = publications[0];

    if (offsets_check(publisher->offsets, publications, count)) {
        atomic_store_explicit(&publisher->reported_us, at_us, memory_order_relaxed);
    }
    if (first->code == MESH_RESOURCE_EXHAUSTED) { /* reported one by one */
        mesh_metric_add(publisher->queue_full, count);
    }
    mesh_metric_observe_us_times(publisher->metrics[first->stream].produce_seconds,
                                 at_us - first->batch->sent_us, count);
    batch_settle(first->batch, count);
}

static void watch_wake(struct publisher *publisher, bool stop)
{
    pthread_mutex_lock(&publisher->watch_mutex);
    publisher->troubled = true;
    publisher->stopping = publisher->stopping || stop;
    pthread_cond_signal(&publisher->watch_wake);
    pthread_mutex_unlock(&publisher->watch_mutex);
}

static void on_troubled(void *arg)
{
    watch_wake(arg, false);
}

static struct producer *producer_make(struct publisher *publisher, struct mesh_error *err)
{
    const struct publisher_options *options = &publisher->options;

    return producer_new(
        &(struct producer_options){
            .brokers = options->brokers,
            .compression = options->compression,
            .streams = options->streams,
            .delivery_ms_max = options->delivery_ms_max,
            .queue_len_max = options->queue_len_max,
            .queue_kb_max = options->queue_kb_max,
            .linger_us = options->linger_us,
            .events = {.reported = on_reported,
                       .handed_over = on_handed_over,
                       .troubled = on_troubled,
                       .arg = publisher},
        },
        err);
}

/* Puts a new producer in the place of one that is fatally wrong. What the old one still holds is
 * reported as failed while it ends, on its own thread. */
static void producer_replace(struct publisher *publisher)
{
    struct mesh_error err = {0};
    struct producer *new = producer_make(publisher, &err);

    if (new == NULL) {
        mesh_log_error("producer_not_replaced", &err); /* tried again at the next look */
        return;
    }
    pthread_rwlock_wrlock(&publisher->producer_lock);
    struct producer *old = publisher->producer;
    publisher->producer = new;
    pthread_rwlock_unlock(&publisher->producer_lock);
    mesh_metric_add(publisher->restarts, 1);
    producer_free(old, 0);
    mesh_log(MESH_LOG_WARN, "producer_replaced",
             MESH_LOG_INT("restarts", mesh_metric_value(publisher->restarts)));
}

static void up_set(struct publisher *publisher, bool up, const struct mesh_error *err)
{
    if (atomic_exchange(&publisher->up, up) == up) {
        return;
    }
    mesh_metric_set(publisher->producer_up, up);
    if (up) {
        mesh_log(MESH_LOG_INFO, "kafka_back", MESH_LOG_TEXT("brokers", publisher->options.brokers));
    } else {
        mesh_log_warn("kafka_away", err);
    }
}

static void topics_set(struct publisher *publisher, const bool *ready)
{
    for (size_t i = 0; i < publisher->stream_count; i++) {
        if (atomic_exchange(&publisher->topic_ready[i], ready[i]) != ready[i]) {
            mesh_log(ready[i] ? MESH_LOG_INFO : MESH_LOG_WARN,
                     ready[i] ? "topic_back" : "topic_missing",
                     MESH_LOG_TEXT("topic", mesh_streams_at(publisher->options.streams, i)->topic));
        }
    }
}

/* One look at the brokers. Returns whether somebody answered. */
static bool look(struct publisher *publisher)
{
    bool ready[MESH_STREAM_COUNT_MAX];
    struct mesh_error err = {0};
    int64_t began_us = mesh_clock_mono_us();

    /* Only this thread replaces the producer, so it may use it without the lock. */
    if (producer_look(publisher->producer, LOOK_MS_MAX, ready, &err)) {
        topics_set(publisher, ready);
        atomic_store(&publisher->looked_us, mesh_clock_mono_us());
        publisher->failing_since_us = 0;
        up_set(publisher, true, NULL);
        return true;
    }
    if (publisher->failing_since_us == 0) {
        publisher->failing_since_us = began_us;
    }
    /* A delivery meanwhile is a sign of life, however slow the look. */
    int64_t reported_us = atomic_load(&publisher->reported_us);
    int64_t since_us =
        reported_us > publisher->failing_since_us ? reported_us : publisher->failing_since_us;
    if (mesh_clock_mono_us() - since_us >= DOWN_US) {
        up_set(publisher, false, &err);
    }
    return false;
}

/* Waits wait_ms, or until there is trouble. False: time to end. */
static bool watch_wait(struct publisher *publisher, uint32_t wait_ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    until.tv_sec += (time_t)(wait_ms / 1000) + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&publisher->watch_mutex);
    while (!publisher->troubled && !publisher->stopping) {
        if (pthread_cond_timedwait(&publisher->watch_wake, &publisher->watch_mutex, &until) != 0) {
            break;
        }
    }
    publisher->troubled = false;
    bool go_on = !publisher->stopping;
    pthread_mutex_unlock(&publisher->watch_mutex);
    return go_on;
}

static void *watch_run(void *arg)
{
    struct publisher *publisher = arg;
    bool answered = false;

    do {
        if (producer_is_fatal(publisher->producer)) {
            producer_replace(publisher);
        }
        answered = look(publisher);
        mesh_metric_set(publisher->queue_len, (int64_t)producer_len(publisher->producer));
    } while (watch_wait(publisher, answered ? LOOK_EVERY_MS : LOOK_AGAIN_MS));
    return NULL;
}

static void metrics_make(struct publisher *publisher)
{
    publisher->metrics = mesh_new_array(struct stream_metrics, publisher->stream_count);
    for (size_t i = 0; i < publisher->stream_count; i++) {
        const char *stream = mesh_streams_at(publisher->options.streams, i)->name;
        char *labels = mesh_format("stream=\"%s\"", stream);
        publisher->metrics[i].produce_seconds =
            mesh_histogram_seconds("tweetmesh_kafka_produce_seconds", labels,
                                   "From taking an event for Kafka to its delivery report.");
        free(labels);
    }
    publisher->queue_len = mesh_gauge("tweetmesh_producer_queue_events", NULL,
                                      "Events without a delivery report, sampled.");
    publisher->queue_full =
        mesh_counter("tweetmesh_limit_reached_total", "limit=\"producer_queue\"",
                     "How often a configured limit refused or held something back.");
    publisher->refused_down =
        mesh_counter("tweetmesh_events_refused_total", "reason=\"kafka_away\"",
                     "Events refused at once because brokers or the topic were away.");
    publisher->restarts = mesh_counter("tweetmesh_producer_restarts_total", NULL,
                                       "Producers replaced after a fatal error.");
    publisher->producer_up =
        mesh_gauge("tweetmesh_producer_up", NULL, "1 while brokers answer, else 0.");
}

struct publisher *publisher_new(const struct publisher_options *options, struct mesh_error *err)
{
    struct publisher *publisher = mesh_new(struct publisher);
    pthread_condattr_t monotonic;

    publisher->options = *options;
    publisher->stream_count = mesh_streams_count(options->streams);
    publisher->offsets = offsets_new(publisher->stream_count);
    publisher->topic_ready = mesh_new_array(atomic_bool, publisher->stream_count);
    metrics_make(publisher);
    pthread_rwlock_init(&publisher->producer_lock, NULL);
    pthread_mutex_init(&publisher->watch_mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&publisher->watch_wake, &monotonic);
    pthread_condattr_destroy(&monotonic);

    publisher->producer = producer_make(publisher, err);
    if (publisher->producer == NULL) {
        goto fail;
    }
    if (pthread_create(&publisher->watch, NULL, watch_run, publisher) != 0) {
        mesh_fail(err, MESH_RESOURCE_EXHAUSTED, "cannot start the thread that watches Kafka");
        goto fail;
    }
    publisher->watch_runs = true;
    return publisher;

fail:
    publisher_free(publisher, 0);
    return NULL;
}

/* Refuses what is to be sent and cannot be. Returns how many events are left to send. */
static size_t batch_check(struct publisher *publisher, struct publication_batch *batch)
{
    bool up = atomic_load_explicit(&publisher->up, memory_order_relaxed);
    size_t left = 0;
    size_t refused = 0;

    for (size_t i = 0; i < batch->count; i++) {
        struct publication *publication = &batch->at[i];
        publication->batch = batch;
        publication->partition = -1;
        publication->offset = -1;
        if (publication->code != MESH_OK) {
            continue;
        }
        if (up && atomic_load_explicit(&publisher->topic_ready[publication->stream],
                                       memory_order_relaxed)) {
            left++;
        } else {
            publication->code = MESH_UNAVAILABLE;
            refused++;
        }
    }
    mesh_metric_add(publisher->refused_down, refused);
    return left;
}

bool publisher_send(struct publisher *publisher, struct publication_batch *batch)
{
    size_t left = batch_check(publisher, batch);

    if (left == 0) {
        return false;
    }
    /* One more than there are events, so that those refused on the way cannot finish it. */
    batch->pending = left + 1;
    batch->sent_us = mesh_clock_mono_us();
    pthread_rwlock_rdlock(&publisher->producer_lock);
    bool sent = producer_send(publisher->producer, batch);
    pthread_rwlock_unlock(&publisher->producer_lock);
    if (sent) { /* and perhaps done, so gone */
        return true;
    }
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->at[i].code == MESH_OK) {
            batch->at[i].code = MESH_RESOURCE_EXHAUSTED;
        }
    }
    mesh_metric_add(publisher->queue_full, left);
    return false;
}

static bool topics_all_ready(struct publisher *publisher, struct mesh_buffer *reason)
{
    for (size_t i = 0; i < publisher->stream_count; i++) {
        if (!atomic_load(&publisher->topic_ready[i])) {
            mesh_buffer_add_format(reason, "topic %s is missing",
                                   mesh_streams_at(publisher->options.streams, i)->topic);
            return false;
        }
    }
    return true;
}

static size_t queue_len(struct publisher *publisher)
{
    pthread_rwlock_rdlock(&publisher->producer_lock);
    size_t len = producer_len(publisher->producer);
    pthread_rwlock_unlock(&publisher->producer_lock);
    return len;
}

bool publisher_ready(void *arg, struct mesh_buffer *reason)
{
    struct publisher *publisher = arg;

    if (!atomic_load(&publisher->up)) {
        mesh_buffer_add_text(reason, "no Kafka broker answers");
        return false;
    }
    if (mesh_clock_mono_us() - atomic_load(&publisher->looked_us) > METADATA_US_MAX) {
        mesh_buffer_add_text(reason, "Kafka's metadata is older than 30 s");
        return false;
    }
    if (!topics_all_ready(publisher, reason)) {
        return false;
    }
    if (queue_len(publisher) >= publisher->options.queue_len_max) {
        mesh_buffer_add_text(reason, "the queue to Kafka is full");
        return false;
    }
    return true;
}

void publisher_status(void *arg, struct mesh_buffer *members)
{
    struct publisher *publisher = arg;

    mesh_buffer_add_format(members,
                           "\"kafka\": {\"up\": %s, \"queue_events\": %zu, \"restarts\": %" PRId64
                           "}, \"librdkafka\": \"%s\",",
                           atomic_load(&publisher->up) ? "true" : "false", queue_len(publisher),
                           mesh_metric_value(publisher->restarts), rd_kafka_version_str());
}

struct producer *publisher_producer(struct publisher *publisher)
{
    return publisher->producer;
}

void publisher_free(struct publisher *publisher, uint32_t flush_ms)
{
    if (publisher == NULL) {
        return;
    }
    if (publisher->watch_runs) {
        watch_wake(publisher, true);
        pthread_join(publisher->watch, NULL);
    }
    producer_free(publisher->producer, flush_ms);
    pthread_cond_destroy(&publisher->watch_wake);
    pthread_mutex_destroy(&publisher->watch_mutex);
    pthread_rwlock_destroy(&publisher->producer_lock);
    offsets_free(publisher->offsets);
    free(publisher->topic_ready);
    free(publisher->metrics);
    free(publisher);
}
