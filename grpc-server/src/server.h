/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server: listens, and turns gRPC's completion queues.
 *
 * Threads: one worker per completion queue; a call is owned by the worker whose queue it came in
 * on. server_drain() and server_free() are for the thread that made the server.
 */
#ifndef SERVER_H
#define SERVER_H

#include "call.h"
#include "mesh/bytes.h"
#include "mesh/error.h"
#include "mesh/macros.h"
#include "mesh/tls.h"

#include <stdint.h>

struct server;

struct server_options {
    const char *listen;               /* "0.0.0.0:50051,unix:/run/x.sock"; read during the call */
    const struct mesh_tls_files *tls; /* kept. For host:port; NULL or without .cert: plain */
    const struct method *methods;     /* kept */
    size_t method_count;
    uint32_t threads;             /* workers, 1 to SERVER_THREADS_MAX */
    uint32_t calls_max;           /* at a time; more are RESOURCE_EXHAUSTED */
    uint32_t call_requests_max;   /* unanswered messages of a call; then reading pauses */
    uint32_t message_bytes_max;   /* larger ones are RESOURCE_EXHAUSTED */
    uint32_t memory_kb_max;       /* of gRPC's buffers, in KiB */
    uint32_t connection_age_ms;   /* then the client is told to connect again; 0: never */
    uint32_t connection_grace_ms; /* how long its calls may go on after that */
    uint32_t ping_ms_min;         /* clients that ping more often are disconnected */
    /* Runs on the first worker about twice a second; must not block. May be NULL. */
    void (*tick)(void *arg);
    void *arg;
};

#define SERVER_THREADS_MAX 4
#define SERVER_ADDRESSES_MAX 8

/* Binds all addresses and starts. The caller owns the result. NULL on failure (an address is in use
 * or malformed), with *err filled in. */
MESH_MUST_CHECK
struct server *server_new(const struct server_options *options, struct mesh_error *err);
/* Port of the address at this index; 0: a unix socket or none. */
uint16_t server_port(const struct server *server, size_t index);
/* A mesh_status_fn: calls at the moment, and gRPC's version. */
void server_status(void *server, struct mesh_buffer *members);

/* No new calls; tells clients to go elsewhere, lets calls under way be answered for at most
 * drain_ms, and cancels the rest. Afterwards no call of gRPC is left. */
void server_drain(struct server *server, uint32_t drain_ms);
/* After server_drain(), or drains with no patience. Accepts NULL. */
void server_free(struct server *server);

#endif
