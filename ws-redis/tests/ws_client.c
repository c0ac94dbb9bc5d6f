/* SPDX-License-Identifier: Apache-2.0 */
#include "ws_client.h"

#include "cmocka_all.h"
#include "mesh/alloc.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define READ_SECONDS_MAX 20

int ws_dial(uint16_t port, int receive_bytes)
{
    const struct timeval wait = {.tv_sec = READ_SECONDS_MAX};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        fail_msg("no socket");
    }
    if (receive_bytes > 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* A peer that hung up is what some cases are about, so failing is no failure here. */
static void send_all(int fd, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        at += sent;
        size -= (size_t)sent;
    }
}

static bool read_all(int fd, void *data, size_t size)
{
    char *at = data;
    while (size > 0) {
        ssize_t got = recv(fd, at, size, 0);
        if (got <= 0) {
            return false;
        }
        at += got;
        size -= (size_t)got;
    }
    return true;
}

void ws_send_text(int fd, const char *text)
{
    send_all(fd, text, strlen(text));
}

int ws_read_head(int fd, struct mesh_buffer *out)
{
    char head[4096] = "";
    size_t size = 0;

    while (size + 1 < sizeof(head) && strstr(head, "\r\n\r\n") == NULL) {
        if (!read_all(fd, head + size, 1)) {
            return 0;
        }
        head[++size] = '\0';
    }
    if (out != NULL) {
        mesh_buffer_reset(out);
        mesh_buffer_add(out, mesh_bytes_of(head, size));
    }
    return strncmp(head, "HTTP/1.", 7) == 0 ? (int)strtol(head + 9, NULL, 10) : -1;
}

int ws_open(uint16_t port, const char *protocol, const char *origin, int *out_fd)
{
    char *request =
        mesh_format("GET / HTTP/1.1\r\nHost: test:1\r\nUpgrade: websocket\r\n"
                    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                    "Sec-WebSocket-Protocol: %s\r\n%s%s%s\r\n",
                    protocol, origin == NULL ? "" : "Origin: ", origin == NULL ? "" : origin,
                    origin == NULL ? "" : "\r\n");
    int fd = ws_dial(port, 0);
    ws_send_text(fd, request);
    free(request);
    int status = ws_read_head(fd, NULL);
    if (status == 101) {
        *out_fd = fd;
    } else {
        (void)close(fd);
    }
    return status;
}

void ws_send(int fd, uint8_t head, struct mesh_bytes payload)
{
    static const uint8_t mask[4] = {0x12, 0x34, 0x56, 0x78};
    uint8_t *frame = mesh_alloc(payload.size + 14);
    size_t size = 2;

    frame[0] = head;
    if (payload.size < 126) {
        frame[1] = (uint8_t)(0x80 | payload.size);
    } else if (payload.size < 65536) {
        frame[1] = 0x80 | 126;
        frame[2] = (uint8_t)(payload.size >> 8);
        frame[3] = (uint8_t)payload.size;
        size = 4;
    } else {
        frame[1] = 0x80 | 127;
        for (int i = 0; i < 8; i++) {
            frame[2 + i] = (uint8_t)((uint64_t)payload.size >> (56 - 8 * i));
        }
        size = 10;
    }
    memcpy(frame + size, mask, sizeof(mask));
    size += sizeof(mask);
    for (size_t i = 0; i < payload.size; i++) {
        frame[size++] = payload.data[i] ^ mask[i % 4];
    }
    send_all(fd, frame, size);
    free(frame);
}

int ws_read(int fd, struct mesh_buffer *payload)
{
    uint8_t head[2];
    uint8_t length[8];
    uint64_t size = 0;

    mesh_buffer_reset(payload);
    if (!read_all(fd, head, 2)) {
        return -1;
    }
    size_t more = head[1] == 126 ? 2 : head[1] == 127 ? 8 : 0;
    size = more == 0 ? head[1] : 0;
    if (!read_all(fd, length, more)) {
        return -1;
    }
    for (size_t i = 0; i < more; i++) {
        size = size << 8 | length[i];
    }
    assert_true(size < 1U << 24);
    char *data = mesh_alloc((size_t)size + 1);
    bool good = read_all(fd, data, (size_t)size);
    mesh_buffer_add(payload, mesh_bytes_of(data, (size_t)size));
    free(data);
    return good ? head[0] & 0x0f : -1;
}

int ws_read_close(int fd)
{
    struct mesh_buffer payload = {0};
    int opcode = 0;
    int code = -1;

    while (opcode != -1 && opcode != WS_CLOSE) {
        opcode = ws_read(fd, &payload);
    }
    if (opcode == WS_CLOSE && payload.size >= 2) {
        code = (uint8_t)payload.data[0] << 8 | (uint8_t)payload.data[1];
    }
    mesh_buffer_done(&payload);
    return code;
}
