/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection: one HTTP connection's deadlines, which are absolute: head, body, whole request.
 *
 * libmicrohttpd closes what is silent; this closes what is slow, unless it is we who are: while
 * something that was received lies unread, head and body are not late. A request that is late
 * before it was answered gets a 408 written straight to the socket, because libmicrohttpd takes no
 * answer in the middle of a body. The socket cannot have been closed and its number given away
 * meanwhile: connection_free() is called before libmicrohttpd closes it and waits for a check under
 * way.
 *
 * Threads: the HTTP thread of the connection; the check runs on the deadline thread. Lock order:
 * deadlines, connection, publish.
 */
#ifndef API_CONNECTION_H
#define API_CONNECTION_H

#include "deadline.h"
#include "farewell.h"
#include "https.h"
#include "request.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct connection_limits {
    int64_t head_us;
    int64_t body_us;
    int64_t request_us; /* from the end of its head to the end of its answer */
};

/* What all connections share. */
struct connection_desk {
    struct deadlines *deadlines;
    struct connection_limits limits;
    struct mesh_metric *level;
    struct mesh_metric *limit_head;
    struct mesh_metric *limit_body;
    struct mesh_metric *limit_request;
    pthread_mutex_t mutex; /* guards the list */
    LIST_HEAD(connection_list, connection) all;
    struct farewells farewells;
};

/* Creates the metrics. The caller has filled in the rest. */
void connection_desk_init(struct connection_desk *desk);
/* Shuts connections on which no request has begun; for a drain. */
void connection_desk_close_idle(struct connection_desk *desk);
/* Expires all requests that wait; for a drain that has taken too long. */
void connection_desk_expire_all(struct connection_desk *desk);
void connection_desk_done(struct connection_desk *desk);

struct connection;

/* A connection was accepted; its first head is awaited. */
struct connection *connection_new(struct connection_desk *desk, int socket);
/* It speaks TLS. Then the kernel's bytes are not those of requests, and a client that is late is
 * hung up on without a word, since only the HTTP thread may write. Takes the session over. */
void connection_secure(struct connection *connection, struct https_session tls);
/* An answer with a body is about to be written; see https_session_gather(). */
void connection_gathers(struct connection *connection);
/* A head is complete, now. False: it was given up as too slow; close it. Likewise below. */
MESH_MUST_CHECK
bool connection_head_done(struct connection *connection, int64_t now_us);
/* A body is complete. False: 408 was written already, so nothing of it may be stored. */
MESH_MUST_CHECK
bool connection_body_done(struct connection *connection);
/* The request waits for its outcomes; request_expire() is called when it is late. */
void connection_waits(struct connection *connection, struct request *request);
/* An answer is about to be queued, to a request that took so many bytes: what comes beyond them is
 * the next one's head. */
#define CONNECTION_BYTES_UNKNOWN SIZE_MAX
MESH_MUST_CHECK
bool connection_answers(struct connection *connection, size_t request_bytes);
/* The client has gone while its request waits: the connection is there, without its socket, until
 * connection_request_done(), so that the request can be late. */
void connection_outlives(struct connection *connection);
/* The answer was sent, or failed. */
void connection_request_done(struct connection *connection);
/* The answer goes out before the body was read: the client may still be sending. */
void connection_answers_early(struct connection *connection);
/* Writes a problem straight to the socket; for a refusal in the middle of a body. The caller then
 * makes libmicrohttpd close the connection. */
void connection_refuse(struct connection *connection, enum problem_kind kind, const char *detail);
/* Before the socket is closed. */
void connection_free(struct connection *connection);

#endif
