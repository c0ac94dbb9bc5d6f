/* SPDX-License-Identifier: Apache-2.0 */
/*
 * board: once a second, what people are shown beside the counters: writes `{<stream>}:rate` and
 * this program's health, reads `{<stream>}:archive`, `{<stream>}:recent` and everybody's health,
 * all in one pipeline, and gives it to live.
 *
 * None of it is truth: what Redis refuses is left out and tried again the next second. Threads: the
 * Redis thread; board_look() blocks as long as Redis may take to answer.
 */
#ifndef BOARD_H
#define BOARD_H

#include "health.h"
#include "live.h"
#include "mesh/error.h"
#include "mesh/stream.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>

#define BOARD_RATE_LEN 3600 /* entries of `{<stream>}:rate`, about an hour under load */

struct board;

struct board_options {
    const struct mesh_streams *streams; /* kept */
    struct live *live;                  /* kept */
    struct health *health;              /* kept */
    uint32_t recent_max;                /* texts of last events that are shown; 0: none */
};

/* The caller owns the result. */
struct board *board_new(const struct board_options *options);
/* Accepts NULL. */
void board_free(struct board *board);

/* Does its work if a second has gone by since the last time; a counts_look_fn. False: the
 * connection broke, *err says how. */
MESH_MUST_CHECK
bool board_look(void *board, redisContext *redis, struct mesh_error *err);

#endif
