/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ws_client: a WebSocket client that can also misbehave, byte by byte.
 *
 * Threads: the test's. Reading waits at most 20 s. What cannot go wrong fails the cmocka case.
 */
#ifndef WS_CLIENT_H
#define WS_CLIENT_H

#include "mesh/bytes.h"

#include <stdbool.h>
#include <stdint.h>

#define WS_CONTINUATION 0x0
#define WS_TEXT 0x1
#define WS_BINARY 0x2
#define WS_CLOSE 0x8
#define WS_PING 0x9
#define WS_PONG 0xa
#define WS_FINAL 0x80

/* A TCP connection to 127.0.0.1; receive_bytes: size of its receive buffer, 0: the usual. */
int ws_dial(uint16_t port, int receive_bytes);
/* Sends text as it is. */
void ws_send_text(int fd, const char *text);
/* Reads an HTTP head and returns its status; 0: the peer hung up. *out may be NULL. */
int ws_read_head(int fd, struct mesh_buffer *out);
/* Dials and asks for the subprotocol; origin NULL: none. Returns the HTTP status, 101 when it is a
 * WebSocket now. */
int ws_open(uint16_t port, const char *protocol, const char *origin, int *out_fd);
/* Sends one masked frame; head is opcode and WS_FINAL. */
void ws_send(int fd, uint8_t head, struct mesh_bytes payload);
/* Reads one frame and returns its opcode; -1: the peer hung up. */
int ws_read(int fd, struct mesh_buffer *payload);
/* Reads until the close frame and returns its code; -1: hung up without one. */
int ws_read_close(int fd);

#endif
