/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settle: the Redis side: tells the counters, offset by offset, what MongoDB has.
 *
 * Threads: the loop's. Blocks up to timeout_ms a call. While Redis is away a call returns AWAY at
 * once until the next attempt is due (100 ms to 1 s).
 */
#ifndef SETTLE_H
#define SETTLE_H

#include "mesh/error.h"
#include "notices.h"
#include "partition.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>

struct settle;

enum settle_outcome {
    SETTLE_DONE,        /* nothing is left of this partition for now */
    SETTLE_MORE,        /* a share was done; call again */
    SETTLE_GAP,         /* Redis was set back: read again from *out_watermark */
    SETTLE_OTHER_TOPIC, /* Redis counted another topic: alarm */
    SETTLE_AWAY,        /* Redis cannot be reached, or not just now */
};

/* Does not connect. url: kept, must live as long as the result, which the caller owns. */
struct settle *settle_new(const char *url, uint32_t timeout_ms);

/* Settles rows and then what is to be skipped, a bounded share of it; when there are none and the
 * last word is a second old, a heartbeat. */
enum settle_outcome settle_partition(struct settle *settle, struct partition *partition,
                                     int64_t *out_watermark);
/* The heartbeats that are due, of all partitions, and notices (NULL: none) by one round trip. What
 * is wrong with one settle_partition() says. */
void settle_heartbeats(struct settle *settle, const struct topic *topics, size_t count,
                       struct notices *notices);
/* Brings the derived hashes of the topics that changed up to date. */
void settle_show(struct settle *settle, struct topic *topics, size_t count);
/* Keeps the connection, or makes it anew, where Redis was not heard of for a second. False: it is
 * away. */
bool settle_ping(struct settle *settle);

/* The connection, NULL: Redis is away. For calls of others on the loop's thread; when they break
 * it, the next call here notices. */
redisContext *settle_redis(struct settle *settle);

/* Accepts NULL. */
void settle_free(struct settle *settle);

#endif
