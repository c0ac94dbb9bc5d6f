/* SPDX-License-Identifier: Apache-2.0 */
#include "connection.h"

#include "mesh/alloc.h"
#include "mesh/clock.h"

#include <assert.h>
#include <linux/tcp.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A connection is looked at this many times per head_us, so that a change of phase never has to
 * move its deadline: that would be a lock shared by all connections, twice a request. */
#define CHECKS_PER_HEAD 5

/* When to look again whether a connection that seems late is so by our own fault. */
#define BEHIND_US INT64_C(20000)

enum phase {
    PHASE_FIRST, /* accepted, head awaited */
    PHASE_IDLE,  /* kept alive: nothing of the next head has come, as far as we know */
    PHASE_HEAD,  /* kept alive: part of the next head has come */
    PHASE_BODY,
    PHASE_WORKING, /* the body is complete */
    PHASE_WAITING, /* for publish */
    PHASE_ANSWERING,
    PHASE_CLOSED, /* given up by us */
};

struct connection {
    struct connection_desk *desk;
    struct deadline deadline;
    LIST_ENTRY(connection) entry;
    int socket;   /* -1: closed; for others than the HTTP thread only with the mutex held */
    bool lingers; /* the HTTP thread's: the client may still be sending when the socket is closed */
    struct https_session tls; /* the HTTP thread's; whether there is one is read by others */
    bool outlives;            /* the HTTP thread's: its socket, that is */
    pthread_mutex_t mutex;    /* guards all below */
    enum phase phase;
    int64_t since_us;        /* of FIRST, HEAD, BODY, ANSWERING */
    int64_t request_us;      /* when the request's head was complete */
    bool late;               /* as the last look found: nothing unread, and its time is over */
    uint64_t bytes;          /* of the requests so far: more is the next head */
    bool asks;               /* `bytes` must be asked of the kernel: counting went wrong */
    struct request *request; /* PHASE_WAITING; kept alive by the HTTP thread */
};

void connection_desk_init(struct connection_desk *desk)
{
    pthread_mutex_init(&desk->mutex, NULL);
    LIST_INIT(&desk->all);
    farewells_init(&desk->farewells, desk->deadlines);
    desk->level = mesh_gauge("tweetmesh_http_connections", NULL, "Open HTTP connections.");
    const char *help = "Requests refused because a limit was reached.";
    const char *name = "tweetmesh_limit_reached_total";
    desk->limit_head = mesh_counter(name, "limit=\"head_time\"", help);
    desk->limit_body = mesh_counter(name, "limit=\"body_time\"", help);
    desk->limit_request = mesh_counter(name, "limit=\"request_time\"", help);
}

void connection_desk_done(struct connection_desk *desk)
{
    farewells_done(&desk->farewells);
    pthread_mutex_destroy(&desk->mutex);
}

/* Bytes that ever came in on a TCP connection. */
static uint64_t bytes_received(const struct connection *connection)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);
    if (getsockopt(connection->socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) {
        return 0;
    }
    return info.tcpi_bytes_received;
}

/* Whether the client has sent what libmicrohttpd has not read yet: then we are late, not he, for
 * instance after the whole process was stopped. */
static bool is_behind(const struct connection *connection)
{
    int unread = 0;
    return ioctl(connection->socket, FIONREAD, &unread) == 0 && unread > 0;
}

/* With the mutex held. The read side is shut, too, so that libmicrohttpd sees an end and closes. */
static void close_now(struct connection *connection)
{
    connection->phase = PHASE_CLOSED;
    shutdown(connection->socket, SHUT_RDWR);
}

static void write_raw(struct connection *connection, enum problem_kind kind, const char *detail)
{
    struct answer answer;
    answer_problem(kind, detail, &answer);
    struct mesh_buffer head = {0};
    mesh_buffer_add_format(&head,
                           "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                           "Connection: close\r\n\r\n",
                           answer.status, MHD_get_reason_phrase_for((unsigned)answer.status),
                           answer.content_type, answer.body.size);
    mesh_buffer_add(&head, mesh_buffer_bytes(&answer.body));
    /* Whoever does not take these few bytes at once goes without. */
    if (connection->tls.gnutls != NULL) {
        https_session_write(&connection->tls, mesh_buffer_bytes(&head));
    } else {
        (void)!send(connection->socket, head.data, head.size, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    mesh_buffer_done(&head);
    mesh_buffer_done(&answer.body);
}

static void give_up(struct connection *connection, struct mesh_metric *limit, const char *what)
{
    mesh_metric_add(limit, 1);
    if (connection->tls.gnutls == NULL) {
        write_raw(connection, PROBLEM_TOO_SLOW, what);
    }
    close_now(connection);
}

/* Whether the time since since_us is over. */
static bool is_late(int64_t since_us, int64_t limit_us, int64_t now_us)
{
    return now_us - since_us >= limit_us;
}

/* Whether the client is, and not we. What the last look found unread no more may have been read
 * just before, and not have come as far as here; so two looks are needed. */
static bool client_is_late(struct connection *connection, int64_t limit_us, int64_t now_us)
{
    bool was = connection->late;
    connection->late = is_late(connection->since_us, limit_us, now_us) && !is_behind(connection);
    return connection->late && was;
}

static void check_head(struct connection *connection, int64_t now_us)
{
    struct connection_desk *desk = connection->desk;
    if (!client_is_late(connection, desk->limits.head_us, now_us)) {
        return;
    }
    if (connection->phase == PHASE_FIRST && bytes_received(connection) == 0) {
        mesh_metric_add(desk->limit_head, 1);
        close_now(connection);
        return;
    }
    give_up(connection, desk->limit_head, "the head of the request took too long");
}

/* libmicrohttpd does not tell when a further head begins; the kernel does. */
static void check_idle(struct connection *connection, int64_t now_us)
{
    if (bytes_received(connection) != connection->bytes) {
        connection->phase = PHASE_HEAD;
        connection->since_us = now_us;
        connection->late = false;
        /* Perhaps only an empty line between requests, which libmicrohttpd leaves out. */
        connection->asks = true;
    }
}

static void check(struct connection *connection, int64_t now_us)
{
    struct connection_desk *desk = connection->desk;
    if (connection->socket < 0 && connection->phase != PHASE_WAITING) {
        return; /* it outlives its socket, but not for long */
    }
    switch (connection->phase) {
    case PHASE_FIRST:
    case PHASE_HEAD:
        check_head(connection, now_us);
        break;
    case PHASE_IDLE:
        check_idle(connection, now_us);
        break;
    case PHASE_BODY:
        if (client_is_late(connection, desk->limits.body_us, now_us)) {
            give_up(connection, desk->limit_body, "the body of the request took too long");
        }
        break;
    case PHASE_WAITING:
        if (is_late(connection->request_us, desk->limits.request_us, now_us)) {
            mesh_metric_add(desk->limit_request, 1);
            connection->phase = PHASE_ANSWERING;
            connection->since_us = now_us;
            request_expire(connection->request);
        }
        break;
    case PHASE_ANSWERING:
        /* Also when its time was up before the answer began: the client gets as long again. */
        if (is_late(connection->since_us, desk->limits.request_us, now_us)) {
            mesh_metric_add(desk->limit_request, 1);
            close_now(connection);
        }
        break;
    case PHASE_WORKING:
    case PHASE_CLOSED:
        break;
    }
}

/* When the present phase is late; for a precise last look. */
static int64_t late_at(const struct connection *connection)
{
    const struct connection_limits *limits = &connection->desk->limits;
    switch (connection->phase) {
    case PHASE_FIRST:
    case PHASE_HEAD:
        return connection->since_us + limits->head_us;
    case PHASE_BODY:
        return connection->since_us + limits->body_us;
    case PHASE_WAITING:
        return connection->request_us + limits->request_us;
    case PHASE_ANSWERING:
        return connection->since_us + limits->request_us;
    case PHASE_IDLE:
    case PHASE_WORKING:
    case PHASE_CLOSED:
        break;
    }
    return INT64_MAX;
}

static int64_t on_deadline(struct deadline *deadline, int64_t now_us)
{
    struct connection *connection =
        (struct connection *)((char *)deadline - offsetof(struct connection, deadline));
    pthread_mutex_lock(&connection->mutex);
    check(connection, now_us);
    int64_t again_us = now_us + connection->desk->limits.head_us / CHECKS_PER_HEAD;
    int64_t late_us = late_at(connection);
    if (late_us <= now_us) {
        again_us = now_us + BEHIND_US;
    } else if (late_us < again_us) {
        again_us = late_us;
    }
    bool closed = connection->phase == PHASE_CLOSED;
    pthread_mutex_unlock(&connection->mutex);
    return closed ? 0 : again_us;
}

struct connection *connection_new(struct connection_desk *desk, int socket)
{
    struct connection *connection = mesh_new(struct connection);
    connection->desk = desk;
    connection->socket = socket;
    connection->deadline.late = on_deadline;
    connection->phase = PHASE_FIRST;
    connection->since_us = mesh_clock_mono_us();
    pthread_mutex_init(&connection->mutex, NULL);
    mesh_metric_move(desk->level, 1);
    pthread_mutex_lock(&desk->mutex);
    LIST_INSERT_HEAD(&desk->all, connection, entry);
    pthread_mutex_unlock(&desk->mutex);
    deadline_arm(desk->deadlines, &connection->deadline,
                 connection->since_us + desk->limits.head_us / CHECKS_PER_HEAD);
    return connection;
}

void connection_secure(struct connection *connection, struct https_session tls)
{
    pthread_mutex_lock(&connection->mutex);
    connection->tls = tls;
    pthread_mutex_unlock(&connection->mutex);
}

void connection_gathers(struct connection *connection)
{
    https_session_gather(&connection->tls);
}

/* With the mutex held. Moves on unless we have given the connection up. */
static bool enter(struct connection *connection, enum phase phase)
{
    if (connection->phase == PHASE_CLOSED) {
        return false;
    }
    connection->phase = phase;
    connection->late = false;
    return true;
}

bool connection_head_done(struct connection *connection, int64_t now_us)
{
    pthread_mutex_lock(&connection->mutex);
    bool open = enter(connection, PHASE_BODY);
    connection->since_us = now_us;
    connection->request_us = now_us;
    pthread_mutex_unlock(&connection->mutex);
    return open;
}

bool connection_body_done(struct connection *connection)
{
    pthread_mutex_lock(&connection->mutex);
    bool open = enter(connection, PHASE_WORKING);
    pthread_mutex_unlock(&connection->mutex);
    return open;
}

void connection_waits(struct connection *connection, struct request *request)
{
    pthread_mutex_lock(&connection->mutex);
    /* Open: nothing gives up a connection between the end of its body and here. */
    (void)enter(connection, PHASE_WAITING);
    connection->request = request;
    pthread_mutex_unlock(&connection->mutex);
}

/* With the mutex held. The kernel is not asked without need: that costs as much as parsing. */
static void count_bytes(struct connection *connection, size_t request_bytes)
{
    if (connection->tls.gnutls != NULL) {
        connection->bytes = https_session_received(&connection->tls); /* records and all */
        return;
    }
    connection->asks = connection->asks || request_bytes == CONNECTION_BYTES_UNKNOWN;
    connection->bytes =
        connection->asks ? bytes_received(connection) : connection->bytes + request_bytes;
}

bool connection_answers(struct connection *connection, size_t request_bytes)
{
    int64_t now_us = mesh_clock_mono_us();
    pthread_mutex_lock(&connection->mutex);
    bool open = enter(connection, PHASE_ANSWERING);
    connection->since_us = now_us;
    count_bytes(connection, request_bytes);
    pthread_mutex_unlock(&connection->mutex);
    return open;
}

void connection_outlives(struct connection *connection)
{
    connection->outlives = true;
}

static void release(struct connection *connection)
{
    struct connection_desk *desk = connection->desk;
    deadline_disarm(desk->deadlines, &connection->deadline);
    pthread_mutex_lock(&desk->mutex);
    LIST_REMOVE(connection, entry);
    pthread_mutex_unlock(&desk->mutex);
    pthread_mutex_destroy(&connection->mutex);
    https_session_end(&connection->tls);
    free(connection);
}

void connection_request_done(struct connection *connection)
{
    pthread_mutex_lock(&connection->mutex);
    (void)enter(connection, PHASE_IDLE);
    connection->request = NULL;
    bool closed = connection->socket < 0;
    pthread_mutex_unlock(&connection->mutex);
    connection->outlives = false;
    if (closed) {
        release(connection);
    }
}

void connection_refuse(struct connection *connection, enum problem_kind kind, const char *detail)
{
    pthread_mutex_lock(&connection->mutex);
    if (connection->phase != PHASE_CLOSED) {
        write_raw(connection, kind, detail);
        connection->phase = PHASE_CLOSED;
        connection->lingers = true;
    }
    pthread_mutex_unlock(&connection->mutex);
}

void connection_answers_early(struct connection *connection)
{
    connection->lingers = true;
}

void connection_desk_close_idle(struct connection_desk *desk)
{
    pthread_mutex_lock(&desk->mutex);
    struct connection *connection = LIST_FIRST(&desk->all);
    for (; connection != NULL; connection = LIST_NEXT(connection, entry)) {
        pthread_mutex_lock(&connection->mutex);
        if (connection->phase == PHASE_FIRST || connection->phase == PHASE_IDLE) {
            close_now(connection);
        }
        pthread_mutex_unlock(&connection->mutex);
    }
    pthread_mutex_unlock(&desk->mutex);
}

void connection_desk_expire_all(struct connection_desk *desk)
{
    pthread_mutex_lock(&desk->mutex);
    struct connection *connection = LIST_FIRST(&desk->all);
    for (; connection != NULL; connection = LIST_NEXT(connection, entry)) {
        pthread_mutex_lock(&connection->mutex);
        if (connection->phase == PHASE_WAITING) {
            connection->phase = PHASE_ANSWERING;
            request_expire(connection->request);
        }
        pthread_mutex_unlock(&connection->mutex);
    }
    pthread_mutex_unlock(&desk->mutex);
}

void connection_free(struct connection *connection)
{
    mesh_metric_move(connection->desk->level, -1);
    if (connection->lingers) {
        farewell_take(&connection->desk->farewells, connection->socket);
    }
    if (!connection->outlives) {
        release(connection);
        return;
    }
    pthread_mutex_lock(&connection->mutex);
    connection->socket = -1;
    pthread_mutex_unlock(&connection->mutex);
}
