/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rates: how many events of one stream were counted in each of the last seconds, found out by
 * looking at the total now and then.
 *
 * A second is closed when a later one is seen. Closed seconds are kept for the page and, where
 * something was counted or has just stopped, handed out as rows for `{<stream>}:rate`; so a stream
 * at rest costs nothing. Threads: one at a time.
 */
#ifndef RATES_H
#define RATES_H

#include "mesh/bytes.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RATES_SECONDS 300 /* kept */
#define RATES_ROWS_MAX 16 /* that wait to be taken; then the oldest is dropped */

struct rates_row {
    int64_t second; /* Unix time */
    uint64_t accepted;
    uint64_t total; /* at its end */
};

/* In the owner's memory; all zero: nothing was seen yet. */
struct rates {
    int64_t first;                    /* oldest second known; 0: none */
    int64_t second;                   /* the open one */
    uint64_t from;                    /* total when it began */
    uint64_t total;                   /* last seen */
    int64_t row_of;                   /* newest second that became a row */
    uint32_t accepted[RATES_SECONDS]; /* by second % RATES_SECONDS */
    struct rates_row rows[RATES_ROWS_MAX];
    size_t row_count;
};

/* The total as it is now. A total that falls counts nothing; a clock that is set back by more than
 * a moment begins anew. */
void rates_note(struct rates *rates, uint64_t total, int64_t unix_second);
/* Takes the oldest row that waits. False: there is none. */
bool rates_take_row(struct rates *rates, struct rates_row *out);
/* Learns seconds before those seen here from what XREVRANGE of `{<stream>}:rate` answered. What is
 * not as it should be is passed over. */
void rates_learn(struct rates *rates, const redisReply *reply);
/* Adds {"to":<newest closed second>,"accepted":[…]}, oldest first, of up to `count` seconds; `null`
 * when there is none. */
void rates_write(const struct rates *rates, size_t count, struct mesh_buffer *out);

#endif
