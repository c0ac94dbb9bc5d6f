/* SPDX-License-Identifier: Apache-2.0 */
#include "http.h"

#include "head.h"
#include "listen.h"
#include "loop.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "route.h"

#include <assert.h>
#include <microhttpd.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HEAD_BYTES_MAX 8192
#define PATH_BYTES_MAX 2048
#define THREADS_DEFAULT_MAX 4
#define DRAIN_POLL_NS 5000000
#define EXPIRE_US_MAX 1000000

/* One of the threads. */
struct lane {
    struct http *http;
    struct loop *loop;
};

struct http {
    struct connection_desk connections;
    struct https *https; /* NULL: plain */
    struct request_desk *requests;
    struct routes *routes;
    atomic_bool closing;
    atomic_size_t in_flight;
    struct mesh_metric *in_flight_level;
    int listener;
    uint16_t port;
    size_t lane_count;
    struct lane lanes[];
};

/* One request of any route, from its head until libmicrohttpd is done with it. */
struct exchange {
    struct http *http;
    struct loop *loop;
    struct loop_waiter waiter; /* with its MHD_Connection */
    struct connection *connection;
    const struct route *route;
    struct request *request; /* NULL: nothing but the route decides the answer */
    const char *method;
    int64_t started_us;
    size_t head_bytes;
    size_t body_bytes; /* that came, wanted or not */
    bool chunked;      /* the body has bytes that are not counted */
    bool head_too_large;
    bool path_too_long;
    bool ended; /* the body is complete */
    bool waits; /* for outcomes, or has waited */
    int status; /* of the answer; 0: none */
};

static void wait_for_outcomes(void *arg)
{
    struct exchange *exchange = arg;
    exchange->waits = true;
    loop_wait(exchange->loop, &exchange->waiter);
}

static void wake(void *arg)
{
    struct exchange *exchange = arg;
    loop_wake(exchange->loop, &exchange->waiter);
}

/* What the connection has received for this request; CONNECTION_BYTES_UNKNOWN: not known. */
static size_t bytes_of(const struct exchange *exchange)
{
    return exchange->chunked ? CONNECTION_BYTES_UNKNOWN
                             : exchange->head_bytes + exchange->body_bytes;
}

/* Queues the answer; its body goes to libmicrohttpd. */
static enum MHD_Result send_answer(struct exchange *exchange, struct answer *answer,
                                   const char *allow)
{
    if (!connection_answers(exchange->connection, bytes_of(exchange))) {
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
    if (exchange->http->https != NULL && answer->body.size > 0 &&
        strcmp(exchange->method, "HEAD") != 0) {
        connection_gathers(exchange->connection);
    }
    enum MHD_Result result =
        MHD_queue_response(exchange->waiter.mhd, (unsigned)answer->status, response);
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

static struct request *open_request(struct exchange *exchange, const struct head *head)
{
    return request_new(exchange->http->requests,
                       &(struct request_head){.stream = exchange->route->stream,
                                              .stream_index = exchange->route->stream_index,
                                              .content_type = head->content_type,
                                              .content_encoding = head->content_encoding,
                                              .content_length = head->content_length,
                                              .idempotency_key = head->idempotency_key,
                                              .traceparent = head->traceparent,
                                              .wake = wake,
                                              .arg = exchange});
}

static struct exchange *exchange_new(struct lane *lane, struct MHD_Connection *mhd,
                                     const char *path, const char *method, int64_t now_us)
{
    struct http *http = lane->http;
    struct exchange *exchange = mesh_new(struct exchange);
    exchange->http = http;
    exchange->loop = lane->loop;
    exchange->waiter.mhd = mhd;
    exchange->connection =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    exchange->method = method;
    exchange->started_us = now_us;
    exchange->route = routes_find(http->routes, path);
    exchange->head_bytes =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
    exchange->head_too_large = exchange->head_bytes > HEAD_BYTES_MAX;
    exchange->path_too_long = strlen(path) > PATH_BYTES_MAX;
    atomic_fetch_add(&http->in_flight, 1);
    mesh_metric_move(http->in_flight_level, 1);
    return exchange;
}

static enum MHD_Result on_head(struct lane *lane, struct MHD_Connection *mhd, const char *path,
                               const char *method, void **slot)
{
    int64_t now_us = mesh_clock_mono_us();
    if (!connection_head_done(
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context,
            now_us)) {
        return MHD_NO;
    }
    struct exchange *exchange = exchange_new(lane, mhd, path, method, now_us);
    *slot = exchange;
    struct head head = head_read(mhd);
    exchange->chunked = head.transfer_encoding != NULL;
    if (exchange->head_too_large || exchange->path_too_long ||
        exchange->route->kind != ROUTE_STREAM || !route_takes(exchange->route, method)) {
        return MHD_YES;
    }
    if (head.ambiguous) {
        struct answer answer;
        answer_problem(PROBLEM_AMBIGUOUS, NULL, &answer);
        return send_answer(exchange, &answer, NULL); /* libmicrohttpd then closes the connection */
    }
    exchange->request = open_request(exchange, &head);
    if (!request_answers_early(exchange->request)) {
        return MHD_YES;
    }
    connection_answers_early(exchange->connection);
    return answer_request(exchange);
}

static enum MHD_Result on_body(struct exchange *exchange, struct mesh_bytes piece)
{
    if (exchange->status != 0) {
        return MHD_YES; /* answered early; libmicrohttpd throws the rest away */
    }
    exchange->body_bytes += piece.size;
    bool good = exchange->request != NULL ? request_body_add(exchange->request, piece)
                                          : exchange->body_bytes <= BODY_BYTES_MAX;
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
        request_body_end(exchange->request, wait_for_outcomes);
        if (exchange->waits) {
            connection_waits(exchange->connection, exchange->request);
            return MHD_YES; /* called again */
        }
    } else if (loop_waits(exchange->loop, &exchange->waiter)) {
        return MHD_YES;
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

static void exchange_done(struct exchange *exchange)
{
    struct http *http = exchange->http;
    route_count(exchange->route, exchange->status, mesh_clock_mono_us() - exchange->started_us);
    connection_request_done(exchange->connection);
    if (exchange->request != NULL) {
        request_ended(exchange->request, exchange->status, exchange->started_us);
        request_unref(exchange->request);
    }
    free(exchange);
    mesh_metric_move(http->in_flight_level, -1);
    atomic_fetch_sub(&http->in_flight, 1);
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
    *slot = NULL;
    if (loop_leaves(exchange->loop, &exchange->waiter)) {
        connection_outlives(exchange->connection); /* what is on its way is counted all the same */
    } else {
        exchange_done(exchange);
    }
}

/* The outcomes have come, but the client has gone. */
static void on_left(struct loop_waiter *waiter)
{
    exchange_done((struct exchange *)((char *)waiter - offsetof(struct exchange, waiter)));
}

static int64_t on_round(void *arg)
{
    const struct lane *lane = arg;
    return request_desk_flush(lane->http->requests);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **slot,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *http = ((struct lane *)cls)->http;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        struct connection *connection = connection_new(&http->connections, info->connect_fd);
        if (http->https != NULL) {
            connection_secure(connection, https_session_begin(http->https, mhd));
        }
        *slot = connection;
    } else if (*slot != NULL) {
        connection_free(*slot);
        *slot = NULL;
    }
}

/* Half the cores: the other threads, and what shares the machine with us, have the rest. */
static size_t thread_count(uint32_t wanted)
{
    if (wanted > 0) {
        return wanted;
    }
    long half = sysconf(_SC_NPROCESSORS_ONLN) / 2;
    return half < 1 ? 1 : half > THREADS_DEFAULT_MAX ? THREADS_DEFAULT_MAX : (size_t)half;
}

static bool lanes_start(struct http *http, const struct http_options *options, size_t count,
                        struct mesh_error *err)
{
    unsigned share = (unsigned)((options->connections_max + count - 1) / count);
    for (size_t i = 0; i < count; i++) {
        struct lane *lane = &http->lanes[i];
        lane->http = http;
        lane->loop = loop_new(&(struct loop_options){.listener = http->listener,
                                                     .tls = http->https != NULL,
                                                     .connections_max = share,
                                                     .idle_s_max = options->idle_s_max,
                                                     .on_request = on_request,
                                                     .on_completed = on_completed,
                                                     .on_connection = on_connection,
                                                     .on_left = on_left,
                                                     .on_round = on_round,
                                                     .arg = lane},
                              err);
        if (lane->loop == NULL) {
            return false;
        }
        http->lane_count++;
        if (!loop_start(lane->loop, err)) {
            return false;
        }
    }
    return true;
}

struct http *http_new(const struct http_options *options, struct mesh_error *err)
{
    size_t count = thread_count(options->threads);
    struct http *http = mesh_alloc_zeroed(1, sizeof(*http) + count * sizeof(http->lanes[0]));
    http->https = options->https;
    http->requests = options->requests;
    http->connections.deadlines = options->deadlines;
    http->connections.limits = options->limits;
    connection_desk_init(&http->connections);
    http->in_flight_level =
        mesh_gauge("tweetmesh_requests_in_flight", NULL, "HTTP requests without an answer yet.");
    http->routes = routes_new(options->streams, options->openapi);
    http->listener = listen_on(options->host, options->port, &http->port, err);
    if (http->listener < 0 || !lanes_start(http, options, count, err)) {
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
    http_close_connections(http);
    for (size_t i = 0; i < http->lane_count; i++) {
        loop_quiesce(http->lanes[i].loop);
    }
    connection_desk_close_idle(&http->connections);
    drain(http, drain_ms);
    for (size_t i = 0; i < http->lane_count; i++) {
        loop_free(http->lanes[i].loop);
    }
    if (http->listener >= 0) {
        close(http->listener);
    }
    connection_desk_done(&http->connections);
    routes_free(http->routes);
    free(http);
}
