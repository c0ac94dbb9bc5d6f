/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis: a connection from a URL, and replies as errors.
 *
 * redis://[[user]:password@]host[:port][/db] is plain TCP, rediss://… the same over TLS (server
 * checked against the system's certificates), unix://[[user]:password@]/path[?db=n] a socket file.
 * User and password may be percent-encoded.
 * Threads: one context, one thread. Connecting and every call on the context block at most
 * timeout_ms.
 */
#ifndef MESH_REDIS_H
#define MESH_REDIS_H

#include "mesh/bytes.h"
#include "mesh/error.h"
#include "mesh/macros.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>

/* Connects, logs in and selects the database. The caller owns the result (redisFree). NULL on
 * failure with *err filled in; the text names host and port, never the password. */
MESH_MUST_CHECK
redisContext *mesh_redis_connect(const char *url, uint32_t timeout_ms, struct mesh_error *err);
/* Whether a URL can be used; for --check-config. */
bool mesh_redis_url_valid(const char *url, struct mesh_error *err);
/* For a program's check of its settings: one line on REDIS_URL unless the URL can be used. */
void mesh_redis_url_check(const char *url, struct mesh_buffer *problems);
/* Translates what hiredis says after a call that gave no reply (NULL), or an error reply. Fills
 * *err and returns false. */
bool mesh_redis_fail(const redisContext *redis, const redisReply *reply, struct mesh_error *err);

#endif
