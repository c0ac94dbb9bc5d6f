/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route: which path leads where, and the counters of each.
 *
 * Threads: made at start, read-only afterwards; counting from any thread.
 */
#ifndef API_ROUTE_H
#define API_ROUTE_H

#include "mesh/bytes.h"
#include "mesh/metrics.h"
#include "mesh/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum route_kind {
    ROUTE_STREAM, /* POST events */
    ROUTE_PAGE,   /* GET something that does not change */
    ROUTE_NONE,   /* all other paths */
};

#define ROUTE_STATUS_COUNT 15

struct route {
    enum route_kind kind;
    const char *path;
    const struct mesh_stream *stream; /* ROUTE_STREAM */
    size_t stream_index;
    struct mesh_bytes page; /* ROUTE_PAGE: application/json */
    struct mesh_metric *counts[ROUTE_STATUS_COUNT];
    struct mesh_metric *seconds;
};

struct routes;

/* `openapi` and the streams are kept. */
struct routes *routes_new(const struct mesh_streams *streams, struct mesh_bytes openapi);
/* Never NULL. */
const struct route *routes_find(const struct routes *routes, const char *path);
bool route_takes(const struct route *route, const char *method);
/* For the header Allow. */
const char *route_allow(const struct route *route);
/* status 0: the client went away before it was answered. */
void route_count(const struct route *route, int status, int64_t took_us);
void routes_free(struct routes *routes);

#endif
