/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live: the newest message for browsers (subprotocol live.v1), made from what Redis shows.
 *
 *   {"time":"2026-11-20T23:21:07.123Z","live":true,"streams":[{"stream":"tweets","title":"…",
 *    "count_by":"country","total":5,"settled":4,"unsettled":1,"rate":2.5,
 *    "groups":{"Chile":3,"Peru":2}}]}
 *
 * `live` is false while Redis is away; the numbers are then the last known. `rate` is events per
 * second over the last seconds; `unsettled` are counted but not yet archived.
 * Threads: live_update() and live_publish() on the Redis thread; live_take() and live_listen() on
 * any other.
 */
#ifndef LIVE_H
#define LIVE_H

#include "mesh/bytes.h"
#include "mesh/stream.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct live;

/* Runs on the Redis thread after a new message was put out; must not block. */
typedef void live_listener_fn(void *arg);

/* `streams` must outlive the result, which the caller owns. */
struct live *live_new(const struct mesh_streams *streams);
/* Accepts NULL. */
void live_free(struct live *live);

/* Takes over what HGETALL of the two derived hashes gave; replies of another kind are ignored. */
void live_update(struct live *live, size_t stream_index, const redisReply *groups,
                 const redisReply *totals, int64_t now_us);
/* Puts out a new message and tells the listener. */
void live_publish(struct live *live, bool redis_up);

/* NULL: nobody. After it returned, the former listener is not called any more. */
void live_listen(struct live *live, live_listener_fn *listener, void *arg);
/* When there is a message newer than *version: puts it into *out (emptied first) behind
 * `headroom` bytes, raises *version, and returns true. */
bool live_take(struct live *live, size_t headroom, struct mesh_buffer *out, uint64_t *version);

#endif
