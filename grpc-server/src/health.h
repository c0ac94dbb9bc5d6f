/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health: the service grpc.health.v1.Health, which says what /readyz says.
 *
 * Threads: health_tell() from any thread; the methods run on gRPC workers.
 */
#ifndef HEALTH_H
#define HEALTH_H

#include "call.h"

#include <stdbool.h>

struct health;

enum { HEALTH_METHOD_COUNT = 2 };

/* Whether the server can do its job at this moment. Any thread; must not block. */
typedef bool health_probe_fn(void *arg);

/* Every Check asks the probe, so that the answer is never older than the question. The caller owns
 * the result. */
struct health *health_new(health_probe_fn *probe, void *arg);
void health_methods(struct health *health, struct method out[static HEALTH_METHOD_COUNT]);
/* Asks the probe and tells watchers that have been told otherwise. */
void health_tell(struct health *health);
/* After the server's end. Accepts NULL. */
void health_free(struct health *health);

#endif
