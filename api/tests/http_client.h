/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_client: an HTTP client for tests that sends exactly the bytes it is given.
 *
 * Threads: a test's own. All calls block; what does not come in time fails the test.
 */
#ifndef API_TESTS_HTTP_CLIENT_H
#define API_TESTS_HTTP_CLIENT_H

#include "mesh/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_client {
    int socket;
    struct mesh_buffer in; /* came, but belongs to no reply yet */
};

struct http_reply {
    int status; /* 0: the connection ended without one */
    char *head; /* owned, likewise body */
    char *body;
};

void http_client_connect(struct http_client *client, uint16_t port);
/* Stops quietly when the other side has closed. */
void http_client_send(struct http_client *client, const void *data, size_t size);
void http_client_send_text(struct http_client *client, const char *text);
/* POST with a body and further head lines, each ending in CRLF. */
void http_client_post(struct http_client *client, const char *path, const char *head_lines,
                      const char *body);
/* The next reply; a status below 200 is skipped. */
struct http_reply http_client_reply(struct http_client *client);
/* Whether the other side has closed, and sent nothing more. */
bool http_client_ended(struct http_client *client);
void http_client_close(struct http_client *client);
void http_reply_done(struct http_reply *reply);

#endif
