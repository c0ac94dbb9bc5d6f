/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credentials: TLS for the addresses we listen on.
 *
 * Threads: any; gRPC looks at the files from a thread of its own, every few seconds, and new
 * connections have what it found last.
 */
#ifndef CREDENTIALS_H
#define CREDENTIALS_H

#include "mesh/tls.h"

#include <grpc/grpc_security.h>

/* With .ca, clients must show a certificate. The caller releases the result. NULL: `files` is NULL,
 * or has no certificate. */
grpc_server_credentials *credentials_new(const struct mesh_tls_files *files);

#endif
