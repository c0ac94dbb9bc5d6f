/* SPDX-License-Identifier: Apache-2.0 */
#include "socket.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_BYTES 2048

static bool write_all(int socket, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = send(socket, data, size, MSG_NOSIGNAL);
        if (written <= 0) {
            return false;
        }
        data += written;
        size -= (size_t)written;
    }
    return true;
}

/* The upgrade to counts.v1. */
static bool handshake(int socket, uint16_t port, struct mesh_error *err)
{
    char answer[ANSWER_BYTES];
    size_t size = 0;
    int length = snprintf(answer, sizeof(answer),
                          "GET / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                          "Sec-WebSocket-Protocol: counts.v1\r\n\r\n",
                          port);
    if (!write_all(socket, answer, (size_t)length)) {
        return mesh_fail(err, MESH_UNAVAILABLE, "ws-redis: %s", strerror(errno));
    }
    do {
        ssize_t got = recv(socket, answer + size, sizeof(answer) - 1 - size, 0);
        if (got <= 0) {
            return mesh_fail(err, MESH_UNAVAILABLE, "ws-redis hung up on the handshake");
        }
        size += (size_t)got;
        answer[size] = '\0';
    } while (strstr(answer, "\r\n\r\n") == NULL && size < sizeof(answer) - 1);
    if (strncmp(answer, "HTTP/1.1 101", 12) != 0) {
        return mesh_fail(err, MESH_UNAVAILABLE, "ws-redis answered %.12s", answer);
    }
    return true;
}

int socket_open(uint16_t port, struct mesh_error *err)
{
    int on = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        mesh_fail(err, MESH_UNAVAILABLE, "ws-redis: %s", strerror(errno));
        goto fail;
    }
    if (!handshake(fd, port, err)) {
        goto fail;
    }
    return fd;

fail:
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

void socket_frame(struct mesh_buffer *out, struct mesh_bytes message)
{
    /* Binary, final, masked; the mask is 0, which leaves the bytes as they are. */
    uint8_t head[8] = {0x82, 0x80};
    size_t used = 2;
    assert(message.size <= SOCKET_MESSAGE_BYTES_MAX);
    if (message.size < 126) {
        head[1] |= (uint8_t)message.size;
    } else {
        head[1] |= 126;
        head[2] = (uint8_t)(message.size >> 8);
        head[3] = (uint8_t)message.size;
        used = 4;
    }
    mesh_buffer_add(out, mesh_bytes_of(head, used + 4));
    mesh_buffer_add(out, message);
}

bool socket_send(int socket, const struct mesh_buffer *frames, struct mesh_error *err)
{
    return write_all(socket, frames->data, frames->size) ||
           mesh_fail(err, MESH_UNAVAILABLE, "ws-redis hung up: %s", strerror(errno));
}
