/* SPDX-License-Identifier: Apache-2.0 */
/*
 * https: the public port's certificate, for libmicrohttpd's TLS, which is GnuTLS.
 *
 * libmicrohttpd knows one certificate from start to end. Here each new connection is given the
 * present one, and keeps it until it is closed; so a certificate changes without a restart and
 * without a connection lost. TLS 1.2 and 1.3 with forward secrecy and AEAD only; session tickets.
 *
 * Threads: https_renew() in any, https_session_begin() in the HTTP threads; a session belongs to
 * its connection's HTTP thread.
 */
#ifndef API_HTTPS_H
#define API_HTTPS_H

#include "mesh/error.h"
#include "mesh/tls.h"

#include <microhttpd.h>
#include <stdbool.h>

struct https;

/* What a connection has; all zero: no TLS. */
struct https_session {
    struct gnutls_session_int *gnutls; /* libmicrohttpd's */
    struct https_wire *wire;
    struct https_record *record;
    struct https_credentials *credentials;
};

/* `files` is kept. The caller owns the result. NULL on failure, with *err filled in. */
MESH_MUST_CHECK
struct https *https_new(const struct mesh_tls_files *files, struct mesh_error *err);
/* Reads the files again; for struct mesh_tls_watched. On failure all stays as it is. */
bool https_renew(void *https, struct mesh_error *err);
/* What a daemon that speaks TLS is to be started with; static. */
struct MHD_OptionItem *https_options(void);
/* Before the first byte of a connection. */
struct https_session https_session_begin(struct https *https, struct MHD_Connection *mhd);
/* An answer with a body follows: both go out as one record, see https_record.h. Accepts a session
 * without TLS. */
void https_session_gather(const struct https_session *session);
/* Writes what goes out at once, in the middle of a request; the rest is lost. */
void https_session_write(const struct https_session *session, struct mesh_bytes bytes);
/* Bytes that came and were ever looked at, records and all; what the kernel has counted beyond them
 * is further records. The session has TLS. */
uint64_t https_session_received(const struct https_session *session);
/* When the connection is closed. Accepts one without TLS. */
void https_session_end(struct https_session *session);
/* After the last connection. Accepts NULL. */
void https_free(struct https *https);

#endif
