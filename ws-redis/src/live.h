/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live: the newest message for browsers (subprotocol live.v1), made from what Redis shows.
 *
 *   {"time":"2026-11-20T23:21:07.123Z","live":true,"streams":[{"stream":"tweets","title":"…",
 *    "count_by":"country","groups_are":"countries","total":5,"settled":4,"unsettled":1,"rate":2.5,
 *    "groups":{"Chile":3,"Peru":2},"seconds":{"to":1795213267,"accepted":[0,3,2]},
 *    "lag":{"in_kafka":5,"counted":5,"archived":4,"settled":4,"at_ms":…,"exact":false},
 *    "recent":["…"]}],"programs":[…]}
 *
 * `live` is false while Redis is away; the numbers are then those of `as_of`. `rate` is events per
 * second over the last seconds; `unsettled` are counted but not yet archived; `groups_are` is null
 * where groups are no countries; `lag` is null while no consumer tells; `programs` see health.h.
 * Who begins to watch gets {"time":…,"history":{"tweets":{"to":…,"accepted":[…]}}}, too. A message
 * equal to the last one is put out every 2 s only, so that silence means a broken connection.
 * Threads: live_update(), live_publish() and live_set_…() on the Redis thread; live_take() and
 * live_listen() on any other.
 */
#ifndef LIVE_H
#define LIVE_H

#include "lag.h"
#include "mesh/bytes.h"
#include "mesh/stream.h"
#include "rates.h"

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
/* What the consumers said; no partitions: nothing. */
void live_set_lag(struct live *live, size_t stream_index, const struct lag *lag);
/* What LRANGE of `{<stream>}:recent` gave: texts of the last events, newest first. */
void live_set_recent(struct live *live, size_t stream_index, const redisReply *texts);
/* When a consumer, which keeps that lag, was last heard of; 0: never. Without it nothing is proven,
 * since lag is told only when it changes. */
void live_set_audited(struct live *live, int64_t at_ms);
/* A JSON array; *programs becomes empty. */
void live_set_programs_take(struct live *live, struct mesh_buffer *programs);
/* The seconds of a stream, which live_update() goes on with. */
struct rates *live_rates(struct live *live, size_t stream_index);
/* Puts out a new message, if there is anything new, and tells the listener. */
void live_publish(struct live *live, bool redis_up);

/* NULL: nobody. After it returned, the former listener is not called any more. */
void live_listen(struct live *live, live_listener_fn *listener, void *arg);
/* When there is a message newer than *version: puts it into *out (emptied first) behind
 * `headroom` bytes, raises *version, and returns true. */
bool live_take(struct live *live, size_t headroom, struct mesh_buffer *out, uint64_t *version);
/* Likewise the history for who begins to watch; it changes once a second. */
bool live_take_history(struct live *live, size_t headroom, struct mesh_buffer *out,
                       uint64_t *version);

#endif
