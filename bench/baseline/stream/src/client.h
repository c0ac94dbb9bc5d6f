/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client: somebody outside who publishes over gRPC as fast as his window lets him.
 *
 * Threads: one; client_run() blocks until all is over.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include "messages.h"
#include "run.h"

#define CLIENT_CONNECTIONS_MAX 1000
#define CLIENT_WINDOW_MAX 100000

struct client_options {
    const char *target; /* host:port or unix:/path */
    uint64_t batch;
    uint64_t window; /* messages under way on each connection */
    uint64_t connections;
};

/* Publishes until the run, which the caller starts, is over. False, with *err filled in: a stream
 * ended before; the run is over then as well. */
MESH_MUST_CHECK
bool client_run(const struct client_options *options, struct messages *messages, struct run *run,
                struct mesh_error *err);

#endif
