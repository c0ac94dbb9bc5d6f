/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lanes: the PublishStream calls of a link, each with one message at a time.
 *
 * A message and the wish for its reply are one batch: gRPC then writes once, and wakes the link
 * once, when the reply is there. A reader that waits all the time would make it tell the server of
 * room in the flow control window after each reply, in a write of its own, and a message that has
 * left would wake the link. The server knows by the metadata `tweetmesh-window: 1` that it need not
 * read on before it has replied. Mostly one lane is in use; more are started when replies are late.
 *
 * Threads: the link's, but for lanes_send(), which may be called from any, by one at a time.
 */
#ifndef API_LANES_H
#define API_LANES_H

#include "mesh/bytes.h"
#include "rpc.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LANES_MAX 64

/* What a completion stands for: something of a lane, or of the link's own. */
enum lane_tag { LANE_STARTED, LANE_EXCHANGED, LANE_ENDED, LANE_NONE_CHECK, LANE_NONE_WAKE };

struct lane {
    struct rpc_call call; /* the link's thread; while not busy, and until it is, the sender */
    atomic_bool busy;     /* a message or its reply is on its way */
};

struct lanes {
    grpc_channel *channel;
    grpc_completion_queue *cq;
    struct lane at[LANES_MAX];
    atomic_size_t count; /* those started; 0: there is no stream */
    atomic_bool closing; /* one has ended: all are to */
    atomic_int ops; /* batches that have not completed, and announced sends; at 0 all is over */
    atomic_int in_flight;    /* messages without a reply */
    _Atomic int64_t sent_us; /* when the last message was sent */
};

/* What to hand to gRPC with a batch, and what a completion brought back. */
void *lanes_tag(enum lane_tag tag, size_t lane);
enum lane_tag lanes_tag_read(void *tag, size_t *out_lane);

/* Starts the next lane. `flags`: of its initial metadata. */
void lanes_start(struct lanes *lanes, uint32_t flags);
/* Sends the parts as one message on a lane that is free. To be announced in `ops` before. */
void lanes_send(struct lanes *lanes, const struct mesh_bytes *parts, size_t count);
/* Takes the reply of a lane that has completed LANE_EXCHANGED; the caller unrefs it. From here on
 * the lane may be used again. False: there is none, because the lane ends. */
MESH_MUST_CHECK
bool lanes_take_reply(struct lanes *lanes, struct lane *lane, grpc_slice *out);
/* Ends all, or those that wait for no reply. */
void lanes_cancel(struct lanes *lanes, grpc_status_code code, const char *why);
void lanes_cancel_idle(struct lanes *lanes);
/* Takes all away; `ops` is 0. */
void lanes_done(struct lanes *lanes);

#endif
