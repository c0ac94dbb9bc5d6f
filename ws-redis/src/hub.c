/* SPDX-License-Identifier: Apache-2.0 */
#include "hub.h"

#include "handshake.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/metrics.h"
#include "page.h"
#include "process.h"

#include <libwebsockets.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define HEAD_SECONDS_MAX 5       /* for a request's head */
#define KEEPALIVE_SECONDS_MAX 10 /* between requests */
#define PING_SECONDS 20          /* of silence, then we ping */
#define HANGUP_SECONDS 30        /* of silence, then we hang up */
#define HTTP_LEN_MAX 256         /* connections besides feeders and viewers */
#define OWN_DESCRIPTORS 32       /* listen socket, pipes, Redis, ops */
#define RECEIVE_BYTES 16384

enum stage {
    SERVING,
    DRAINING, /* no feeders any more */
    ENDING,   /* no viewers any more either */
    STOPPED,  /* the thread ends */
};

/* One WebSocket; lives in libwebsockets' memory per session. */
struct peer {
    struct lws *wsi;
    struct peer *prev;
    struct peer *next;
    struct mesh_buffer message; /* feeder: the fragments so far */
    uint64_t version;           /* viewer: of the message last sent */
    int64_t waiting_us;         /* viewer: since when it has not taken the newest; 0: it has */
};

struct hub {
    struct counts *counts;
    struct live *live;
    uint32_t feeders_max;
    uint32_t viewers_max;
    int64_t viewer_us_max;
    uint16_t port;
    struct lws_context *context;
    pthread_t thread;
    bool started;

    /* libwebsockets thread */
    struct page *page;
    struct peer *feeders;
    struct peer *viewers;
    struct mesh_buffer message; /* the newest, behind LWS_PRE bytes */
    uint64_t version;

    /* lock guards the waiting for: */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    atomic_int stage;
    atomic_uint feeder_count;
    atomic_uint viewer_count;

    struct mesh_metric *feeders_gauge;
    struct mesh_metric *viewers_gauge;
    struct mesh_metric *refused_feeders;
    struct mesh_metric *refused_viewers;
    struct mesh_metric *refused_other;
    struct mesh_metric *slow_viewers;
    struct mesh_metric *bad_messages;
    struct mesh_metric *live_messages;
};

static void metrics_new(struct hub *hub)
{
    static const char refused[] = "tweetmesh_connections_refused_total";
    static const char help[] = "WebSocket connections refused.";

    hub->feeders_gauge = mesh_gauge("tweetmesh_feeders", NULL, "Connections that send counts.");
    hub->viewers_gauge = mesh_gauge("tweetmesh_viewers", NULL, "Browsers that watch.");
    hub->refused_feeders = mesh_counter(refused, "reason=\"feeders_max\"", help);
    hub->refused_viewers = mesh_counter(refused, "reason=\"viewers_max\"", help);
    hub->refused_other = mesh_counter(refused, "reason=\"handshake\"", help);
    hub->slow_viewers = mesh_counter("tweetmesh_viewers_dropped_total", "reason=\"slow\"",
                                     "Viewers disconnected by us.");
    hub->bad_messages = mesh_counter("tweetmesh_feeders_dropped_total", "reason=\"bad_message\"",
                                     "Feeders disconnected by us.");
    hub->live_messages =
        mesh_counter("tweetmesh_live_messages_total", NULL, "Messages sent to viewers.");
}

static struct hub *hub_of(struct lws *wsi)
{
    return lws_context_user(lws_get_context(wsi));
}

/* Sends a close frame with the code when the callback returns this. */
static int hang_up(struct lws *wsi, enum lws_close_status status)
{
    lws_close_reason(wsi, status, NULL, 0);
    return -1;
}

/* ---- handshakes and plain HTTP: the first protocol in the list ---- */

/* 0: go on with the upgrade; 1: it was answered; -1: hang up. */
static int confirm_upgrade(struct hub *hub, struct lws *wsi, const char *upgrade)
{
    struct mesh_metric *refused = hub->refused_other;
    unsigned int status = HTTP_STATUS_BAD_REQUEST;

    switch (handshake_read(wsi, upgrade)) {
    case HANDSHAKE_FEEDER:
        if (atomic_load(&hub->feeder_count) < hub->feeders_max) {
            return 0;
        }
        refused = hub->refused_feeders;
        status = HTTP_STATUS_SERVICE_UNAVAILABLE;
        break;
    case HANDSHAKE_VIEWER:
        if (atomic_load(&hub->viewer_count) < hub->viewers_max) {
            return 0;
        }
        refused = hub->refused_viewers;
        status = HTTP_STATUS_SERVICE_UNAVAILABLE;
        break;
    case HANDSHAKE_FOREIGN:
        status = HTTP_STATUS_FORBIDDEN;
        break;
    case HANDSHAKE_UNKNOWN:
        break;
    }
    mesh_metric_add(refused, 1);
    return page_refuse(wsi, status) ? 1 : -1;
}

static void call_writable(struct peer *list)
{
    struct peer *peer = NULL;
    DL_FOREACH(list, peer)
    {
        lws_callback_on_writable(peer->wsi);
    }
}

/* A new message is there: whoever has taken the last one gets it, others skip. */
static void broadcast(struct hub *hub)
{
    const int64_t now_us = mesh_clock_mono_us();
    struct peer *peer = NULL;

    if (!live_take(hub->live, LWS_PRE, &hub->message, &hub->version)) {
        return;
    }
    DL_FOREACH(hub->viewers, peer)
    {
        if (peer->waiting_us == 0) {
            peer->waiting_us = now_us;
            lws_callback_on_writable(peer->wsi);
        } else if (now_us - peer->waiting_us > hub->viewer_us_max) {
            mesh_metric_add(hub->slow_viewers, 1);
            lws_set_timeout(peer->wsi, PENDING_TIMEOUT_LAGGING, LWS_TO_KILL_ASYNC);
        }
    }
}

/* Another thread called lws_cancel_service(). */
static void wake(struct hub *hub)
{
    const int stage = atomic_load(&hub->stage);

    if (stage >= DRAINING) {
        call_writable(hub->feeders);
    }
    if (stage >= ENDING) {
        call_writable(hub->viewers);
    }
    broadcast(hub);
}

static int on_http(struct lws *wsi, enum lws_callback_reasons reason, void *session, void *in,
                   size_t size)
{
    struct hub *hub = hub_of(wsi);

    switch (reason) {
    case LWS_CALLBACK_FILTER_NETWORK_CONNECTION:
        return atomic_load(&hub->stage) == SERVING ? 0 : -1;
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return confirm_upgrade(hub, wsi, in);
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
        return -1; /* this is no WebSocket protocol */
    case LWS_CALLBACK_HTTP:
        return page_answer(hub->page, wsi, session, in);
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return page_write(wsi, session);
    case LWS_CALLBACK_EVENT_WAIT_CANCELLED:
        wake(hub);
        return 0;
    default:
        return lws_callback_http_dummy(wsi, reason, session, in, size);
    }
}

/* ---- both kinds of peers ---- */

static void join(struct peer **list, struct peer *peer, struct lws *wsi, atomic_uint *count)
{
    *peer = (struct peer){.wsi = wsi};
    DL_APPEND(*list, peer);
    (void)atomic_fetch_add(count, 1);
}

static void leave(struct hub *hub, struct peer **list, struct peer *peer, atomic_uint *count)
{
    if (peer->wsi == NULL) {
        return; /* never joined */
    }
    DL_DELETE(*list, peer);
    mesh_buffer_done(&peer->message);
    peer->wsi = NULL;
    (void)pthread_mutex_lock(&hub->lock);
    (void)atomic_fetch_sub(count, 1);
    (void)pthread_cond_broadcast(&hub->changed);
    (void)pthread_mutex_unlock(&hub->lock);
}

/* ---- feeders ---- */

static int offer(struct hub *hub, struct lws *wsi, struct mesh_bytes message)
{
    if (counts_offer(hub->counts, message) == FRAME_MALFORMED) {
        mesh_metric_add(hub->bad_messages, 1);
        return hang_up(wsi, LWS_CLOSE_STATUS_INVALID_PAYLOAD);
    }
    return 0; /* what breaks a limit is counted; a newer api may know more streams than we */
}

static int feeder_receive(struct hub *hub, struct peer *peer, struct mesh_bytes part)
{
    struct lws *wsi = peer->wsi;

    if (!lws_frame_is_binary(wsi)) {
        mesh_metric_add(hub->bad_messages, 1);
        return hang_up(wsi, LWS_CLOSE_STATUS_UNACCEPTABLE_OPCODE);
    }
    if (peer->message.size + part.size > FRAME_BYTES_MAX) {
        mesh_metric_add(hub->bad_messages, 1);
        return hang_up(wsi, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE);
    }
    const bool final = lws_is_final_fragment(wsi) != 0;
    if (final && peer->message.size == 0) {
        return offer(hub, wsi, part);
    }
    mesh_buffer_add(&peer->message, part);
    if (!final) {
        return 0;
    }
    const int result = offer(hub, wsi, mesh_buffer_bytes(&peer->message));
    mesh_buffer_reset(&peer->message);
    return result;
}

static int on_counts(struct lws *wsi, enum lws_callback_reasons reason, void *session, void *in,
                     size_t size)
{
    struct hub *hub = hub_of(wsi);
    struct peer *peer = session;

    switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
        join(&hub->feeders, peer, wsi, &hub->feeder_count);
        mesh_metric_set(hub->feeders_gauge, atomic_load(&hub->feeder_count));
        return 0;
    case LWS_CALLBACK_RECEIVE:
        return feeder_receive(hub, peer, mesh_bytes_of(in, size));
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return atomic_load(&hub->stage) >= DRAINING ? hang_up(wsi, LWS_CLOSE_STATUS_GOINGAWAY) : 0;
    case LWS_CALLBACK_CLOSED:
        leave(hub, &hub->feeders, peer, &hub->feeder_count);
        mesh_metric_set(hub->feeders_gauge, atomic_load(&hub->feeder_count));
        return 0;
    default:
        return 0;
    }
}

/* ---- viewers ---- */

static int viewer_write(struct hub *hub, struct peer *peer)
{
    if (atomic_load(&hub->stage) >= ENDING) {
        return hang_up(peer->wsi, LWS_CLOSE_STATUS_GOINGAWAY);
    }
    if (peer->version == hub->version) {
        return 0;
    }
    /* Shared by all viewers: lws_write() puts the same frame head in front each time. */
    const size_t size = hub->message.size - LWS_PRE;
    const int written =
        lws_write(peer->wsi, (unsigned char *)hub->message.data + LWS_PRE, size, LWS_WRITE_TEXT);
    if (written < 0 || (size_t)written < size) {
        return -1;
    }
    peer->version = hub->version;
    peer->waiting_us = 0;
    mesh_metric_add(hub->live_messages, 1);
    return 0;
}

static int on_live(struct lws *wsi, enum lws_callback_reasons reason, void *session, void *in,
                   size_t size)
{
    struct hub *hub = hub_of(wsi);
    struct peer *peer = session;
    (void)in;
    (void)size;

    switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
        join(&hub->viewers, peer, wsi, &hub->viewer_count);
        mesh_metric_set(hub->viewers_gauge, atomic_load(&hub->viewer_count));
        (void)live_take(hub->live, LWS_PRE, &hub->message, &hub->version);
        lws_callback_on_writable(wsi);
        return 0;
    case LWS_CALLBACK_RECEIVE:
        return hang_up(wsi, LWS_CLOSE_STATUS_POLICY_VIOLATION); /* viewers only listen */
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return viewer_write(hub, peer);
    case LWS_CALLBACK_CLOSED:
        leave(hub, &hub->viewers, peer, &hub->viewer_count);
        mesh_metric_set(hub->viewers_gauge, atomic_load(&hub->viewer_count));
        return 0;
    default:
        return 0;
    }
}

/* ---- life ---- */

static const struct lws_protocols protocols[] = {
    {.name = "http", .callback = on_http, .per_session_data_size = sizeof(struct page_session)},
    {.name = HANDSHAKE_COUNTS,
     .callback = on_counts,
     .per_session_data_size = sizeof(struct peer),
     .rx_buffer_size = RECEIVE_BYTES},
    {.name = HANDSHAKE_LIVE, .callback = on_live, .per_session_data_size = sizeof(struct peer)},
    LWS_PROTOCOL_LIST_TERM,
};

static const lws_retry_bo_t keepalive = {
    .secs_since_valid_ping = PING_SECONDS,
    .secs_since_valid_hangup = HANGUP_SECONDS,
};

static bool context_new(struct hub *hub, const struct hub_options *options, struct mesh_error *err)
{
    const unsigned int descriptors =
        options->feeders_max + options->viewers_max + HTTP_LEN_MAX + OWN_DESCRIPTORS;
    struct lws_context_creation_info info = {
        .iface = options->host,
        .port = options->port,
        .protocols = protocols,
        .user = hub,
        .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND |
                   LWS_SERVER_OPTION_SKIP_SERVER_CANONICAL_NAME |
                   (strchr(options->host, ':') == NULL ? LWS_SERVER_OPTION_DISABLE_IPV6 : 0),
        .timeout_secs = HEAD_SECONDS_MAX,
        .timeout_secs_ah_idle = HEAD_SECONDS_MAX,
        .keepalive_timeout = KEEPALIVE_SECONDS_MAX,
        .retry_and_idle_policy = &keepalive,
        .fd_limit_per_thread = descriptors,
    };

    if (!process_allow_descriptors(descriptors, err)) {
        return false;
    }
    lws_set_log_level(LLL_ERR | LLL_WARN, process_log_line);
    hub->context = lws_create_context(&info);
    if (hub->context == NULL) {
        return mesh_fail(err, MESH_INTERNAL, "libwebsockets does not start");
    }
    struct lws_vhost *vhost = lws_create_vhost(hub->context, &info);
    if (vhost == NULL) {
        return mesh_fail(err, MESH_UNAVAILABLE, "cannot listen on %s port %u", options->host,
                         options->port);
    }
    hub->port = (uint16_t)lws_get_vhost_listen_port(vhost);
    return true;
}

static void *run(void *arg)
{
    struct hub *hub = arg;
    while (atomic_load(&hub->stage) != STOPPED && lws_service(hub->context, 0) >= 0) {
    }
    return NULL;
}

/* On the Redis thread. */
static void on_new_message(void *arg)
{
    struct hub *hub = arg;
    if (atomic_load(&hub->viewer_count) > 0) {
        lws_cancel_service(hub->context);
    }
}

struct hub *hub_new(const struct hub_options *options, struct mesh_error *err)
{
    struct hub *hub = mesh_new(struct hub);
    pthread_condattr_t attributes;

    hub->counts = options->counts;
    hub->live = options->live;
    hub->feeders_max = options->feeders_max;
    hub->viewers_max = options->viewers_max;
    hub->viewer_us_max = options->viewer_ms_max * INT64_C(1000);
    hub->page = page_new();
    (void)pthread_mutex_init(&hub->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&hub->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    metrics_new(hub);
    if (!context_new(hub, options, err)) {
        goto fail;
    }
    hub->started = pthread_create(&hub->thread, NULL, run, hub) == 0;
    if (!hub->started) {
        mesh_fail(err, MESH_INTERNAL, "cannot start the WebSocket thread");
        goto fail;
    }
    live_listen(hub->live, on_new_message, hub);
    return hub;

fail:
    hub_free(hub, 0);
    return NULL;
}

uint16_t hub_port(const struct hub *hub)
{
    return hub->port;
}

void hub_status(void *arg, struct mesh_buffer *members)
{
    struct hub *hub = arg;
    mesh_buffer_add_format(members, "\"feeders\":%u,\"viewers\":%u,",
                           atomic_load(&hub->feeder_count), atomic_load(&hub->viewer_count));
}

/* Moves on to the stage and waits for the peers of the given kinds to go. */
static void enter(struct hub *hub, enum stage stage, bool viewers_too, uint32_t ms_max)
{
    const int64_t until_us = mesh_clock_mono_us() + ms_max * INT64_C(1000);
    const struct timespec until = {
        .tv_sec = until_us / 1000000,
        .tv_nsec = until_us % 1000000 * 1000,
    };

    atomic_store(&hub->stage, stage);
    lws_cancel_service(hub->context);
    (void)pthread_mutex_lock(&hub->lock);
    while ((atomic_load(&hub->feeder_count) > 0 ||
            (viewers_too && atomic_load(&hub->viewer_count) > 0)) &&
           mesh_clock_mono_us() < until_us) {
        (void)pthread_cond_timedwait(&hub->changed, &hub->lock, &until);
    }
    (void)pthread_mutex_unlock(&hub->lock);
}

void hub_drain(struct hub *hub, uint32_t ms_max)
{
    if (hub != NULL) {
        enter(hub, DRAINING, false, ms_max);
    }
}

void hub_free(struct hub *hub, uint32_t ms_max)
{
    if (hub == NULL) {
        return;
    }
    if (hub->started) {
        live_listen(hub->live, NULL, NULL);
        enter(hub, ENDING, true, ms_max);
        atomic_store(&hub->stage, STOPPED);
        lws_cancel_service(hub->context);
        (void)pthread_join(hub->thread, NULL);
    }
    if (hub->context != NULL) {
        lws_context_destroy(hub->context);
    }
    page_free(hub->page);
    mesh_buffer_done(&hub->message);
    (void)pthread_cond_destroy(&hub->changed);
    (void)pthread_mutex_destroy(&hub->lock);
    free(hub);
}
