/* SPDX-License-Identifier: Apache-2.0 */
#include "bodies.h"

#include "mesh/alloc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODIES_MAX 1000000

struct bodies {
    struct bodies_options options;
    char *head;               /* up to the headers that differ */
    struct mesh_buffer *tail; /* "Content-Length: …", the empty line and the body */
    size_t count;
    size_t capacity;
};

static void add(struct bodies *bodies, const char *line, size_t size)
{
    if (bodies->count == bodies->capacity) {
        bodies->capacity = bodies->capacity == 0 ? 1024 : bodies->capacity * 2;
        bodies->tail = mesh_realloc(bodies->tail, bodies->capacity * sizeof(bodies->tail[0]));
    }
    struct mesh_buffer *tail = &bodies->tail[bodies->count++];
    *tail = (struct mesh_buffer){0};
    mesh_buffer_add_format(tail, "Content-Length: %zu\r\n\r\n", size);
    mesh_buffer_add(tail, mesh_bytes_of(line, size));
}

static bool read_lines(struct bodies *bodies, FILE *file, struct mesh_error *err)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    while ((size = getline(&line, &capacity, file)) > 0 && bodies->count < BODIES_MAX) {
        size_t kept = (size_t)size - (line[size - 1] == '\n');
        if (kept > 0) {
            add(bodies, line, kept);
        }
    }
    free(line);
    if (bodies->count == 0) {
        return mesh_fail(err, MESH_INVALID_ARGUMENT, "%s holds no body", bodies->options.file);
    }
    return true;
}

struct bodies *bodies_new(const struct bodies_options *options, struct mesh_error *err)
{
    FILE *file = fopen(options->file, "re");
    if (file == NULL) {
        mesh_fail(err, MESH_INVALID_ARGUMENT, "%s: %s", options->file, strerror(errno));
        return NULL;
    }
    struct bodies *bodies = mesh_new(struct bodies);
    bodies->options = *options;
    bodies->head = mesh_format("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n",
                               options->path, options->host);
    bool good = read_lines(bodies, file, err);
    (void)fclose(file);
    if (!good) {
        bodies_free(bodies);
        return NULL;
    }
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
