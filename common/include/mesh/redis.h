/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis: a connection from a URL, and replies as errors.
 *
 * redis://[[user]:password@]host[:port][/db] is plain TCP, rediss://… the same over TLS (server
 * checked against the system's certificates, or those of the login in use),
 * unix://[[user]:password@]/path[?db=n] a socket file. User and password may be percent-encoded.
 * Threads: one context, one thread. Connecting and every call on the context block at most
 * timeout_ms.
 */
#ifndef MESH_REDIS_H
#define MESH_REDIS_H

#include "mesh/bytes.h"
#include "mesh/error.h"
#include "mesh/macros.h"
#include "mesh/tls.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>

/* Connects, logs in and selects the database. The caller owns the result (redisFree). NULL on
 * failure with *err filled in; the text names host and port, never the password. */
MESH_MUST_CHECK
redisContext *mesh_redis_connect(const char *url, uint32_t timeout_ms, struct mesh_error *err);
/* Whether a URL can be used; for --check-config. */
bool mesh_redis_url_valid(const char *url, struct mesh_error *err);

/* What belongs to a URL and may come from files; one per process, like the log. Files are read at
 * each connection, so a new password or certificate is taken with the next one. */
struct mesh_redis_login {
    struct mesh_tls_files files;
    char *user;
    char *password;
};

/* Its rows in a table of options; `at` is its offset in the program's struct config. */
/* clang-format off */
#define MESH_REDIS_LOGIN_OPTIONS(at)                                                               \
    MESH_TLS_OPTION_CA("REDIS", (at) + offsetof(struct mesh_redis_login, files),                   \
     "File (PEM) with the authorities of Redis' certificate; empty: the system's."),               \
    MESH_TLS_OPTION_CERT("REDIS", (at) + offsetof(struct mesh_redis_login, files),                 \
     "File (PEM) with our certificate, if Redis wants one."),                                      \
    MESH_TLS_OPTION_KEY("REDIS", (at) + offsetof(struct mesh_redis_login, files),                  \
     "File (PEM) with its key."),                                                                  \
    {"REDIS_PASSWORD", MESH_SECRET, (at) + offsetof(struct mesh_redis_login, password), "", 0, 1024, \
     "Password, unless REDIS_URL holds it; from a file it is read at each connection."},           \
    {"REDIS_USER", MESH_TEXT, (at) + offsetof(struct mesh_redis_login, user), "", 0, 256,          \
     "Whom REDIS_PASSWORD is of; empty: the default user."}
/* clang-format on */

/* For a program's check of its settings: of the URL, too. */
void mesh_redis_login_check(const struct mesh_redis_login *login, const char *url,
                            struct mesh_buffer *problems);
/* From now on mesh_redis_connect() uses it. Kept. */
void mesh_redis_login_use(const struct mesh_redis_login *login);

/* Translates what hiredis says after a call that gave no reply (NULL), or an error reply. Fills
 * *err and returns false. */
bool mesh_redis_fail(const redisContext *redis, const redisReply *reply, struct mesh_error *err);

#endif
