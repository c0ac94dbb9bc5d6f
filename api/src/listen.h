/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listen: opens a listening TCP socket.
 *
 * Threads: any; no shared state.
 */
#ifndef API_LISTEN_H
#define API_LISTEN_H

#include "mesh/error.h"

#include <stdint.h>

/* host: a numeric IPv4 or IPv6 address; port 0: any free one. Returns the socket, which is the
 * caller's, or -1 with *err filled in. */
MESH_MUST_CHECK
int listen_on(const char *host, uint16_t port, uint16_t *out_port, struct mesh_error *err);

#endif
