/* SPDX-License-Identifier: Apache-2.0 */
/*
 * https_wire: between GnuTLS and a socket that does not block.
 *
 * It reads ahead, so that a record takes one system call and not two. And it knows whether a byte
 * has moved: libmicrohttpd wants to be called again at once while a handshake waits for its client;
 * without this its thread would spin.
 *
 * Threads: a wire belongs to one thread.
 */
#ifndef API_HTTPS_WIRE_H
#define API_HTTPS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct https_wire;

/* The socket stays the caller's. */
struct https_wire *https_wire_new(int socket);
/* Accepts NULL. */
void https_wire_free(struct https_wire *wire);

/* For gnutls_transport_set_pull_function() and gnutls_transport_set_vec_push_function(). */
ssize_t https_wire_pull(void *wire, void *out, size_t size);
ssize_t https_wire_push(void *wire, const struct iovec *parts, int count);
/* Bytes that were ever pulled; what is read ahead is not. */
uint64_t https_wire_pulled(const struct https_wire *wire);

/* Whether a byte has moved on a wire of this thread since the last call. */
bool https_wire_moved(void);

#endif
