/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health: the service grpc.health.v1.Health, which says what /readyz says.
 *
 * Threads: health_set() from any thread; the methods run on gRPC workers.
 */
#ifndef HEALTH_H
#define HEALTH_H

#include "call.h"

#include <stdbool.h>

struct health;

enum { HEALTH_METHOD_COUNT = 2 };

/* Not serving. The caller owns the result. */
struct health *health_new(void);
void health_methods(struct health *health, struct method out[static HEALTH_METHOD_COUNT]);
/* Tells the watchers too, when it is another state than before. */
void health_set(struct health *health, bool serving);
/* After the server's end. Accepts NULL. */
void health_free(struct health *health);

#endif
