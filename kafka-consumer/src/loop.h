/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop: one round after the other: collect a batch → archive → dead letters → settle → commit.
 *
 * No linger: whatever waits in Kafka is the next batch. What cannot be done now stays in hand, in
 * order, and is tried again: MongoDB away, reading pauses; Redis away, archiving goes on until
 * UNSETTLED_LEN_MAX rows wait, then reading pauses. We stay in the group all the while.
 *
 * Threads: one at a time calls loop_…(); struct loop_levels is read by any.
 */
#ifndef LOOP_H
#define LOOP_H

#include "config.h"
#include "levels.h"
#include "mesh/error.h"
#include "mesh/stream.h"

#include <stdbool.h>

struct loop;

/* Does not wait for a server. config, streams and levels: kept. The caller owns the result. NULL on
 * failure, with *err filled in. */
MESH_MUST_CHECK
struct loop *loop_new(const struct config *config, const struct mesh_streams *streams,
                      struct loop_levels *levels, struct mesh_error *err);
/* Blocks for as long as there is nothing to do, three seconds at most, or as servers take. With
 * `draining` no new records are taken. */
void loop_round(struct loop *loop, bool draining);
/* Ends the wait of a round, or of the next one at once. Threads: any, while others call. */
void loop_interrupt(struct loop *loop);
/* Settles and commits what is archived, and leaves the group. Accepts NULL. */
void loop_free(struct loop *loop);

#endif
