/* SPDX-License-Identifier: Apache-2.0 */
#include "response.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The value of a header in the lines of a head; NULL: it is not there. */
static const char *header(const char *head, const char *name)
{
    size_t size = strlen(name);
    for (const char *line = strchr(head, '\n'); line != NULL; line = strchr(line, '\n')) {
        line++;
        if (strncasecmp(line, name, size) == 0 && line[size] == ':') {
            return line + size + 1 + strspn(line + size + 1, " ");
        }
    }
    return NULL;
}

static bool read_head(struct response *response)
{
    static const char version[] = "HTTP/1.1 ";
    const char *length = header(response->head, "Content-Length");
    const char *connection = header(response->head, "Connection");
    if (strncmp(response->head, version, sizeof(version) - 1) != 0 || length == NULL) {
        return false;
    }
    response->status = (int)strtol(response->head + sizeof(version) - 1, NULL, 10);
    response->body_left = strtoul(length, NULL, 10);
    response->closes = connection != NULL && strncasecmp(connection, "close", 5) == 0;
    response->retry_after = header(response->head, "Retry-After") != NULL;
    response->in_body = true;
    return response->status >= 100 && response->status <= 599;
}

/* Moves bytes into the head up to its empty line. */
static enum response_state add_head(struct response *response, struct mesh_bytes *bytes)
{
    static const char end[] = {'\r', '\n', '\r', '\n'};
    size_t before = response->head_size;
    size_t room = RESPONSE_HEAD_MAX - before;
    size_t size = bytes->size < room ? bytes->size : room;
    memcpy(response->head + before, bytes->data, size);
    /* It may have begun in an earlier piece. */
    size_t from = before < sizeof(end) ? 0 : before - (sizeof(end) - 1);
    const char *found = memmem(response->head + from, before + size - from, end, sizeof(end));
    if (found != NULL) {
        size = (size_t)(found - response->head) + sizeof(end) - before;
    }
    response->head_size += size;
    *bytes = mesh_bytes_of(bytes->data + size, bytes->size - size);
    if (found == NULL) {
        return bytes->size > 0 ? RESPONSE_BROKEN : RESPONSE_MORE;
    }
    response->head[response->head_size] = '\0';
    return read_head(response) ? RESPONSE_WHOLE : RESPONSE_BROKEN;
}

enum response_state response_add(struct response *response, struct mesh_bytes *bytes)
{
    if (!response->in_body) {
        enum response_state state = add_head(response, bytes);
        if (state != RESPONSE_WHOLE) {
            return state;
        }
    }
    size_t size = bytes->size < response->body_left ? bytes->size : response->body_left;
    *bytes = mesh_bytes_of(bytes->data + size, bytes->size - size);
    response->body_left -= size;
    return response->body_left == 0 ? RESPONSE_WHOLE : RESPONSE_MORE;
}

void response_next(struct response *response)
{
    response->head_size = 0;
    response->in_body = false;
}
