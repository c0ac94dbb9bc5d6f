/* SPDX-License-Identifier: Apache-2.0 */
#include "link.h"

#include "lanes.h"
#include "mesh/abseil.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/log.h"
#include "rpc.h"

#include <assert.h>
#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/support/alloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define BACKOFF_MS_MIN 50
#define BACKOFF_MS_MAX 1000
#define CHECK_US 1000000      /* between health checks, and how long one may take */
#define CHECK_IDLE_US 4000000 /* between them where nothing was sent for so long */
#define CHECK_AGAIN_US 100000 /* between health checks while there is no stream to send on */
#define TICK_US 500000        /* the thread wakes at least this often */
#define CLOSE_US 1000000      /* for replies that come after one of the lanes has ended */

struct link {
    struct link_handler handler;
    grpc_channel *channel;
    grpc_completion_queue *cq;
    pthread_t thread;
    bool thread_started;
    atomic_bool serving;
    atomic_bool stop;
    struct lanes lanes;
    /* the link's thread */
    bool up;
    struct lane *ended;  /* the first that did */
    int64_t close_by_us; /* when the others must have */
    struct rpc_call check;
    int64_t stream_at_us; /* when to start the next stream */
    int64_t check_at_us;
    uint32_t backoff_ms;
    bool secure; /* TLS */
    bool lost_logged;
    bool woken; /* by link_free(), which needs the queue until then */
    bool cq_shut;
};

static void check_start(struct link *link)
{
    struct rpc_call *call = &link->check;
    gpr_timespec until =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_micros(CHECK_US, GPR_TIMESPAN));
    rpc_call_start(call, link->channel, link->cq, "/grpc.health.v1.Health/Check", until);
    grpc_slice nothing = grpc_empty_slice(); /* HealthCheckRequest{}: the server as a whole */
    grpc_byte_buffer *request = grpc_raw_byte_buffer_create(&nothing, 1);
    const grpc_op ops[] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},
                           rpc_send_message(request),
                           {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
                           rpc_receive_initial(call),
                           rpc_receive_message(call),
                           rpc_receive_status(call)};
    rpc_call_batch(call, ops, MESH_COUNT_OF(ops), lanes_tag(LANE_NONE_CHECK, 0));
    grpc_byte_buffer_destroy(request);
}

/* Only a server that says SERVING gets messages: one that has just started refuses everything until
 * it knows Kafka, and what is resent to it would end as unknown. */
static void go_up(struct link *link)
{
    bool started = atomic_load(&link->lanes.count) > 0 && !atomic_load(&link->lanes.closing);
    if (!link->up && started && !atomic_load(&link->stop)) {
        link->up = true;
        if (link->lost_logged) {
            link->lost_logged = false;
            mesh_log(MESH_LOG_INFO, "grpc_stream_up");
        }
        link->handler.up(link->handler.arg);
    }
}

/* A handshake that fails ends no stream, for there was none: the check's status says why. Told
 * once, until a stream is up. */
static void tell_unreachable(struct link *link)
{
    if (!link->secure || link->check.status != GRPC_STATUS_UNAVAILABLE || link->lost_logged) {
        return;
    }
    link->lost_logged = true;
    char *details = grpc_slice_to_c_string(link->check.details);
    mesh_log(MESH_LOG_ERROR, "grpc_unreachable", MESH_LOG_TEXT("code", "UNAVAILABLE"),
             MESH_LOG_TEXT("message", details));
    gpr_free(details);
}

static void check_ended(struct link *link)
{
    /* HealthCheckResponse{status: SERVING} */
    static const uint8_t serving[] = {0x08, 0x01};
    struct rpc_call *call = &link->check;
    bool good = false;
    grpc_slice reply;
    if (call->status == GRPC_STATUS_OK && rpc_take_message(call, &reply)) {
        good = GRPC_SLICE_LENGTH(reply) == sizeof(serving) &&
               memcmp(GRPC_SLICE_START_PTR(reply), serving, sizeof(serving)) == 0;
        grpc_slice_unref(reply);
    }
    atomic_store(&link->serving, good);
    tell_unreachable(link);
    rpc_call_done(call);
    if (good) {
        go_up(link);
    }
    int64_t now_us = mesh_clock_mono_us();
    bool idle = now_us - atomic_load(&link->lanes.sent_us) > CHECK_IDLE_US;
    int64_t pause_us = idle ? CHECK_IDLE_US : CHECK_US;
    link->check_at_us = now_us + (link->up ? pause_us : CHECK_AGAIN_US);
}

/* Half to all of a delay that doubles with every stream that ended without a reply. */
static int64_t backoff_us(struct link *link)
{
    link->backoff_ms = link->backoff_ms == 0 ? BACKOFF_MS_MIN : link->backoff_ms * 2;
    if (link->backoff_ms > BACKOFF_MS_MAX) {
        link->backoff_ms = BACKOFF_MS_MAX;
    }
    int64_t half_us = (int64_t)link->backoff_ms * 500;
    return half_us + mesh_clock_mono_us() % half_us;
}

/* A lane's status is in, so it is over, and the others end once they have their replies. Senders
 * must hear of it while this completion still counts in lanes.ops: once that is 0 the calls are
 * taken away, and nobody may be about to send on one. */
static void close_stream(struct link *link, struct lane *lane)
{
    if (atomic_exchange(&link->lanes.closing, true)) {
        return;
    }
    link->ended = lane;
    link->close_by_us = mesh_clock_mono_us() + CLOSE_US;
    if (link->up) {
        link->handler.closing(link->handler.arg);
    }
    lanes_cancel_idle(&link->lanes);
}

static void stream_ended(struct link *link)
{
    struct rpc_call *call = &link->ended->call;
    if (!link->lost_logged && !atomic_load(&link->stop)) {
        link->lost_logged = true;
        char *details = grpc_slice_to_c_string(call->details);
        mesh_log(MESH_LOG_WARN, "grpc_stream_ended",
                 MESH_LOG_TEXT("code", mesh_code_name((enum mesh_code)call->status)),
                 MESH_LOG_TEXT("message", details));
        gpr_free(details);
    }
    lanes_done(&link->lanes);
    link->stream_at_us = mesh_clock_mono_us() + backoff_us(link);
    if (link->up) {
        link->up = false;
        link->handler.down(link->handler.arg);
    }
}

static void exchanged(struct link *link, struct lane *lane)
{
    grpc_slice reply;
    if (!lanes_take_reply(&link->lanes, lane, &reply)) {
        return; /* the lane ends; its status comes or has come */
    }
    bool good = link->handler.reply(
        link->handler.arg, mesh_bytes_of(GRPC_SLICE_START_PTR(reply), GRPC_SLICE_LENGTH(reply)));
    grpc_slice_unref(reply);
    if (!good) {
        lanes_cancel(&link->lanes, GRPC_STATUS_INTERNAL, "reply makes no sense");
        return;
    }
    link->backoff_ms = 0;
    if (atomic_load(&link->lanes.closing)) {
        lanes_cancel_idle(&link->lanes);
    }
}

/* Whoever was idle is checked as often as others from now on. */
static void check_soon(struct link *link)
{
    int64_t until_us = mesh_clock_mono_us() + CHECK_US;
    if (link->check_at_us > until_us) {
        link->check_at_us = until_us;
    }
}

static void handle(struct link *link, const grpc_event *event)
{
    size_t index;
    enum lane_tag tag = lanes_tag_read(event->tag, &index);
    struct lane *lane = &link->lanes.at[index];
    switch (tag) {
    case LANE_NONE_CHECK:
        check_ended(link);
        return;
    case LANE_NONE_WAKE:
        link->woken = true;
        return;
    case LANE_STARTED:
        link->check_at_us = 0; /* the server is there: ask it now */
        break;
    case LANE_EXCHANGED:
        check_soon(link);
        exchanged(link, lane);
        break;
    case LANE_ENDED:
        close_stream(link, lane);
        break;
    }
    if (atomic_fetch_sub(&link->lanes.ops, 1) == 1) {
        stream_ended(link);
    }
}

static int64_t tick_us(const struct link *link)
{
    return atomic_load(&link->lanes.in_flight) > 0 ? LINK_TICK_MS * INT64_C(1000) : TICK_US;
}

/* Starts what is due; returns when to look again. */
static int64_t start_due(struct link *link, int64_t now_us)
{
    int64_t next_us = now_us + tick_us(link);
    if (atomic_load(&link->lanes.count) == 0) {
        if (now_us >= link->stream_at_us) {
            lanes_start(&link->lanes, GRPC_INITIAL_METADATA_WAIT_FOR_READY);
        } else if (link->stream_at_us < next_us) {
            next_us = link->stream_at_us;
        }
    }
    if (link->check.call == NULL) {
        if (now_us >= link->check_at_us) {
            check_start(link);
        } else if (link->check_at_us < next_us) {
            next_us = link->check_at_us;
        }
    }
    return next_us;
}

/* Cancels what runs; once nothing does, shuts the queue. */
static void stop_all(struct link *link)
{
    lanes_cancel(&link->lanes, GRPC_STATUS_CANCELLED, "the client ends");
    if (link->check.call != NULL) {
        grpc_call_cancel(link->check.call, NULL);
    }
    bool over = atomic_load(&link->lanes.count) == 0 && link->check.call == NULL;
    if (over && link->woken && !link->cq_shut) {
        link->cq_shut = true;
        grpc_completion_queue_shutdown(link->cq);
    }
}

static void *run(void *arg)
{
    struct link *link = arg;
    int64_t ticked_us = 0;
    for (;;) {
        int64_t now_us = mesh_clock_mono_us();
        int64_t next_us = now_us + TICK_US;
        if (atomic_load(&link->stop)) {
            stop_all(link);
        } else {
            next_us = start_due(link, now_us);
        }
        if (now_us - ticked_us >= tick_us(link) / 2) {
            ticked_us = now_us;
            bool late = atomic_load(&link->lanes.closing) && now_us >= link->close_by_us;
            if (!link->handler.tick(link->handler.arg) || late) {
                lanes_cancel(&link->lanes, GRPC_STATUS_DEADLINE_EXCEEDED, "no answer for too long");
            }
        }
        gpr_timespec until = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                          gpr_time_from_micros(next_us - now_us, GPR_TIMESPAN));
        grpc_event event = grpc_completion_queue_next(link->cq, until, NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN) {
            return NULL;
        }
        if (event.type == GRPC_OP_COMPLETE) {
            handle(link, &event);
        }
    }
}

struct link *link_new(const struct rpc_target *target, const struct link_handler *handler,
                      struct mesh_error *err)
{
    (void)mesh_abseil_checks_off();
    gpr_set_log_function(rpc_log_line);
    grpc_init();
    struct link *link = mesh_new(struct link);
    link->secure = target->tls != NULL && mesh_tls_given(target->tls->ca);
    link->handler = *handler;
    link->channel = rpc_channel_new(target);
    link->cq = grpc_completion_queue_create_for_next(NULL);
    link->lanes.channel = link->channel;
    link->lanes.cq = link->cq;
    if (pthread_create(&link->thread, NULL, run, link) != 0) {
        mesh_fail(err, MESH_RESOURCE_EXHAUSTED, "cannot start the gRPC thread");
        grpc_completion_queue_shutdown(link->cq);
        link_free(link);
        return NULL;
    }
    link->thread_started = true;
    pthread_setname_np(link->thread, "grpc");
    return link;
}

void link_reserve(struct link *link)
{
    atomic_fetch_add(&link->lanes.ops, 1);
}

void link_send(struct link *link, const struct mesh_bytes *parts, size_t count)
{
    lanes_send(&link->lanes, parts, count);
}

bool link_serving(const struct link *link)
{
    return atomic_load(&link->serving);
}

/* The thread sleeps in the queue; a watch whose time is over comes out of it at once. */
static void wake(struct link *link)
{
    grpc_connectivity_state state = grpc_channel_check_connectivity_state(link->channel, 0);
    grpc_channel_watch_connectivity_state(link->channel, state, gpr_time_0(GPR_CLOCK_MONOTONIC),
                                          link->cq, lanes_tag(LANE_NONE_WAKE, 0));
}

void link_free(struct link *link)
{
    if (link == NULL) {
        return;
    }
    if (link->thread_started) {
        atomic_store(&link->stop, true);
        wake(link);
        pthread_join(link->thread, NULL);
    }
    grpc_completion_queue_destroy(link->cq);
    grpc_channel_destroy(link->channel);
    free(link);
    grpc_shutdown();
}
