/* SPDX-License-Identifier: Apache-2.0 */
#include "http_client.h"

#include "cmocka_all.h"
#include "mesh/alloc.h"
#include "support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void http_client_connect(struct http_client *client, uint16_t port)
{
    *client = (struct http_client){.socket = socket(AF_INET, SOCK_STREAM, 0)};
    struct timeval patience = {.tv_sec = SUPPORT_WAIT_MS / 1000};
    setsockopt(client->socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(client->socket, (struct sockaddr *)&address, sizeof(address)) != 0) {
        fail_msg("cannot connect");
    }
}

void http_client_send(struct http_client *client, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t sent = send(client->socket, at, size, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        at += sent;
        size -= (size_t)sent;
    }
}

void http_client_send_text(struct http_client *client, const char *text)
{
    http_client_send(client, text, strlen(text));
}

void http_client_post(struct http_client *client, const char *path, const char *head_lines,
                      const char *body)
{
    struct mesh_buffer out = {0};
    mesh_buffer_add_format(&out,
                           "POST %s HTTP/1.1\r\nHost: test\r\nContent-Length: %zu\r\n%s\r\n%s",
                           path, strlen(body), head_lines, body);
    http_client_send(client, out.data, out.size);
    mesh_buffer_done(&out);
}

/* Reads more; false: the other side has closed, or broke off. */
static bool read_more(struct http_client *client)
{
    char piece[65536];
    ssize_t size = recv(client->socket, piece, sizeof(piece), 0);
    if (size <= 0) {
        return false;
    }
    mesh_buffer_add(&client->in, mesh_bytes_of(piece, (size_t)size));
    return true;
}

static void drop(struct http_client *client, size_t size)
{
    memmove(client->in.data, client->in.data + size, client->in.size - size + 1);
    client->in.size -= size;
}

struct http_reply http_client_reply(struct http_client *client)
{
    struct http_reply reply = {0};
    const char *end = NULL;
    do {
        while (client->in.size == 0 || (end = strstr(client->in.data, "\r\n\r\n")) == NULL) {
            if (!read_more(client)) {
                return reply;
            }
        }
        size_t head_size = (size_t)(end - client->in.data) + 4;
        free(reply.head);
        reply.head = mesh_strndup(client->in.data, head_size);
        reply.status = atoi(client->in.data + strlen("HTTP/1.1 "));
        drop(client, head_size);
        end = NULL;
    } while (reply.status < 200);
    const char *length = strcasestr(reply.head, "\r\nContent-Length: ");
    size_t body_size =
        length == NULL ? 0 : strtoul(length + strlen("\r\nContent-Length: "), NULL, 10);
    while (client->in.size < body_size && read_more(client)) {
    }
    assert_true(client->in.size >= body_size);
    reply.body = mesh_strndup(body_size == 0 ? "" : client->in.data, body_size);
    if (body_size > 0) {
        drop(client, body_size);
    }
    return reply;
}

bool http_client_ended(struct http_client *client)
{
    return client->in.size == 0 && !read_more(client);
}

void http_client_close(struct http_client *client)
{
    close(client->socket);
    mesh_buffer_done(&client->in);
}

void http_reply_done(struct http_reply *reply)
{
    free(reply->head);
    free(reply->body);
    *reply = (struct http_reply){0};
}
