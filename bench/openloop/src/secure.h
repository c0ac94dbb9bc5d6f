/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secure: TLS on non-blocking sockets, with the results of send() and recv().
 *
 * Threads: one.
 */
#ifndef OPENLOOP_SECURE_H
#define OPENLOOP_SECURE_H

#include "mesh/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct ssl_ctx_st;
struct ssl_st;

/* Trusts the authorities in the file `ca` alone. The caller owns the result. NULL with *err filled
 * in. Ignores SIGPIPE for the process. */
MESH_MUST_CHECK
struct ssl_ctx_st *secure_new(const char *ca, struct mesh_error *err);
/* Accepts NULL. */
void secure_free(struct ssl_ctx_st *context);
/* For a socket that is being connected to this host (a numeric address). NULL: no memory. */
struct ssl_st *secure_open(struct ssl_ctx_st *context, int socket, const char *host);
/* As send() and recv(): -1 with EAGAIN, or with ECONNRESET for whatever went wrong. They shake
 * hands on the way. */
ssize_t secure_send(struct ssl_st *tls, const void *data, size_t size);
ssize_t secure_receive(struct ssl_st *tls, void *out, size_t size);
/* Whether the socket is known to have no more, once `size` bytes were received. */
bool secure_received_all(const struct ssl_st *tls, size_t size);
/* Accepts NULL. The socket stays open. */
void secure_close(struct ssl_st *tls);

#endif
