/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server: bare libmicrohttpd, one thread, that reads each request's body, drops it, and answers
 * 202.
 *
 * Threads: libmicrohttpd's own one answers; the calls here are main()'s.
 */
#ifndef SERVER_H
#define SERVER_H

#include "mesh/error.h"

#include <stdint.h>

struct server;

/* Listens on 127.0.0.1; port 0: any free one. The caller owns the result. NULL on failure, with
 * *err filled in. */
MESH_MUST_CHECK
struct server *server_new(uint16_t port, struct mesh_error *err);
uint16_t server_port(const struct server *server);
/* Stops answering. Returns how many requests were answered. */
uint64_t server_stop(struct server *server);
/* Accepts NULL. */
void server_free(struct server *server);

#endif
