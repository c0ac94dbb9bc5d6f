/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http: the public port: routes, limits and answers, on libmicrohttpd.
 *
 * Threads: one for each loop (loop.h); a request stays on its connection's thread and waits there
 * while its events are on their way. The calls below: main thread.
 */
#ifndef API_HTTP_H
#define API_HTTP_H

#include "connection.h"
#include "mesh/error.h"
#include "mesh/stream.h"
#include "request.h"

#include <stdint.h>

struct http;

struct http_options {
    const char *host;    /* numeric address; read during http_new() */
    uint16_t port;       /* 0: any free one */
    struct https *https; /* kept; NULL: plain HTTP */
    uint32_t threads;    /* 0: half the cores, 1 to 4 */
    uint32_t connections_max;
    uint32_t idle_s_max;
    struct connection_limits limits;
    const struct mesh_streams *streams; /* kept; likewise below */
    struct request_desk *requests;
    struct deadlines *deadlines;
    struct mesh_bytes openapi; /* the body of /openapi.json */
};

/* Listens and serves. The caller owns the result. NULL on failure, with *err filled in. */
MESH_MUST_CHECK
struct http *http_new(const struct http_options *options, struct mesh_error *err);
uint16_t http_port(const struct http *http);
/* From now on every answer closes its connection, so that clients go elsewhere. */
void http_close_connections(struct http *http);
/* Stops listening, lets requests in flight finish for at most drain_ms, then expires them, and
 * stops. Accepts NULL. */
void http_free(struct http *http, uint64_t drain_ms);

#endif
