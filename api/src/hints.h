/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hints: tells ws-redis over a WebSocket which events are in Kafka, so that they are counted at
 * once. Hints may be lost: the consumer settles every offset later.
 *
 * Threads: one of its own, which alone calls libwebsockets. hints_add() from any thread; it never
 * blocks and wakes that thread once per batch.
 */
#ifndef API_HINTS_H
#define API_HINTS_H

#include "events.h"
#include "mesh/error.h"
#include "mesh/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hints;

struct hints_options {
    const char *url; /* ws://host[:port]/path; read during hints_new() */
    const char *ca;  /* read during hints_new(); for wss://; NULL or "": the system's */
    size_t len_max;  /* events; beyond it the oldest are dropped */
    const struct mesh_streams *streams; /* kept */
};

bool hints_url_valid(const char *url, struct mesh_error *err);

/* Starts the thread, which connects and connects again. NULL on failure, with *err filled in. */
MESH_MUST_CHECK
struct hints *hints_new(const struct hints_options *options, struct mesh_error *err);

/* Queues those events that are stored at a known offset. */
void hints_add(struct hints *hints, const struct events *events, int64_t accepted_at_ms);

/* Whether there is a stream to a grpc-server that serves; on the hints thread, must not block. */
typedef bool hints_serving_fn(void *arg);

/* From now on tells ws-redis every two seconds how this api is, for people who watch. NULL: no
 * more; when that has returned, the former one is not called any more. instance: copied; "" is no
 * name. Accepts NULL hints. */
void hints_tell(struct hints *hints, const char *instance, hints_serving_fn *serving, void *arg);

/* Whether ws-redis is connected; for /status. */
bool hints_connected(const struct hints *hints);

/* Waits at most flush_ms for the queue to be sent, then stops. Accepts NULL. */
void hints_free(struct hints *hints, uint32_t flush_ms);

#endif
