/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include "address.h"
#include "call_life.h"
#include "credentials.h"
#include "mesh/abseil.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/log.h"
#include "mesh/metrics.h"
#include "mesh/shutdown.h"

#include <assert.h>
#include <grpc/grpc_security.h>
#include <grpc/support/log.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    CALLS_AWAITED = 8,              /* per worker, so that bursts need not wait for us */
    METADATA_BYTES_MAX = 16 * 1024, /* headers of a call */
    STREAMS_PER_CONNECTION_MAX = 128,
    KEEPALIVE_MS = 30000, /* a silent client is asked whether it is there */
    KEEPALIVE_TIMEOUT_MS = 10000,
    TICK_MS = 1000,
};

struct worker {
    struct server *server;
    struct call_owner owner; /* arg: this worker */
    grpc_completion_queue *queue;
    pthread_t thread;
    bool runs;
    bool ticks;
};

struct server {
    struct server_options options;
    grpc_server *grpc;
    struct worker workers[SERVER_THREADS_MAX];
    uint16_t ports[SERVER_ADDRESSES_MAX];
    size_t address_count;
    bool started;
    atomic_bool draining;
    struct operation shut_down;
    struct mesh_metric *calls_now;
    struct mesh_metric *calls_full;

    pthread_mutex_t mutex; /* guards everything below; taken before a call's mutex */
    pthread_cond_t is_down_now;
    bool is_down;
    struct call *calls;
    uint32_t call_count;
};

/* gRPC calls "error" what we cope with: a client that speaks something else, a port in use. But
 * once it could not accept, for lack of descriptors say, it never does again: then only a new
 * process can, and this one drains. */
static void log_line(gpr_log_func_args *line)
{
    if (strncmp(line->message, "Failed accept4", strlen("Failed accept4")) == 0) {
        mesh_log(MESH_LOG_ERROR, "listening_ended", MESH_LOG_TEXT("message", line->message));
        mesh_shutdown_request(EXIT_FAILURE);
        return;
    }
    mesh_log(line->severity == GPR_LOG_SEVERITY_ERROR ? MESH_LOG_WARN : MESH_LOG_DEBUG, "gRPC",
             MESH_LOG_TEXT("file", line->file), MESH_LOG_INT("line", line->line),
             MESH_LOG_TEXT("message", line->message));
}

static const struct method *method_find(const struct server *server, grpc_slice path)
{
    for (size_t i = 0; i < server->options.method_count; i++) {
        if (grpc_slice_str_cmp(path, server->options.methods[i].path) == 0) {
            return &server->options.methods[i];
        }
    }
    return NULL;
}

static void call_more(struct worker *worker)
{
    if (atomic_load(&worker->server->draining)) {
        return;
    }
    call_await(&(struct call_options){
        .server = worker->server->grpc,
        .queue = worker->queue,
        .owner = &worker->owner,
        .requests_max = worker->server->options.call_requests_max,
    });
}

static const struct method *on_arrived(void *arg, struct call *call, grpc_slice path,
                                       enum mesh_code *out_refusal)
{
    struct worker *worker = arg;
    struct server *server = worker->server;
    const struct method *method = method_find(server, path);

    pthread_mutex_lock(&server->mutex);
    *call_next(call) = server->calls;
    if (server->calls != NULL) {
        *call_previous(server->calls) = call;
    }
    server->calls = call;
    server->call_count++;
    mesh_metric_set(server->calls_now, server->call_count);
    bool full = server->call_count > server->options.calls_max;
    pthread_mutex_unlock(&server->mutex);

    if (full) {
        mesh_metric_add(server->calls_full, 1);
        *out_refusal = MESH_RESOURCE_EXHAUSTED;
    } else if (atomic_load(&server->draining) && (method == NULL || method->kind != METHOD_UNARY)) {
        *out_refusal = MESH_UNAVAILABLE; /* server_drain() may have missed it */
    }
    call_more(worker);
    return method;
}

static void on_none(void *arg, struct call *call)
{
    (void)arg;
    (void)call;
}

static void on_released(void *arg, struct call *call)
{
    struct server *server = ((struct worker *)arg)->server;

    pthread_mutex_lock(&server->mutex);
    struct call *next = *call_next(call);
    struct call *previous = *call_previous(call);
    if (next != NULL) {
        *call_previous(next) = previous;
    }
    if (previous != NULL) {
        *call_next(previous) = next;
    } else {
        server->calls = next;
    }
    server->call_count--;
    mesh_metric_set(server->calls_now, server->call_count);
    pthread_mutex_unlock(&server->mutex);
}

static void on_shut_down(void *arg, bool success)
{
    struct server *server = arg;

    (void)success;
    pthread_mutex_lock(&server->mutex);
    server->is_down = true;
    pthread_cond_broadcast(&server->is_down_now);
    pthread_mutex_unlock(&server->mutex);
}

static gpr_timespec in_ms(int64_t ms)
{
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(ms, GPR_TIMESPAN));
}

static void *worker_run(void *arg)
{
    struct worker *worker = arg;
    struct server *server = worker->server;
    int64_t tick_us = mesh_clock_mono_us() + (int64_t)TICK_MS * 1000;

    for (;;) {
        gpr_timespec until = worker->ticks ? in_ms(TICK_MS) : gpr_inf_future(GPR_CLOCK_MONOTONIC);
        grpc_event event = grpc_completion_queue_next(worker->queue, until, NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN) {
            return NULL;
        }
        if (event.type == GRPC_OP_COMPLETE) {
            struct operation *operation = event.tag;
            operation->completed(operation->owner, event.success != 0);
        }
        if (worker->ticks && mesh_clock_mono_us() >= tick_us) {
            server->options.tick(server->options.arg);
            tick_us = mesh_clock_mono_us() + (int64_t)TICK_MS * 1000;
        }
    }
}

static grpc_arg arg_int(const char *key, int64_t value)
{
    return (grpc_arg){.type = GRPC_ARG_INTEGER,
                      .key = (char *)key,
                      .value.integer = value > INT32_MAX ? INT32_MAX : (int)value};
}

static grpc_server *grpc_make(const struct server_options *options)
{
    int64_t age_ms = options->connection_age_ms == 0 ? INT32_MAX : options->connection_age_ms;
    grpc_resource_quota *quota = grpc_resource_quota_create("tweetmesh");
    grpc_resource_quota_resize(quota, (size_t)options->memory_kb_max * 1024);
    grpc_arg args[] = {
        arg_int(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, options->message_bytes_max),
        arg_int(GRPC_ARG_MAX_METADATA_SIZE, METADATA_BYTES_MAX),
        arg_int(GRPC_ARG_MAX_CONCURRENT_STREAMS, STREAMS_PER_CONNECTION_MAX),
        arg_int(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
        arg_int(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS),
        arg_int(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        arg_int(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, options->ping_ms_min),
        arg_int(GRPC_ARG_MAX_CONNECTION_AGE_MS, age_ms),
        arg_int(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, options->connection_grace_ms),
        /* A second server on the port shall be an error, not a silent half. */
        arg_int(GRPC_ARG_ALLOW_REUSEPORT, 0),
        {.type = GRPC_ARG_POINTER,
         .key = (char *)GRPC_ARG_RESOURCE_QUOTA,
         .value.pointer = {.p = quota, .vtable = grpc_resource_quota_arg_vtable()}},
    };
    grpc_server *grpc = grpc_server_create(
        &(grpc_channel_args){.num_args = MESH_COUNT_OF(args), .args = args}, NULL);
    grpc_resource_quota_unref(quota);
    return grpc;
}

static bool address_bind(struct server *server, const char *address,
                         grpc_server_credentials *credentials, struct mesh_error *err)
{
    if (server->address_count == SERVER_ADDRESSES_MAX) {
        return mesh_fail(err, MESH_INVALID_ARGUMENT, "at most %d addresses to listen on",
                         SERVER_ADDRESSES_MAX);
    }
    if (!address_check(address, err) || !address_free_to_use(address, err)) {
        return false;
    }
    int port = grpc_server_add_http2_port(server->grpc, address, credentials);
    if (port == 0) {
        return mesh_fail(err, MESH_ALREADY_EXISTS, "cannot listen on %s: in use, or not ours",
                         address);
    }
    bool is_unix = strncmp(address, "unix:", 5) == 0;
    server->ports[server->address_count++] = is_unix ? 0 : (uint16_t)port;
    return true;
}

static bool addresses_bind(struct server *server, const char *list, struct mesh_error *err)
{
    grpc_server_credentials *plain = grpc_insecure_server_credentials_create();
    grpc_server_credentials *tls = credentials_new(server->options.tls);
    char *address = NULL;
    bool bound = true;

    while (bound && address_next(&list, &address)) {
        bool is_plain = tls == NULL || strncmp(address, "unix:", 5) == 0;
        bound = address_bind(server, address, is_plain ? plain : tls, err);
        free(address);
    }
    grpc_server_credentials_release(plain);
    if (tls != NULL) {
        grpc_server_credentials_release(tls);
    }
    if (bound && server->address_count == 0) {
        return mesh_fail(err, MESH_INVALID_ARGUMENT, "no address to listen on");
    }
    return bound;
}

static bool workers_start(struct server *server, struct mesh_error *err)
{
    for (uint32_t i = 0; i < server->options.threads; i++) {
        struct worker *worker = &server->workers[i];
        worker->ticks = i == 0 && server->options.tick != NULL;
        for (size_t j = 0; j < CALLS_AWAITED; j++) {
            call_more(worker);
        }
        if (pthread_create(&worker->thread, NULL, worker_run, worker) != 0) {
            return mesh_fail(err, MESH_RESOURCE_EXHAUSTED, "cannot start a gRPC thread");
        }
        worker->runs = true;
    }
    return true;
}

struct server *server_new(const struct server_options *options, struct mesh_error *err)
{
    struct server *server = mesh_new(struct server);
    pthread_condattr_t monotonic;

    assert(options->threads >= 1 && options->threads <= SERVER_THREADS_MAX);
    gpr_set_log_function(log_line);
    (void)mesh_abseil_checks_off();
    grpc_init();
    server->options = *options;
    server->shut_down = (struct operation){.completed = on_shut_down, .owner = server};
    server->calls_now = mesh_gauge("tweetmesh_grpc_calls", NULL, "Calls at the moment.");
    server->calls_full =
        mesh_counter("tweetmesh_limit_reached_total", "limit=\"calls\"",
                     "How often a configured limit refused or held something back.");
    pthread_mutex_init(&server->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&server->is_down_now, &monotonic);
    pthread_condattr_destroy(&monotonic);

    server->grpc = grpc_make(options);
    for (uint32_t i = 0; i < options->threads; i++) {
        struct worker *worker = &server->workers[i];
        worker->server = server;
        worker->owner = (struct call_owner){
            .arg = worker, .arrived = on_arrived, .none = on_none, .released = on_released};
        worker->queue = grpc_completion_queue_create_for_next(NULL);
        grpc_server_register_completion_queue(server->grpc, worker->queue, NULL);
    }
    if (!addresses_bind(server, options->listen, err)) {
        goto fail;
    }
    grpc_server_start(server->grpc);
    server->started = true;
    if (!workers_start(server, err)) {
        goto fail;
    }
    return server;

fail:
    server_free(server);
    return NULL;
}

uint16_t server_port(const struct server *server, size_t index)
{
    return index < server->address_count ? server->ports[index] : 0;
}

void server_status(void *arg, struct mesh_buffer *members)
{
    struct server *server = arg;

    pthread_mutex_lock(&server->mutex);
    uint32_t count = server->call_count;
    pthread_mutex_unlock(&server->mutex);
    mesh_buffer_add_format(members, "\"calls\": %" PRIu32 ", \"grpc\": \"%s\",", count,
                           grpc_version_string());
}

/* Mutex held. Waits until gRPC has nothing left, at most wait_ms. */
static bool down_wait(struct server *server, uint32_t wait_ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    until.tv_sec += (time_t)(wait_ms / 1000) + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (!server->is_down) {
        if (pthread_cond_timedwait(&server->is_down_now, &server->mutex, &until) != 0) {
            break;
        }
    }
    return server->is_down;
}

void server_drain(struct server *server, uint32_t drain_ms)
{
    if (server == NULL || atomic_exchange(&server->draining, true)) {
        return;
    }
    grpc_server_shutdown_and_notify(server->grpc, server->workers[0].queue, &server->shut_down);
    if (!server->workers[0].runs) {
        return; /* half-built: nobody turns the queue, server_free() does */
    }
    pthread_mutex_lock(&server->mutex);
    for (struct call *call = server->calls; call != NULL; call = *call_next(call)) {
        call_drain(call);
    }
    if (!down_wait(server, drain_ms)) {
        mesh_log(MESH_LOG_WARN, "calls_cancelled", MESH_LOG_INT("calls", server->call_count));
        pthread_mutex_unlock(&server->mutex);
        grpc_server_cancel_all_calls(server->grpc);
        pthread_mutex_lock(&server->mutex);
        while (!server->is_down) {
            pthread_cond_wait(&server->is_down_now, &server->mutex);
        }
    }
    pthread_mutex_unlock(&server->mutex);
}

static void worker_stop(struct worker *worker)
{
    if (worker->queue == NULL) {
        return;
    }
    grpc_completion_queue_shutdown(worker->queue);
    if (worker->runs) {
        pthread_join(worker->thread, NULL);
    } else {
        worker->ticks = false;
        (void)worker_run(worker); /* half-built: what is left in the queue */
    }
    grpc_completion_queue_destroy(worker->queue);
}

void server_free(struct server *server)
{
    if (server == NULL) {
        return;
    }
    server_drain(server, 0);
    for (size_t i = 0; i < SERVER_THREADS_MAX; i++) {
        worker_stop(&server->workers[i]);
    }
    grpc_server_destroy(server->grpc);
    grpc_shutdown();
    pthread_cond_destroy(&server->is_down_now);
    pthread_mutex_destroy(&server->mutex);
    free(server);
}
