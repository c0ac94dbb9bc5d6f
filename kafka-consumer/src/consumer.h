/* SPDX-License-Identifier: Apache-2.0 */
/*
 * consumer: the loop on a thread of its own, and what probes want to know about it.
 *
 * Threads: consumer_is_ready() and consumer_status() on any, the others on the one that made it.
 */
#ifndef CONSUMER_H
#define CONSUMER_H

#include "config.h"
#include "mesh/bytes.h"
#include "mesh/error.h"
#include "mesh/stream.h"

struct consumer;

/* Starts the loop without waiting for a server. config and streams are kept and must outlive the
 * result, which the caller owns. NULL on failure, with *err filled in. */
MESH_MUST_CHECK
struct consumer *consumer_new(const struct config *config, const struct mesh_streams *streams,
                              struct mesh_error *err);

/* A mesh_ready_fn: in the group, MongoDB and Redis there, no topic changed. arg: the consumer. */
bool consumer_is_ready(void *arg, struct mesh_buffer *reason);
/* A mesh_status_fn: levels of the loop. arg: the consumer. */
void consumer_status(void *arg, struct mesh_buffer *members);

/* Finishes the batch in hand, settles, commits and leaves the group, all within drain_ms_max; what
 * is not finished then is read again by whoever comes next. Accepts NULL. */
void consumer_free(struct consumer *consumer);

#endif
