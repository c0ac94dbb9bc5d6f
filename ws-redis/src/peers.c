/* SPDX-License-Identifier: Apache-2.0 */
#include "handshake.h"
#include "hub_state.h"
#include "hub_tls.h"
#include "mesh/clock.h"

#include <utlist.h>

/* At most 500 messages a second in all, unless there are more viewers than that. */
#define UPDATE_US_PER_VIEWER INT64_C(2000)
#define UPDATE_US_MAX INT64_C(1000000)

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

/* Watching must cost little, however many watch: so many viewers get fewer messages. */
static int64_t update_us(const struct hub *hub)
{
    int64_t us = atomic_load(&hub->viewer_count) * UPDATE_US_PER_VIEWER;
    us = us > UPDATE_US_MAX ? UPDATE_US_MAX : us;
    return us < hub->update_us_min ? hub->update_us_min : us;
}

static void broadcast(struct hub *hub);

static void broadcast_later(lws_sorted_usec_list_t *later)
{
    broadcast(lws_container_of(later, struct hub, later));
}

/* A new message is there, or its time has come: whoever has taken the last one gets it, others
 * skip. */
static void broadcast(struct hub *hub)
{
    const int64_t now_us = mesh_clock_mono_us();
    const int64_t due_us = hub->update_us + update_us(hub);
    struct peer *peer = NULL;

    if (now_us < due_us) {
        lws_sul_schedule(hub->context, 0, &hub->later, broadcast_later, due_us - now_us);
        return;
    }
    if (!live_take(hub->live, LWS_PRE, &hub->message, &hub->version)) {
        return;
    }
    hub->update_us = now_us;
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
        (void)live_take(hub->live, LWS_PRE, &hub->message, &hub->version);
        call_writable(hub->viewers);
    } else if (hub->viewers != NULL) {
        broadcast(hub);
    }
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
        hub_tls_renew(hub);
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

static void hear(struct hub *hub, const struct frame *frame)
{
    for (size_t i = 0; i < frame->program_count; i++) {
        const struct frame_program *program = &frame->programs[i];
        health_hear(hub->health, mesh_bytes_of_text(program->name),
                    mesh_bytes_of_text(program->instance), program->ready);
    }
}

static int offer(struct hub *hub, struct lws *wsi, struct mesh_bytes message)
{
    switch (counts_offer(hub->counts, message)) {
    case FRAME_MALFORMED:
        mesh_metric_add(hub->bad_messages, 1);
        return hang_up(wsi, LWS_CLOSE_STATUS_INVALID_PAYLOAD);
    case FRAME_GOOD:
        hub->events += counts_offered(hub->counts)->events;
        return 0;
    case FRAME_HEALTH:
        hear(hub, counts_offered(hub->counts));
        return 0;
    default:
        return 0; /* what breaks a limit is counted; a newer api may know more streams than we */
    }
}

static int feeder_receive(struct hub *hub, struct peer *peer, struct mesh_bytes part)
{
    struct lws *wsi = peer->wsi;

    hub->received += part.size;
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

/* Shared by all viewers: lws_write() puts the same frame head in front each time. */
static bool write_text(struct hub *hub, struct lws *wsi, struct mesh_buffer *message)
{
    const size_t size = message->size - LWS_PRE;
    const int written =
        lws_write(wsi, (unsigned char *)message->data + LWS_PRE, size, LWS_WRITE_TEXT);
    if (written < 0 || (size_t)written < size) {
        return false;
    }
    mesh_metric_add(hub->live_messages, 1);
    return true;
}

/* The newest numbers, then what was before them; at the end the last numbers and goodbye. */
static int viewer_write(struct hub *hub, struct peer *peer)
{
    const bool ending = atomic_load(&hub->stage) >= ENDING;

    if (ending) { /* wake() has perhaps not looked yet */
        (void)live_take(hub->live, LWS_PRE, &hub->message, &hub->version);
    }
    if (peer->version != hub->version) {
        if (!write_text(hub, peer->wsi, &hub->message)) {
            return -1;
        }
        peer->version = hub->version;
        peer->waiting_us = 0;
        if (!peer->knows_history || ending) {
            lws_callback_on_writable(peer->wsi);
        }
        return 0;
    }
    if (ending) {
        return hang_up(peer->wsi, LWS_CLOSE_STATUS_GOINGAWAY);
    }
    if (!peer->knows_history) {
        peer->knows_history = true;
        return hub->history.size == 0 || write_text(hub, peer->wsi, &hub->history) ? 0 : -1;
    }
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
        if (hub->viewers == peer) { /* alone: what was taken last may be old */
            (void)live_take(hub->live, LWS_PRE, &hub->message, &hub->version);
        }
        (void)live_take_history(hub->live, LWS_PRE, &hub->history, &hub->history_version);
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

const struct lws_protocols peers_protocols[] = {
    {.name = "http", .callback = on_http, .per_session_data_size = sizeof(struct page_session)},
    {.name = HANDSHAKE_COUNTS,
     .callback = on_counts,
     .per_session_data_size = sizeof(struct peer),
     .rx_buffer_size = RECEIVE_BYTES},
    {.name = HANDSHAKE_LIVE, .callback = on_live, .per_session_data_size = sizeof(struct peer)},
    LWS_PROTOCOL_LIST_TERM,
};
