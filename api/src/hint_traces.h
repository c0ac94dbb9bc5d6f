/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hint_traces: the traces of hints that are sampled, beside the hints, which they must not make
 * larger.
 *
 * Bounded; the oldest are forgotten first. Threads: whoever owns the list, or holds its lock.
 */
#ifndef API_HINT_TRACES_H
#define API_HINT_TRACES_H

#include "mesh/stream.h"
#include "mesh/trace.h"
#include "tweetmesh/v1/counts.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HINT_TRACES_MAX 256      /* waiting, and again in the batch that frames are made of */
#define HINT_FRAME_TRACES_MAX 64 /* in one frame */

struct hint_trace {
    const struct mesh_stream *stream;
    uint64_t offset;
    uint32_t partition;
    uint32_t waited; /* batches that were made without its hint */
    struct mesh_trace_context context;
};

struct hint_traces {
    size_t first;
    size_t count;
    struct hint_trace ring[HINT_TRACES_MAX];
};

/* As a frame wants them; what they point to is in the list they were taken from. */
struct hint_frame_traces {
    size_t count;
    Tweetmesh__V1__HintTrace at[HINT_FRAME_TRACES_MAX];
    Tweetmesh__V1__HintTrace *pointers[HINT_FRAME_TRACES_MAX];
};

void hint_traces_add(struct hint_traces *traces, const struct hint_trace *trace);
typedef bool hint_traces_wanted_fn(const void *arg, const struct hint_trace *trace);

/* Replaces *to by what is wanted: its hint leaves the queue. What never is was dropped with its
 * hint, and is forgotten after some batches. */
void hint_traces_move(struct hint_traces *from, hint_traces_wanted_fn *wanted, const void *arg,
                      struct hint_traces *to);
/* Those of a stream and partition with offsets [first, first + width). */
void hint_traces_find(const struct hint_traces *traces, const struct hint_trace *first,
                      uint64_t width, struct hint_frame_traces *out);

#endif
