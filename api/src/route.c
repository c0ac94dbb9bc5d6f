/* SPDX-License-Identifier: Apache-2.0 */
#include "route.h"

#include "mesh/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_COUNT 2 /* "/" and "/openapi.json" */

/* 0, shown as "none", is last. */
static const int statuses[ROUTE_STATUS_COUNT] = {202, 200, 207, 400, 404, 405, 408, 413,
                                                 414, 415, 422, 431, 503, 504, 0};

struct routes {
    struct mesh_buffer index;
    size_t count; /* streams, pages, and one for all other paths, which is the last */
    struct route at[];
};

static void route_init(struct route *route)
{
    char labels[256];
    for (size_t i = 0; i < ROUTE_STATUS_COUNT; i++) {
        char status[16] = "none";
        if (statuses[i] != 0) {
            snprintf(status, sizeof(status), "%d", statuses[i]);
        }
        snprintf(labels, sizeof(labels), "route=\"%s\",status=\"%s\"", route->path, status);
        route->counts[i] = mesh_counter("tweetmesh_http_requests_total", labels,
                                        "HTTP requests, by route and status.");
    }
    snprintf(labels, sizeof(labels), "route=\"%s\"", route->path);
    route->seconds = mesh_histogram_seconds("tweetmesh_http_request_seconds", labels,
                                            "From the end of a request's head to its answer.");
}

static void write_index(const struct mesh_streams *streams, struct mesh_buffer *out)
{
    mesh_buffer_add_text(out, "{\"openapi\":\"/openapi.json\",\"streams\":[");
    for (size_t i = 0; i < mesh_streams_count(streams); i++) {
        const struct mesh_stream *stream = mesh_streams_at(streams, i);
        mesh_buffer_add_text(out, i == 0 ? "{\"name\":" : ",{\"name\":");
        mesh_buffer_add_json(out, mesh_bytes_of_text(stream->name));
        mesh_buffer_add_text(out, ",\"title\":");
        mesh_buffer_add_json(out, mesh_bytes_of_text(stream->title));
        mesh_buffer_add_text(out, ",\"path\":");
        mesh_buffer_add_json(out, mesh_bytes_of_text(stream->path));
        mesh_buffer_add_text(out, "}");
    }
    mesh_buffer_add_text(out, "]}");
}

struct routes *routes_new(const struct mesh_streams *streams, struct mesh_bytes openapi)
{
    size_t stream_count = mesh_streams_count(streams);
    size_t count = stream_count + PAGE_COUNT + 1;
    struct routes *routes = mesh_alloc_zeroed(1, sizeof(*routes) + count * sizeof(routes->at[0]));
    write_index(streams, &routes->index);
    routes->count = count;
    struct route *route = routes->at;
    for (size_t i = 0; i < stream_count; i++) {
        const struct mesh_stream *stream = mesh_streams_at(streams, i);
        *route++ = (struct route){
            .kind = ROUTE_STREAM, .path = stream->path, .stream = stream, .stream_index = i};
    }
    *route++ =
        (struct route){.kind = ROUTE_PAGE, .path = "/", .page = mesh_buffer_bytes(&routes->index)};
    *route++ = (struct route){.kind = ROUTE_PAGE, .path = "/openapi.json", .page = openapi};
    *route = (struct route){.kind = ROUTE_NONE, .path = "other"};
    for (size_t i = 0; i < count; i++) {
        route_init(&routes->at[i]);
    }
    return routes;
}

const struct route *routes_find(const struct routes *routes, const char *path)
{
    size_t i = 0;
    while (i < routes->count - 1 && strcmp(routes->at[i].path, path) != 0) {
        i++;
    }
    return &routes->at[i];
}

bool route_takes(const struct route *route, const char *method)
{
    if (route->kind == ROUTE_STREAM) {
        return strcmp(method, "POST") == 0;
    }
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

const char *route_allow(const struct route *route)
{
    return route->kind == ROUTE_STREAM ? "POST" : "GET, HEAD";
}

void route_count(const struct route *route, int status, int64_t took_us)
{
    size_t i = 0;
    while (i < ROUTE_STATUS_COUNT - 1 && statuses[i] != status) {
        i++;
    }
    mesh_metric_add(route->counts[i], 1);
    mesh_metric_observe_us(route->seconds, took_us);
}

void routes_free(struct routes *routes)
{
    if (routes == NULL) {
        return;
    }
    mesh_buffer_done(&routes->index);
    free(routes);
}
