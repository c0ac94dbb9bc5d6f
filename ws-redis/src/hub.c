/* SPDX-License-Identifier: Apache-2.0 */
#include "hub.h"

#include "hub_state.h"
#include "hub_tls.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "process.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_SECONDS_MAX 5       /* for a request's head */
#define KEEPALIVE_SECONDS_MAX 10 /* between requests */
#define PING_SECONDS 20          /* of silence, then we ping */
#define HANGUP_SECONDS 30        /* of silence, then we hang up */
#define HTTP_LEN_MAX 256         /* connections besides feeders and viewers */
#define OWN_DESCRIPTORS 32       /* listen socket, pipes, Redis, ops */
#define GATHER_US_MIN 500.0      /* frames wait for each other */
#define GATHER_US_MAX 2000.0
#define GATHER_EVENTS_PER_MS_MAX 20 /* from here on they wait longest */
#define GATHER_ROUNDS 8             /* that what comes is averaged over */

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
        .protocols = peers_protocols,
        .user = hub,
        .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND |
                   LWS_SERVER_OPTION_SKIP_SERVER_CANONICAL_NAME |
                   (strchr(options->host, ':') == NULL ? LWS_SERVER_OPTION_DISABLE_IPV6 : 0),
        .timeout_secs = HEAD_SECONDS_MAX,
        .timeout_secs_ah_idle = HEAD_SECONDS_MAX,
        .keepalive_timeout = KEEPALIVE_SECONDS_MAX,
        .retry_and_idle_policy = &keepalive,
        .fd_limit_per_thread = descriptors,
        .pt_serv_buf_size = RECEIVE_BYTES,
    };

    hub_tls_fill(hub, &info);
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

/* A round of service that brings frames wakes up two threads and ends in a call of Redis: much, for
 * a frame of an event or two. So the next frames wait for each other; the first after silence has
 * gone on already. The more events come the longer they wait, since the less CPU time is left. A
 * round that brought much is followed by the next at once: more is waiting. */
static void gather(struct hub *hub)
{
    const int64_t now_us = mesh_clock_mono_us();
    const double took_ms = (double)(now_us - hub->round_us + 1) / 1000;

    if (hub->received == 0) {
        return;
    }
    hub->events_per_ms += ((double)hub->events / took_ms - hub->events_per_ms) / GATHER_ROUNDS;
    if (hub->received < RECEIVE_BYTES / 2) {
        double us = hub->events_per_ms * GATHER_US_MAX / GATHER_EVENTS_PER_MS_MAX;
        us = us < GATHER_US_MIN ? GATHER_US_MIN : us > GATHER_US_MAX ? GATHER_US_MAX : us;
        (void)nanosleep(&(struct timespec){.tv_nsec = (long)(us * 1000)}, NULL);
    }
    hub->received = 0;
    hub->events = 0;
    hub->round_us = now_us;
}

static void *run(void *arg)
{
    struct hub *hub = arg;
    while (atomic_load(&hub->stage) != STOPPED && lws_service(hub->context, 0) >= 0) {
        gather(hub);
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
    hub->health = options->health;
    hub->tls = options->tls;
    hub->feeders_max = options->feeders_max;
    hub->viewers_max = options->viewers_max;
    hub->viewer_us_max = options->viewer_ms_max * INT64_C(1000);
    hub->update_us_min = options->update_ms_min * INT64_C(1000);
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
        lws_sul_cancel(&hub->later);
        lws_context_destroy(hub->context);
    }
    page_free(hub->page);
    mesh_buffer_done(&hub->message);
    mesh_buffer_done(&hub->history);
    (void)pthread_cond_destroy(&hub->changed);
    (void)pthread_mutex_destroy(&hub->lock);
    free(hub);
}
