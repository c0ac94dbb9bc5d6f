/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hub: the WebSocket port: feeders (counts.v1, from api), viewers (live.v1, browsers), and the
 * page.
 *
 * Threads: one of its own, the only one that calls libwebsockets; all calls here from one other.
 * Limits: feeders, viewers, 64 KiB a message; who breaks the protocol is disconnected with a code
 * that says why; a slow viewer skips messages and is dropped in the end.
 */
#ifndef HUB_H
#define HUB_H

#include "counts.h"
#include "health.h"
#include "live.h"
#include "mesh/error.h"
#include "mesh/tls.h"

#include <stdbool.h>
#include <stdint.h>

struct hub;

struct hub_options {
    const char *host;                 /* numeric; read during hub_new() */
    uint16_t port;                    /* 0: any free one */
    const struct mesh_tls_files *tls; /* kept; NULL or without .cert: plain */
    uint32_t feeders_max;
    uint32_t viewers_max;
    uint32_t viewer_ms_max; /* without taking a message that waits */
    uint32_t update_ms_min; /* between two messages to a viewer; more where viewers are many */
    struct counts *counts;  /* kept */
    struct live *live;      /* kept */
    struct health *health;  /* hears of other programs; kept; NULL: nobody */
};

/* Listens. The caller owns the result. NULL on failure, with *err filled in. */
MESH_MUST_CHECK
struct hub *hub_new(const struct hub_options *options, struct mesh_error *err);
uint16_t hub_port(const struct hub *hub);
/* The files of options.tls have changed: new connections have what is in them. Any thread; the
 * change itself is done on ours. */
bool hub_certificate_changed(void *hub, struct mesh_error *err);
/* Members of /status; a mesh_status_fn. */
void hub_status(void *hub, struct mesh_buffer *members);

/* Takes no more connections, tells the feeders 1001 (going away) and waits until they are gone, at
 * most ms_max. Accepts NULL. */
void hub_drain(struct hub *hub, uint32_t ms_max);
/* Tells everybody left 1001, waits likewise, and stops. Accepts NULL. */
void hub_free(struct hub *hub, uint32_t ms_max);

#endif
