/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ops: the operations port of a program: /healthz, /readyz, /metrics and /status.
 *
 * /healthz answers 200 while the process turns. /readyz answers 200 when the program can do its
 * job now, else 503 with the reason; it is false until mesh_ops_set_ready(true) and again while
 * draining. /status shows effective limits, versions and levels as JSON; /metrics the limits, too,
 * as tweetmesh_setting.
 * Threads: one of its own (libmicrohttpd); probes run on it and read atomics and snapshots only.
 */
#ifndef MESH_OPS_H
#define MESH_OPS_H

#include "mesh/bytes.h"
#include "mesh/config.h"
#include "mesh/error.h"

#include <stdbool.h>
#include <stdint.h>

struct mesh_ops;

/* Returns whether the program can do its job now; if not, adds the reason in a few words.
 * Runs on the ops thread and must not block. */
typedef bool mesh_ready_fn(void *arg, struct mesh_buffer *reason);
/* Adds `"name": value` members, each followed by a comma, to the JSON object of /status. */
typedef void mesh_status_fn(void *arg, struct mesh_buffer *members);

struct mesh_ops_options {
    const char *program;                 /* kept */
    const char *host;                    /* numeric address to listen on; read during the call */
    uint16_t port;                       /* 0: any free one */
    const struct mesh_config_spec *spec; /* kept; with config: shown by /status */
    const void *config;                  /* kept */
};

/* Starts listening. The caller owns the result. NULL on failure, with *err filled in. */
MESH_MUST_CHECK
struct mesh_ops *mesh_ops_new(const struct mesh_ops_options *options, struct mesh_error *err);
/* The port it listens on. */
uint16_t mesh_ops_port(const struct mesh_ops *ops);
/* Opens or shuts the gate before all probes. */
void mesh_ops_set_ready(struct mesh_ops *ops, bool ready);
/* Adds a probe, at most 8; all must agree. arg must live until mesh_ops_forget() or
 * mesh_ops_free(). Before set_ready. */
void mesh_ops_add_probe(struct mesh_ops *ops, mesh_ready_fn *probe, void *arg);
/* Adds a writer of /status members, at most 8, likewise. */
void mesh_ops_add_status(struct mesh_ops *ops, mesh_status_fn *status, void *arg);
/* Waits for probes and writers that run, and runs none any more: from now on not ready, and /status
 * is short. Call it before what they look at is freed. Accepts NULL. */
void mesh_ops_forget(struct mesh_ops *ops);
/* Stops the thread. Accepts NULL. */
void mesh_ops_free(struct mesh_ops *ops);

#endif
