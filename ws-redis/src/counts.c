/* SPDX-License-Identifier: Apache-2.0 */
#include "counts.h"

#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/failpoint.h"
#include "mesh/log.h"
#include "mesh/metrics.h"
#include "mesh/spans.h"
#include "redis_calls.h"
#include "windows.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SHOW_US INT64_C(100000)
#define TICK_US INT64_C(1000000) /* when idle: shows what the consumer settled, and is our ping */
#define ANSWER_US_MAX INT64_C(2000000)
#define BACKOFF_US_MIN INT64_C(100000)
#define BACKOFF_US_MAX INT64_C(1000000)

struct counts {
    size_t stream_count;
    struct live *live;
    redis_calls_look_fn *look;
    void *look_arg;
    pthread_t thread;
    bool started;

    /* thread of counts_offer() */
    struct frame_reader *reader;
    struct frame frame;

    /* Redis thread */
    struct redis_calls *calls;
    struct window *batch; /* taken, not yet applied */
    bool *dirty;          /* by stream: applied since the last show */
    bool *all;            /* by stream: true */
    bool any_dirty;
    bool up;
    bool told_away; /* the log knows that Redis is away */
    int64_t shown_us;
    int64_t retry_us; /* no connecting before */
    int64_t backoff_us;

    /* lock guards: */
    pthread_mutex_t lock;
    pthread_cond_t work; /* for the Redis thread */
    pthread_cond_t idle; /* for counts_drain() */
    struct windows *windows;
    bool busy; /* a batch is under way, or its result is not shown yet */
    bool stop;

    atomic_int_fast64_t answered_us; /* when Redis last answered; 0: never */
    struct mesh_metric *frames[FRAME_RESULT_COUNT];
    struct mesh_metric *hint_events;
    struct mesh_metric *queue_full;
    struct mesh_metric *unknown_group;
    struct mesh_metric *queue_len;
};

static void metrics_new(struct counts *counts)
{
    static const char dropped[] = "tweetmesh_hints_dropped_total";
    static const char dropped_help[] = "Events of hints that were not counted at once.";
    static const char *const labels[] = {
#define X(name, label) "result=\"" label "\"",
        FRAME_RESULTS(X)
#undef X
    };

    for (size_t i = 0; i < FRAME_RESULT_COUNT; i++) {
        counts->frames[i] =
            mesh_counter("tweetmesh_frames_total", labels[i], "Frames that came over counts.v1.");
    }
    counts->hint_events =
        mesh_counter("tweetmesh_hint_events_total", NULL, "Events in good frames.");
    counts->queue_full = mesh_counter(dropped, "reason=\"queue_full\"", dropped_help);
    counts->unknown_group = mesh_counter(dropped, "reason=\"unknown_group\"", dropped_help);
    counts->queue_len =
        mesh_gauge("tweetmesh_counts_queue_windows", NULL, "Windows waiting for Redis.");
}

/* ---- the thread of counts_offer() ---- */

enum frame_result counts_offer(struct counts *counts, struct mesh_bytes frame)
{
    const enum frame_result result = frame_read(counts->reader, frame, &counts->frame);

    mesh_metric_add(counts->frames[result], 1);
    if (result != FRAME_GOOD) {
        return result;
    }
    mesh_metric_add(counts->unknown_group, counts->frame.unknown);
    if (counts->frame.events == 0) {
        return result;
    }
    mesh_metric_add(counts->hint_events, counts->frame.events);
    if (!mesh_spans_enabled()) {
        counts->frame.trace_count = 0; /* nobody would look at them */
    }
    (void)pthread_mutex_lock(&counts->lock);
    const bool was_empty = windows_len(counts->windows) == 0;
    const size_t dropped = windows_add(counts->windows, &counts->frame);
    mesh_metric_set(counts->queue_len, (int64_t)windows_len(counts->windows));
    if (was_empty) {
        (void)pthread_cond_signal(&counts->work); /* once a batch */
    }
    (void)pthread_mutex_unlock(&counts->lock);
    mesh_metric_add(counts->queue_full, dropped);
    return result;
}

const struct frame *counts_offered(const struct counts *counts)
{
    return &counts->frame;
}

/* ---- the Redis thread ---- */

static void wait_until(struct counts *counts, pthread_cond_t *cond, int64_t until_us)
{
    const struct timespec until = {
        .tv_sec = until_us / 1000000,
        .tv_nsec = until_us % 1000000 * 1000,
    };
    (void)pthread_cond_timedwait(cond, &counts->lock, &until);
}

/* When the thread must wake up though no work comes. */
static int64_t next_deadline(const struct counts *counts)
{
    if (!counts->up) {
        return counts->retry_us;
    }
    return counts->shown_us + (counts->any_dirty ? SHOW_US : TICK_US);
}

/* Waits for work, a deadline or the end, and takes a batch. False: the end. */
static bool take_work(struct counts *counts)
{
    (void)pthread_mutex_lock(&counts->lock);
    counts->busy = counts->batch != NULL || counts->any_dirty;
    for (;;) {
        const bool work = counts->up && (counts->batch != NULL || windows_len(counts->windows) > 0);
        const int64_t until_us = next_deadline(counts);
        if (counts->stop || work || mesh_clock_mono_us() >= until_us) {
            break;
        }
        if (!counts->busy && windows_len(counts->windows) == 0) {
            (void)pthread_cond_broadcast(&counts->idle);
        }
        wait_until(counts, &counts->work, until_us);
    }
    if (counts->up && counts->batch == NULL) {
        counts->batch = windows_take(counts->windows, REDIS_CALLS_WINDOWS_MAX);
        counts->busy = counts->busy || counts->batch != NULL;
        mesh_metric_set(counts->queue_len, (int64_t)windows_len(counts->windows));
    }
    const bool go_on = !counts->stop;
    (void)pthread_mutex_unlock(&counts->lock);
    return go_on;
}

static void note_away(struct counts *counts, const struct mesh_error *err)
{
    counts->up = false;
    counts->retry_us = mesh_clock_mono_us() + counts->backoff_us;
    counts->backoff_us =
        counts->backoff_us * 2 < BACKOFF_US_MAX ? counts->backoff_us * 2 : BACKOFF_US_MAX;
    if (!counts->told_away) {
        counts->told_away = true;
        mesh_log_warn("redis_away", err);
    }
    live_publish(counts->live, false); /* again and again: viewers must hear something */
}

static void note_answer(struct counts *counts)
{
    counts->backoff_us = BACKOFF_US_MIN;
    atomic_store(&counts->answered_us, mesh_clock_mono_us());
    if (counts->told_away) {
        counts->told_away = false;
        mesh_log(MESH_LOG_INFO, "redis_back",
                 MESH_LOG_INT("hints_dropped", mesh_metric_value(counts->queue_full)));
    }
}

static bool apply(struct counts *counts, struct mesh_error *err)
{
    MESH_FAILPOINT("ws_redis_before_apply");
    if (!redis_calls_apply(counts->calls, counts->batch, err)) {
        return false; /* the batch stays, for the next connection */
    }
    MESH_FAILPOINT("ws_redis_after_apply");
    note_answer(counts);
    for (const struct window *window = counts->batch; window != NULL; window = window->next) {
        counts->dirty[window->stream_index] = true;
        counts->any_dirty = true;
    }
    (void)pthread_mutex_lock(&counts->lock);
    windows_give_back(counts->windows, counts->batch);
    counts->batch = NULL;
    (void)pthread_mutex_unlock(&counts->lock);
    return true;
}

static bool show(struct counts *counts, struct mesh_error *err)
{
    const int64_t now_us = mesh_clock_mono_us();
    const bool tick = now_us - counts->shown_us >= TICK_US;
    if (!tick && (!counts->any_dirty || now_us - counts->shown_us < SHOW_US)) {
        return true;
    }
    if (!redis_calls_show(counts->calls, tick ? counts->all : counts->dirty, err)) {
        return false;
    }
    note_answer(counts);
    memset(counts->dirty, 0, counts->stream_count * sizeof(bool));
    counts->any_dirty = false;
    counts->shown_us = now_us;
    const bool looked = counts->look == NULL ||
                        redis_calls_look(counts->calls, counts->look, counts->look_arg, err);
    live_publish(counts->live, looked);
    return looked;
}

static void *run(void *arg)
{
    struct counts *counts = arg;
    struct mesh_error err = {0};

    while (take_work(counts)) {
        counts->up = redis_calls_connect(counts->calls, &err);
        if (!counts->up || (counts->batch != NULL && !apply(counts, &err)) || !show(counts, &err)) {
            note_away(counts, &err);
        }
    }
    return NULL;
}

/* ---- life ---- */

static void locks_new(struct counts *counts)
{
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&counts->work, &attributes);
    (void)pthread_cond_init(&counts->idle, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)pthread_mutex_init(&counts->lock, NULL);
}

struct counts *counts_new(const struct counts_options *options, struct mesh_error *err)
{
    struct counts *counts = mesh_new(struct counts);

    counts->stream_count = mesh_streams_count(options->streams);
    counts->live = options->live;
    counts->look = options->look;
    counts->look_arg = options->look_arg;
    counts->reader = frame_reader_new(options->streams);
    counts->windows = windows_new(counts->stream_count, options->queue_len_max);
    counts->calls = redis_calls_new(&(struct redis_calls_options){
        .url = options->redis_url,
        .ms_max = options->redis_ms_max,
        .streams = options->streams,
        .live = options->live,
    });
    counts->dirty = mesh_new_array(bool, counts->stream_count);
    counts->all = mesh_new_array(bool, counts->stream_count);
    memset(counts->all, true, counts->stream_count * sizeof(bool));
    counts->backoff_us = BACKOFF_US_MIN;
    locks_new(counts);
    metrics_new(counts);
    counts->started = pthread_create(&counts->thread, NULL, run, counts) == 0;
    if (!counts->started) {
        mesh_fail(err, MESH_INTERNAL, "cannot start the Redis thread");
        counts_free(counts);
        return NULL;
    }
    return counts;
}

bool counts_ready(void *arg, struct mesh_buffer *reason)
{
    struct counts *counts = arg;
    const int64_t answered_us = atomic_load(&counts->answered_us);
    const bool ready = answered_us != 0 && mesh_clock_mono_us() - answered_us <= ANSWER_US_MAX;

    if (!ready) {
        mesh_buffer_add_text(reason, "Redis does not answer");
    }
    return ready;
}

void counts_status(void *arg, struct mesh_buffer *members)
{
    struct counts *counts = arg;

    (void)pthread_mutex_lock(&counts->lock);
    const size_t len = windows_len(counts->windows);
    (void)pthread_mutex_unlock(&counts->lock);
    const int64_t answered_us = atomic_load(&counts->answered_us);
    mesh_buffer_add_format(members, "\"queue_windows\":%zu,\"queue_dropped_events\":%lld,", len,
                           (long long)mesh_metric_value(counts->queue_full));
    if (answered_us == 0) {
        mesh_buffer_add_text(members, "\"redis_answered_ms_ago\":null,");
    } else {
        mesh_buffer_add_format(members, "\"redis_answered_ms_ago\":%lld,",
                               (long long)((mesh_clock_mono_us() - answered_us) / 1000));
    }
}

bool counts_drain(struct counts *counts, uint32_t ms_max)
{
    const int64_t until_us = mesh_clock_mono_us() + ms_max * INT64_C(1000);

    (void)pthread_mutex_lock(&counts->lock);
    while ((counts->busy || windows_len(counts->windows) > 0) && mesh_clock_mono_us() < until_us) {
        wait_until(counts, &counts->idle, until_us);
    }
    const bool drained = !counts->busy && windows_len(counts->windows) == 0;
    (void)pthread_mutex_unlock(&counts->lock);
    return drained;
}

void counts_free(struct counts *counts)
{
    if (counts == NULL) {
        return;
    }
    if (counts->started) {
        (void)pthread_mutex_lock(&counts->lock);
        counts->stop = true;
        (void)pthread_cond_signal(&counts->work);
        (void)pthread_mutex_unlock(&counts->lock);
        (void)pthread_join(counts->thread, NULL);
    }
    windows_give_back(counts->windows, counts->batch);
    windows_free(counts->windows);
    frame_reader_free(counts->reader);
    redis_calls_free(counts->calls);
    free(counts->dirty);
    free(counts->all);
    (void)pthread_cond_destroy(&counts->work);
    (void)pthread_cond_destroy(&counts->idle);
    (void)pthread_mutex_destroy(&counts->lock);
    free(counts);
}
