/* SPDX-License-Identifier: Apache-2.0 */
#include "hints.h"

#include "health_frame.h"
#include "hint_queue.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/failpoint.h"
#include "mesh/health.h"
#include "mesh/log.h"
#include "mesh/metrics.h"

#include <assert.h>
#include <libwebsockets.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SUBPROTOCOL "counts.v1"
#define BACKOFF_MS_MIN 100
#define BACKOFF_MS_MAX 2000
#define FLUSH_POLL_NS 5000000

struct hints {
    struct hint_queue *queue;
    char *url; /* in pieces, as lws_parse_uri() leaves it */
    const char *host;
    const char *path; /* with its slash */
    int port;
    bool tls;

    pthread_t thread;
    bool thread_started;
    atomic_bool stop;
    atomic_bool connected;
    atomic_bool idle; /* connected, and nothing waits or is being written */

    /* lock guards: */
    pthread_mutex_t lock;
    hints_serving_fn *serving; /* NULL: nothing is told */
    void *serving_arg;
    char *instance;

    /* the thread */
    lws_sorted_usec_list_t tell;
    bool tell_due;
    struct lws_context *context;
    struct lws *wsi; /* NULL: none, nor being made */
    lws_sorted_usec_list_t retry;
    uint32_t backoff_ms;
    bool lost_logged;
    struct mesh_buffer frame; /* LWS_PRE bytes, then the frame */

    struct mesh_metric *sent;
    struct mesh_metric *dropped;
};

/* Pings an idle connection, so that one that has died is noticed. */
static const lws_retry_bo_t validity = {.secs_since_valid_ping = 10, .secs_since_valid_hangup = 20};

/* Cuts a URL in pieces: out->host and path point into `url`, which is changed. */
static bool url_cut(char *url, struct hints *out, struct mesh_error *err)
{
    const char *scheme = NULL;
    const char *rest = NULL;
    out->tls = strncmp(url, "wss://", 6) == 0;
    if ((!out->tls && strncmp(url, "ws://", 5) != 0) || strstr(url, "://")[3] == '\0') {
        return mesh_fail(err, MESH_INVALID_ARGUMENT, "must look like ws://host:port/ or wss://");
    }
    if (lws_parse_uri(url, &scheme, &out->host, &out->port, &rest) != 0 || out->host[0] == '\0' ||
        out->port <= 0 || out->port > 65535) {
        return mesh_fail(err, MESH_INVALID_ARGUMENT, "must look like ws://host:port/");
    }
    out->path = rest;
    return true;
}

bool hints_url_valid(const char *url, struct mesh_error *err)
{
    struct hints pieces = {0};
    char *copy = mesh_strdup(url);
    bool good = url_cut(copy, &pieces, err);
    free(copy);
    return good;
}

static void connect_now(lws_sorted_usec_list_t *retry);

static void connect_later(struct hints *hints)
{
    hints->backoff_ms = hints->backoff_ms == 0 ? BACKOFF_MS_MIN : hints->backoff_ms * 2;
    if (hints->backoff_ms > BACKOFF_MS_MAX) {
        hints->backoff_ms = BACKOFF_MS_MAX;
    }
    lws_usec_t half_us = (lws_usec_t)hints->backoff_ms * 500;
    lws_sul_schedule(hints->context, 0, &hints->retry, connect_now,
                     half_us + mesh_clock_mono_us() % half_us);
}

static void connect_now(lws_sorted_usec_list_t *retry)
{
    struct hints *hints = lws_container_of(retry, struct hints, retry);
    char path[1100];
    snprintf(path, sizeof(path), "/%s", hints->path[0] == '/' ? hints->path + 1 : hints->path);
    struct lws_client_connect_info info = {.context = hints->context,
                                           .address = hints->host,
                                           .port = hints->port,
                                           .path = path,
                                           .host = hints->host,
                                           .ssl_connection = hints->tls ? LCCSCF_USE_SSL : 0,
                                           .protocol = SUBPROTOCOL,
                                           .local_protocol_name = SUBPROTOCOL,
                                           .retry_and_idle_policy = &validity,
                                           .opaque_user_data = hints,
                                           .pwsi = &hints->wsi};
    if (lws_client_connect_via_info(&info) == NULL && hints->wsi == NULL &&
        lws_dll2_is_detached(&hints->retry.list)) {
        connect_later(hints);
    }
}

static void tell_now(lws_sorted_usec_list_t *tell)
{
    struct hints *hints = lws_container_of(tell, struct hints, tell);

    hints->tell_due = true;
    lws_callback_on_writable(hints->wsi);
    lws_sul_schedule(hints->context, 0, &hints->tell, tell_now,
                     (lws_usec_t)MESH_HEALTH_MS * LWS_US_PER_MS);
}

/* The connection is gone, or was never made. */
static void lost(struct hints *hints, const char *why)
{
    hints->wsi = NULL;
    lws_sul_cancel(&hints->tell);
    atomic_store(&hints->connected, false);
    atomic_store(&hints->idle, false);
    if (!hints->lost_logged && !atomic_load(&hints->stop)) {
        hints->lost_logged = true;
        mesh_log(MESH_LOG_WARN, "ws_redis_lost", MESH_LOG_TEXT("message", why));
    }
    connect_later(hints);
}

static void established(struct hints *hints, struct lws *wsi)
{
    hints->backoff_ms = 0;
    atomic_store(&hints->connected, true);
    if (hints->lost_logged) {
        hints->lost_logged = false;
        mesh_log(MESH_LOG_INFO, "ws_redis_connected");
    }
    tell_now(&hints->tell);
    lws_callback_on_writable(wsi);
}

/* Adds the health if it is due; false: it is not, or nobody wants to tell it. */
static bool add_health(struct hints *hints)
{
    bool added = false;

    if (!hints->tell_due) {
        return false;
    }
    hints->tell_due = false;
    pthread_mutex_lock(&hints->lock);
    if (hints->serving != NULL) {
        health_frame_write(hints->instance, hints->serving(hints->serving_arg), &hints->frame);
        added = true;
    }
    pthread_mutex_unlock(&hints->lock);
    return added;
}

/* Writes what waits for as long as the socket takes it. */
static int write_frames(struct hints *hints, struct lws *wsi)
{
    static const uint8_t room[LWS_PRE];
    do {
        mesh_buffer_reset(&hints->frame);
        mesh_buffer_add(&hints->frame, mesh_bytes_of(room, sizeof(room)));
        const bool health = add_health(hints);
        size_t count = health ? 0 : hint_queue_next_frame(hints->queue, &hints->frame);
        if (count == 0 && !health) {
            atomic_store(&hints->idle, true);
            return 0;
        }
        MESH_FAILPOINT("api_answered_before_hint");
        size_t size = hints->frame.size - LWS_PRE;
        if (lws_write(wsi, (uint8_t *)hints->frame.data + LWS_PRE, size, LWS_WRITE_BINARY) <
            (int)size) {
            return -1;
        }
        mesh_metric_add(hints->sent, count);
    } while (lws_send_pipe_choked(wsi) == 0);
    lws_callback_on_writable(wsi);
    return 0;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t size)
{
    (void)user;
    (void)size;
    struct hints *hints = lws_context_user(lws_get_context(wsi));
    switch (reason) {
    case LWS_CALLBACK_EVENT_WAIT_CANCELLED:
        hint_queue_awake(hints->queue);
        if (atomic_load(&hints->connected)) {
            lws_callback_on_writable(hints->wsi);
        }
        return 0;
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        established(hints, wsi);
        return 0;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return write_frames(hints, wsi);
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        lost(hints, in == NULL ? "cannot connect" : in);
        return 0;
    case LWS_CALLBACK_CLIENT_CLOSED:
        lost(hints, "closed");
        return 0;
    default:
        return 0;
    }
}

static const struct lws_protocols protocols[] = {
    {.name = SUBPROTOCOL, .callback = on_event, .rx_buffer_size = 1024},
    LWS_PROTOCOL_LIST_TERM,
};

static void *run(void *arg)
{
    struct hints *hints = arg;
    lws_sul_schedule(hints->context, 0, &hints->retry, connect_now, 1);
    while (!atomic_load(&hints->stop) && lws_service(hints->context, 0) >= 0) {
    }
    return NULL;
}

static bool context_start(struct hints *hints, const char *ca, struct mesh_error *err)
{
    lws_set_log_level(0, NULL); /* what matters is logged here */
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN, .protocols = protocols, .user = hints};
    if (hints->tls) {
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
        info.client_ssl_ca_filepath = ca != NULL && ca[0] != '\0' ? ca : NULL;
        info.alpn = "http/1.1";
    }
    hints->context = lws_create_context(&info);
    if (hints->context == NULL) {
        return mesh_fail(err, MESH_RESOURCE_EXHAUSTED, "libwebsockets does not start");
    }
    if (pthread_create(&hints->thread, NULL, run, hints) != 0) {
        return mesh_fail(err, MESH_RESOURCE_EXHAUSTED, "cannot start the hints thread");
    }
    hints->thread_started = true;
    pthread_setname_np(hints->thread, "hints");
    return true;
}

struct hints *hints_new(const struct hints_options *options, struct mesh_error *err)
{
    struct hints *hints = mesh_new(struct hints);
    pthread_mutex_init(&hints->lock, NULL);
    hints->url = mesh_strdup(options->url);
    hints->queue = hint_queue_new(options->streams, options->len_max);
    hints->sent = mesh_counter("tweetmesh_hints_total", NULL, "Counting hints sent.");
    hints->dropped = mesh_counter("tweetmesh_hints_dropped_total", NULL,
                                  "Counting hints dropped because too many waited.");
    if (!url_cut(hints->url, hints, err) || !context_start(hints, options->ca, err)) {
        mesh_error_prefix(err, "hints");
        hints_free(hints, 0);
        return NULL;
    }
    return hints;
}

void hints_tell(struct hints *hints, const char *instance, hints_serving_fn *serving, void *arg)
{
    if (hints == NULL) {
        return;
    }
    pthread_mutex_lock(&hints->lock);
    free(hints->instance);
    hints->instance = mesh_strdup(instance);
    hints->serving = serving;
    hints->serving_arg = arg;
    pthread_mutex_unlock(&hints->lock);
}

void hints_add(struct hints *hints, const struct events *events, int64_t accepted_at_ms)
{
    bool wake = false;
    atomic_store(&hints->idle, false);
    if (events->trace != NULL) {
        hint_queue_trace(hints->queue, events);
    }
    size_t dropped = hint_queue_add(hints->queue, events, accepted_at_ms, &wake);
    if (dropped > 0) {
        mesh_metric_add(hints->dropped, dropped);
    }
    if (wake) {
        lws_cancel_service(hints->context);
    }
}

bool hints_connected(const struct hints *hints)
{
    return atomic_load(&hints->connected);
}

static void flush(struct hints *hints, uint32_t flush_ms)
{
    int64_t until_us = mesh_clock_mono_us() + (int64_t)flush_ms * 1000;
    lws_cancel_service(hints->context);
    while (atomic_load(&hints->connected) && !atomic_load(&hints->idle) &&
           mesh_clock_mono_us() < until_us) {
        nanosleep(&(struct timespec){.tv_nsec = FLUSH_POLL_NS}, NULL);
    }
}

void hints_free(struct hints *hints, uint32_t flush_ms)
{
    if (hints == NULL) {
        return;
    }
    if (hints->thread_started) {
        flush(hints, flush_ms);
        atomic_store(&hints->stop, true);
        lws_cancel_service(hints->context);
        pthread_join(hints->thread, NULL);
    }
    if (hints->context != NULL) {
        lws_context_destroy(hints->context);
    }
    hint_queue_free(hints->queue);
    pthread_mutex_destroy(&hints->lock);
    free(hints->instance);
    mesh_buffer_done(&hints->frame);
    free(hints->url);
    free(hints);
}
