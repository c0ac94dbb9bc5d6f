/* SPDX-License-Identifier: Apache-2.0 */
/*
 * socket: a WebSocket client that only sends: binary messages of counts.v1.
 *
 * Threads: one at a time. Everything blocks until the kernel has taken it.
 */
#ifndef SOCKET_H
#define SOCKET_H

#include "mesh/bytes.h"
#include "mesh/error.h"

#include <stdint.h>

#define SOCKET_MESSAGE_BYTES_MAX 65535

/* Connects to ws-redis on 127.0.0.1. The caller closes the descriptor. -1 on failure, with *err
 * filled in. */
MESH_MUST_CHECK
int socket_open(uint16_t port, struct mesh_error *err);
/* Appends a message as it goes over the wire; at most SOCKET_MESSAGE_BYTES_MAX. */
void socket_frame(struct mesh_buffer *out, struct mesh_bytes message);
MESH_MUST_CHECK
bool socket_send(int socket, const struct mesh_buffer *frames, struct mesh_error *err);

#endif
