/* SPDX-License-Identifier: Apache-2.0 */
#include "bodies.h"

#include "lines.h"
#include "mesh/alloc.h"

#include <inttypes.h>
#include <stdlib.h>

struct bodies {
    struct bodies_options options;
    char *head;               /* up to the headers that differ */
    struct mesh_buffer *tail; /* "Content-Length: …", the empty line and the body */
    size_t count;
};

static void add(struct bodies *bodies, struct mesh_bytes body)
{
    struct mesh_buffer *tail = &bodies->tail[bodies->count++];
    mesh_buffer_add_format(tail, "Content-Length: %zu\r\n\r\n", body.size);
    mesh_buffer_add(tail, body);
}

struct bodies *bodies_new(const struct bodies_options *options, struct mesh_error *err)
{
    struct lines *lines = lines_new(options->file, err);
    if (lines == NULL) {
        return NULL;
    }
    struct bodies *bodies = mesh_new(struct bodies);
    bodies->options = *options;
    bodies->head = mesh_format("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n",
                               options->path, options->host);
    bodies->tail = mesh_new_array(struct mesh_buffer, lines_count(lines));
    for (size_t i = 0; i < lines_count(lines); i++) {
        add(bodies, lines_at(lines, i));
    }
    lines_free(lines);
    return bodies;
}

void bodies_request(const struct bodies *bodies, uint64_t number, struct mesh_buffer *out)
{
    mesh_buffer_reset(out);
    mesh_buffer_add_text(out, bodies->head);
    if (bodies->options.key != NULL) {
        mesh_buffer_add_format(out, "Idempotency-Key: %s-%" PRIu64 "\r\n", bodies->options.key,
                               number);
    }
    mesh_buffer_add(out, mesh_buffer_bytes(&bodies->tail[number % bodies->count]));
}

void bodies_free(struct bodies *bodies)
{
    if (bodies == NULL) {
        return;
    }
    for (size_t i = 0; i < bodies->count; i++) {
        mesh_buffer_done(&bodies->tail[i]);
    }
    free(bodies->tail);
    free(bodies->head);
    free(bodies);
}
