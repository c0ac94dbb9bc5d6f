/* SPDX-License-Identifier: Apache-2.0 */
#include "http.h"

#include "framing.h"
#include "listen.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "route.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* libmicrohttpd's memory for one connection. What does not fit it refuses itself, as HTML; so heads
 * are refused here long before. */
#define CONNECTION_BYTES 16384
#define HEAD_BYTES_MAX 8192
#define PATH_BYTES_MAX 2048
#define THREADS_DEFAULT_MAX 4
#define DRAIN_POLL_NS 5000000
#define EXPIRE_US_MAX 1000000

struct http {
    struct MHD_Daemon *daemon;
    struct connection_desk connections;
    struct request_desk *requests;
    struct routes *routes;
    atomic_bool closing;
    atomic_size_t in_flight;
    struct mesh_metric *in_flight_level;
    uint16_t port;
};

/* One request of any route, from its head until libmicrohttpd is done with it. */
struct exchange {
    struct http *http;
    struct MHD_Connection *mhd;
    struct connection *connection;
    const struct route *route;
    struct request *request; /* NULL: nothing but the route decides the answer */
    const char *method;
    int64_t started_us;
    size_t ignored_bytes; /* of a body that nobody wants */
    bool head_too_large;
    bool path_too_long;
    bool ended;     /* the body is complete */
    bool suspended; /* at some time */
    int status;     /* of the answer; 0: none */
};

static void suspend(void *arg)
{
    struct exchange *exchange = arg;
    exchange->suspended = true;
    MHD_suspend_connection(exchange->mhd);
}

static void wake(void *arg)
{
    struct exchange *exchange = arg;
    MHD_resume_connection(exchange->mhd);
}

static const char *header(struct MHD_Connection *mhd, const char *name)
{
    return MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, name);
}

/* Queues the answer; its body goes to libmicrohttpd. */
static enum MHD_Result send_answer(struct exchange *exchange, struct answer *answer,
                                   const char *allow)
{
    if (!connection_answers(exchange->connection)) {
        mesh_buffer_done(&answer->body);
        return MHD_NO;
    }
    struct MHD_Response *response = MHD_create_response_from_buffer(
        answer->body.size, answer->body.data, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        abort(); /* only for want of memory */
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type);
    if (answer->retry_after) {
        char seconds[16];
        snprintf(seconds, sizeof(seconds), "%u",
                 request_desk_retry_after_s(exchange->http->requests, exchange->started_us));
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    }
    if (allow != NULL) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
    }
    if (atomic_load_explicit(&exchange->http->closing, memory_order_relaxed)) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    exchange->status = answer->status;
    enum MHD_Result result = MHD_queue_response(exchange->mhd, (unsigned)answer->status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_request(struct exchange *exchange)
{
    struct answer answer;
    request_answer(exchange->request, &answer);
    return send_answer(exchange, &answer, NULL);
}

/* Answers what is no request to a stream. */
static enum MHD_Result answer_route(struct exchange *exchange)
{
    const struct route *route = exchange->route;
    struct answer answer;
    if (exchange->path_too_long || exchange->head_too_large) {
        answer_problem(exchange->path_too_long ? PROBLEM_PATH_TOO_LONG : PROBLEM_HEAD_TOO_LARGE,
                       NULL, &answer);
        return send_answer(exchange, &answer, NULL);
    }
    if (route->kind == ROUTE_NONE) {
        answer_problem(PROBLEM_NOT_FOUND, NULL, &answer);
        return send_answer(exchange, &answer, NULL);
    }
    if (!route_takes(route, exchange->method)) {
        answer_problem(PROBLEM_METHOD_NOT_ALLOWED, NULL, &answer);
        return send_answer(exchange, &answer, route_allow(route));
    }
    answer = (struct answer){.status = 200, .content_type = ANSWER_JSON};
    mesh_buffer_add(&answer.body, route->page);
    return send_answer(exchange, &answer, NULL);
}

static struct request *open_request(struct exchange *exchange)
{
    struct MHD_Connection *mhd = exchange->mhd;
    return request_new(
        exchange->http->requests,
        &(struct request_head){.stream = exchange->route->stream,
                               .stream_index = exchange->route->stream_index,
                               .content_type = header(mhd, MHD_HTTP_HEADER_CONTENT_TYPE),
                               .content_encoding = header(mhd, MHD_HTTP_HEADER_CONTENT_ENCODING),
                               .content_length = header(mhd, MHD_HTTP_HEADER_CONTENT_LENGTH),
                               .idempotency_key = header(mhd, "Idempotency-Key"),
                               .traceparent = header(mhd, "traceparent"),
                               .wake = wake,
                               .arg = exchange});
}

static enum MHD_Result on_head(struct http *http, struct MHD_Connection *mhd, const char *path,
                               const char *method, void **slot)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct connection *connection = info->socket_context;
    if (!connection_head_done(connection)) {
        return MHD_NO;
    }
    struct exchange *exchange = mesh_new(struct exchange);
    *slot = exchange;
    exchange->http = http;
    exchange->mhd = mhd;
    exchange->connection = connection;
    exchange->method = method;
    exchange->started_us = mesh_clock_mono_us();
    exchange->route = routes_find(http->routes, path);
    atomic_fetch_add(&http->in_flight, 1);
    mesh_metric_move(http->in_flight_level, 1);
    info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    exchange->head_too_large = info->header_size > HEAD_BYTES_MAX;
    exchange->path_too_long = strlen(path) > PATH_BYTES_MAX;
    if (exchange->head_too_large || exchange->path_too_long ||
        exchange->route->kind != ROUTE_STREAM || !route_takes(exchange->route, method)) {
        return MHD_YES;
    }
    if (!framing_is_clear(mhd)) {
        struct answer answer;
        answer_problem(PROBLEM_AMBIGUOUS, NULL, &answer);
        return send_answer(exchange, &answer, NULL); /* libmicrohttpd then closes the connection */
    }
    exchange->request = open_request(exchange);
    if (!request_answers_early(exchange->request)) {
        return MHD_YES;
    }
    connection_answers_early(connection);
    return answer_request(exchange);
}

static enum MHD_Result on_body(struct exchange *exchange, struct mesh_bytes piece)
{
    bool good = true;
    if (exchange->status != 0) {
        return MHD_YES; /* answered early; libmicrohttpd throws the rest away */
    }
    if (exchange->request != NULL) {
        good = request_body_add(exchange->request, piece);
    } else {
        exchange->ignored_bytes += piece.size;
        good = exchange->ignored_bytes <= BODY_BYTES_MAX;
    }
    if (!good) {
        exchange->status = problem_status(PROBLEM_TOO_LARGE);
        connection_refuse(exchange->connection, PROBLEM_TOO_LARGE, "a body may have 1048576 bytes");
        return MHD_NO;
    }
    return MHD_YES;
}

static enum MHD_Result on_end(struct exchange *exchange)
{
    if (exchange->request == NULL) {
        return answer_route(exchange);
    }
    if (!exchange->ended) {
        exchange->ended = true;
        if (!connection_body_done(exchange->connection)) {
            return MHD_NO;
        }
        request_body_end(exchange->request, suspend);
        if (exchange->suspended) {
            connection_waits(exchange->connection, exchange->request);
            return MHD_YES; /* called again once it was woken */
        }
    }
    return answer_request(exchange);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_size, void **slot)
{
    (void)version;
    struct exchange *exchange = *slot;
    if (exchange == NULL) {
        return on_head(cls, mhd, path, method, slot);
    }
    if (*data_size > 0) {
        struct mesh_bytes piece = mesh_bytes_of(data, *data_size);
        *data_size = 0;
        return on_body(exchange, piece);
    }
    return on_end(exchange);
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **slot,
                         enum MHD_RequestTerminationCode why)
{
    (void)cls;
    (void)mhd;
    (void)why;
    struct exchange *exchange = *slot;
    if (exchange == NULL) {
        return;
    }
    struct http *http = exchange->http;
    route_count(exchange->route, exchange->status, mesh_clock_mono_us() - exchange->started_us);
    connection_request_done(exchange->connection);
    if (exchange->request != NULL) {
        request_unref(exchange->request);
    }
    free(exchange);
    *slot = NULL;
    mesh_metric_move(http->in_flight_level, -1);
    atomic_fetch_sub(&http->in_flight, 1);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **slot,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *http = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        *slot = connection_new(&http->connections, info->connect_fd);
    } else if (*slot != NULL) {
        connection_free(*slot);
        *slot = NULL;
    }
}

static uint32_t thread_count(uint32_t wanted)
{
    if (wanted > 0) {
        return wanted;
    }
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores < 1 ? 1 : cores > THREADS_DEFAULT_MAX ? THREADS_DEFAULT_MAX : (uint32_t)cores;
}

static bool daemon_start(struct http *http, int socket, const struct http_options *options,
                         struct mesh_error *err)
{
    http->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO, 0, NULL, NULL,
        on_request, http, MHD_OPTION_LISTEN_SOCKET, socket, MHD_OPTION_THREAD_POOL_SIZE,
        (unsigned)thread_count(options->threads), MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)options->connections_max, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)options->idle_s_max, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, http, MHD_OPTION_CLIENT_DISCIPLINE_LVL, (int)1,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, (int)1, MHD_OPTION_END);
    if (http->daemon == NULL) {
        return mesh_fail(err, MESH_UNAVAILABLE, "libmicrohttpd does not start: %s",
                         strerror(errno));
    }
    return true;
}

struct http *http_new(const struct http_options *options, struct mesh_error *err)
{
    struct http *http = mesh_new(struct http);
    http->requests = options->requests;
    http->connections.deadlines = options->deadlines;
    http->connections.limits = options->limits;
    connection_desk_init(&http->connections);
    http->in_flight_level =
        mesh_gauge("tweetmesh_requests_in_flight", NULL, "HTTP requests without an answer yet.");
    http->routes = routes_new(options->streams, options->openapi);
    int socket = listen_on(options->host, options->port, &http->port, err);
    if (socket < 0) {
        http_free(http, 0);
        return NULL;
    }
    if (!daemon_start(http, socket, options, err)) {
        close(socket);
        http_free(http, 0);
        return NULL;
    }
    return http;
}

uint16_t http_port(const struct http *http)
{
    return http->port;
}

void http_close_connections(struct http *http)
{
    atomic_store(&http->closing, true);
}

/* Waits until nothing is in flight. */
static void drain(struct http *http, uint64_t drain_ms)
{
    int64_t until_us = mesh_clock_mono_us() + (int64_t)drain_ms * 1000;
    int64_t late_us = 0;
    /* Past the time, what waits is answered; then only clients that do not read are left. */
    while (atomic_load(&http->in_flight) > 0 && late_us < EXPIRE_US_MAX) {
        late_us = mesh_clock_mono_us() - until_us;
        if (late_us >= 0) {
            connection_desk_expire_all(&http->connections);
        }
        nanosleep(&(struct timespec){.tv_nsec = DRAIN_POLL_NS}, NULL);
    }
}

void http_free(struct http *http, uint64_t drain_ms)
{
    if (http == NULL) {
        return;
    }
    if (http->daemon != NULL) {
        http_close_connections(http);
        MHD_socket listener = MHD_quiesce_daemon(http->daemon);
        connection_desk_close_idle(&http->connections);
        drain(http, drain_ms);
        MHD_stop_daemon(http->daemon);
        if (listener != MHD_INVALID_SOCKET) {
            close(listener);
        }
    }
    connection_desk_done(&http->connections);
    routes_free(http->routes);
    free(http);
}
