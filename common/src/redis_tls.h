/* SPDX-License-Identifier: Apache-2.0 */
/* redis_tls: TLS for a connection to Redis. Threads: the connection's. */
#ifndef REDIS_TLS_H
#define REDIS_TLS_H

#include "mesh/error.h"
#include "mesh/tls.h"

#include <hiredis/hiredis.h>

/* Shakes hands, at least TLS 1.2, and checks that the server's certificate is for the host. NULL
 * files: the system's authorities, and no certificate of ours. */
MESH_MUST_CHECK
bool redis_tls_start(redisContext *redis, const char *host, const struct mesh_tls_files *files,
                     struct mesh_error *err);

#endif
