/* SPDX-License-Identifier: Apache-2.0 */
#include "link.h"

#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/log.h"

#include <assert.h>
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define BACKOFF_MS_MIN 50
#define BACKOFF_MS_MAX 1000
#define CHECK_MS 1000 /* between health checks, and how long one may take */
#define TICK_MS 500   /* the thread wakes at least this often */
#define KEEPALIVE_MS 10000
#define KEEPALIVE_TIMEOUT_MS 5000
#define MESSAGE_BYTES_MAX (4 * 1024 * 1024)

/* What a completion stands for. There is one stream and one health check at a time. */
enum tag { TAG_START = 1, TAG_SEND, TAG_RECEIVE, TAG_STATUS, TAG_CHECK, TAG_WAKE };

struct call {
    grpc_call *call; /* NULL: there is none */
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_byte_buffer *received;
    grpc_status_code status;
    grpc_slice details;
};

struct link {
    struct link_handler handler;
    grpc_channel *channel;
    grpc_completion_queue *cq;
    pthread_t thread;
    bool thread_started;
    atomic_bool serving;
    atomic_bool stop;
    /* Batches of the stream that have not completed, and the announced send. At 0 it is taken away.
     */
    atomic_int stream_ops;
    struct call
        stream; /* the link's thread; .call by senders, too, between reserve and completion */
    /* the link's thread */
    bool up;
    struct call check;
    int64_t stream_at_us; /* when to start the next stream */
    int64_t check_at_us;
    uint32_t backoff_ms;
    bool lost_logged;
    bool woken; /* by link_free(), which needs the queue until then */
    bool cq_shut;
};

static void *tag_of(enum tag tag)
{
    return (void *)(intptr_t)tag;
}

static void start_batch(struct call *call, const grpc_op *ops, size_t count, enum tag tag)
{
    grpc_call_error error = grpc_call_start_batch(call->call, ops, count, tag_of(tag), NULL);
    if (error != GRPC_CALL_OK) {
        abort(); /* a batch that the library refuses is our own bug */
    }
}

static void call_start(struct link *link, struct call *call, const char *method, gpr_timespec until)
{
    call->call = grpc_channel_create_call(link->channel, NULL, GRPC_PROPAGATE_DEFAULTS, link->cq,
                                          grpc_slice_from_static_string(method), NULL, until, NULL);
    grpc_metadata_array_init(&call->initial);
    grpc_metadata_array_init(&call->trailing);
    call->details = grpc_empty_slice();
    call->received = NULL;
}

static void call_done(struct call *call)
{
    grpc_metadata_array_destroy(&call->initial);
    grpc_metadata_array_destroy(&call->trailing);
    grpc_slice_unref(call->details);
    if (call->received != NULL) {
        grpc_byte_buffer_destroy(call->received);
    }
    grpc_call_unref(call->call);
    *call = (struct call){0};
}

static void receive(struct link *link)
{
    atomic_fetch_add(&link->stream_ops, 1);
    start_batch(&link->stream,
                &(grpc_op){.op = GRPC_OP_RECV_MESSAGE,
                           .data.recv_message.recv_message = &link->stream.received},
                1, TAG_RECEIVE);
}

static void stream_start(struct link *link)
{
    struct call *call = &link->stream;
    call_start(link, call, "/tweetmesh.v1.Ingest/PublishStream",
               gpr_inf_future(GPR_CLOCK_REALTIME));
    atomic_store(&link->stream_ops, 2);
    start_batch(call,
                (grpc_op[]){{.op = GRPC_OP_SEND_INITIAL_METADATA,
                             .flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY},
                            {.op = GRPC_OP_RECV_INITIAL_METADATA,
                             .data.recv_initial_metadata.recv_initial_metadata = &call->initial}},
                2, TAG_START);
    start_batch(call,
                &(grpc_op){.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
                           .data.recv_status_on_client = {.trailing_metadata = &call->trailing,
                                                          .status = &call->status,
                                                          .status_details = &call->details}},
                1, TAG_STATUS);
    receive(link);
}

static void check_start(struct link *link)
{
    struct call *call = &link->check;
    gpr_timespec until =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(CHECK_MS, GPR_TIMESPAN));
    call_start(link, call, "/grpc.health.v1.Health/Check", until);
    grpc_slice nothing = grpc_empty_slice(); /* HealthCheckRequest{}: the server as a whole */
    grpc_byte_buffer *request = grpc_raw_byte_buffer_create(&nothing, 1);
    start_batch(
        call,
        (grpc_op[]){{.op = GRPC_OP_SEND_INITIAL_METADATA},
                    {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = request},
                    {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
                    {.op = GRPC_OP_RECV_INITIAL_METADATA,
                     .data.recv_initial_metadata.recv_initial_metadata = &call->initial},
                    {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->received},
                    {.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
                     .data.recv_status_on_client = {.trailing_metadata = &call->trailing,
                                                    .status = &call->status,
                                                    .status_details = &call->details}}},
        6, TAG_CHECK);
    grpc_byte_buffer_destroy(request);
}

/* Copies a message into one slice; the caller unrefs it. */
static bool read_all(grpc_byte_buffer *buffer, grpc_slice *out)
{
    grpc_byte_buffer_reader reader;
    if (!grpc_byte_buffer_reader_init(&reader, buffer)) {
        return false;
    }
    *out = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    return true;
}

static void go_up(struct link *link)
{
    if (!link->up && link->stream.call != NULL && !atomic_load(&link->stop)) {
        link->up = true;
        if (link->lost_logged) {
            link->lost_logged = false;
            mesh_log(MESH_LOG_INFO, "grpc_stream_up");
        }
        link->handler.up(link->handler.arg);
    }
}

static void check_ended(struct link *link)
{
    /* HealthCheckResponse{status: SERVING} */
    static const uint8_t serving[] = {0x08, 0x01};
    struct call *call = &link->check;
    bool good = false;
    grpc_slice reply;
    if (call->status == GRPC_STATUS_OK && call->received != NULL &&
        read_all(call->received, &reply)) {
        good = GRPC_SLICE_LENGTH(reply) == sizeof(serving) &&
               memcmp(GRPC_SLICE_START_PTR(reply), serving, sizeof(serving)) == 0;
        grpc_slice_unref(reply);
    }
    atomic_store(&link->serving, good);
    call_done(call);
    link->check_at_us = mesh_clock_mono_us() + CHECK_MS * 1000;
    if (good) {
        /* The stream's initial metadata may come only with its first reply. */
        go_up(link);
    }
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

static void stream_ended(struct link *link)
{
    if (!link->lost_logged && !atomic_load(&link->stop)) {
        link->lost_logged = true;
        char *details = grpc_slice_to_c_string(link->stream.details);
        mesh_log(MESH_LOG_WARN, "grpc_stream_ended",
                 MESH_LOG_TEXT("code", mesh_code_name((enum mesh_code)link->stream.status)),
                 MESH_LOG_TEXT("message", details));
        gpr_free(details);
    }
    call_done(&link->stream);
    link->stream_at_us = mesh_clock_mono_us() + backoff_us(link);
    if (link->up) {
        link->up = false;
        link->handler.down(link->handler.arg);
    }
}

static void received(struct link *link)
{
    struct call *call = &link->stream;
    if (call->received == NULL) {
        return; /* the stream ends; its status comes or has come */
    }
    grpc_slice message;
    bool good = read_all(call->received, &message);
    grpc_byte_buffer_destroy(call->received);
    call->received = NULL;
    if (good) {
        go_up(link);
        good = link->handler.reply(link->handler.arg, mesh_bytes_of(GRPC_SLICE_START_PTR(message),
                                                                    GRPC_SLICE_LENGTH(message)));
        grpc_slice_unref(message);
    }
    if (!good) {
        grpc_call_cancel_with_status(call->call, GRPC_STATUS_INTERNAL, "reply makes no sense",
                                     NULL);
        return;
    }
    link->backoff_ms = 0;
    receive(link);
}

static void handle(struct link *link, const grpc_event *event)
{
    enum tag tag = (enum tag)(intptr_t)event->tag;
    switch (tag) {
    case TAG_CHECK:
        check_ended(link);
        return;
    case TAG_WAKE:
        link->woken = true;
        return;
    case TAG_START:
        if (event->success) {
            go_up(link);
        }
        break;
    case TAG_SEND:
        link->handler.sent(link->handler.arg, event->success);
        break;
    case TAG_RECEIVE:
        received(link);
        break;
    case TAG_STATUS:
        break;
    }
    if (atomic_fetch_sub(&link->stream_ops, 1) == 1) {
        stream_ended(link);
    }
}

/* Starts what is due; returns when to look again. */
static int64_t start_due(struct link *link, int64_t now_us)
{
    int64_t next_us = now_us + TICK_MS * 1000;
    if (link->stream.call == NULL) {
        if (now_us >= link->stream_at_us) {
            stream_start(link);
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
    if (link->stream.call != NULL) {
        grpc_call_cancel(link->stream.call, NULL);
    }
    if (link->check.call != NULL) {
        grpc_call_cancel(link->check.call, NULL);
    }
    if (link->stream.call == NULL && link->check.call == NULL && link->woken && !link->cq_shut) {
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
        int64_t next_us = now_us + TICK_MS * 1000;
        if (atomic_load(&link->stop)) {
            stop_all(link);
        } else {
            next_us = start_due(link, now_us);
        }
        if (now_us - ticked_us >= TICK_MS * 1000 / 2) {
            ticked_us = now_us;
            if (!link->handler.tick(link->handler.arg) && link->stream.call != NULL) {
                grpc_call_cancel_with_status(link->stream.call, GRPC_STATUS_DEADLINE_EXCEEDED,
                                             "no answer for too long", NULL);
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

static grpc_arg int_arg(const char *name, int value)
{
    return (grpc_arg){
        .type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)name, .value.integer = value};
}

static grpc_channel *channel_new(const char *target)
{
    grpc_arg list[] = {
        int_arg(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
        int_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS),
        int_arg(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
        int_arg(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, BACKOFF_MS_MIN),
        int_arg(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, BACKOFF_MS_MAX),
        int_arg(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, BACKOFF_MS_MAX),
        int_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, MESSAGE_BYTES_MAX),
        int_arg(GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, MESSAGE_BYTES_MAX),
        int_arg(GRPC_ARG_ENABLE_RETRIES, 0), /* a resend is ours to decide */
        int_arg(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1),
        int_arg(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
    };
    grpc_channel_args args = {.num_args = MESH_COUNT_OF(list), .args = list};
    grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
    grpc_channel *channel = grpc_channel_create(target, credentials, &args);
    grpc_channel_credentials_release(credentials);
    return channel;
}

struct link *link_new(const char *target, const struct link_handler *handler,
                      struct mesh_error *err)
{
    grpc_init();
    struct link *link = mesh_new(struct link);
    link->handler = *handler;
    link->channel = channel_new(target);
    link->cq = grpc_completion_queue_create_for_next(NULL);
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
    atomic_fetch_add(&link->stream_ops, 1);
}

void link_send(struct link *link, const struct mesh_bytes *parts, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += parts[i].size;
    }
    grpc_slice slice = grpc_slice_malloc(size);
    uint8_t *to = GRPC_SLICE_START_PTR(slice);
    for (size_t i = 0; i < count; i++) {
        memcpy(to, parts[i].data, parts[i].size);
        to += parts[i].size;
    }
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    start_batch(&link->stream,
                &(grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = message},
                1, TAG_SEND);
    grpc_byte_buffer_destroy(message);
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
                                          link->cq, tag_of(TAG_WAKE));
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
