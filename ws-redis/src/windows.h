/* SPDX-License-Identifier: Apache-2.0 */
/*
 * windows: the bounded queue of what is to be applied, merged per stream and partition.
 *
 * A frame joins the newest waiting window of its partition while both fit in one call; so, while
 * Redis is busy, many small frames become one call. Full: the oldest window is dropped, which
 * hints allow. Threads: whoever holds the lock that guards it; a window taken out belongs to the
 * taker until it is given back.
 */
#ifndef WINDOWS_H
#define WINDOWS_H

#include "frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WINDOW_TRACES_MAX FRAME_TRACES_MAX /* further ones have no span */

/* A sampled event of a window. */
struct window_trace {
    uint64_t offset;
    int64_t received_us;            /* monotonic */
    struct mesh_trace_context send; /* the span above the one that counts it */
};

struct window {
    struct window *next;
    size_t stream_index;
    const struct mesh_stream *stream;
    uint32_t partition;
    uint64_t first_offset;
    size_t count;
    size_t events;               /* at most; repeated ones are counted again */
    int64_t accepted_at;         /* of the oldest frame; 0: not told */
    struct window_trace *traces; /* owned; NULL: none is sampled */
    size_t trace_count;
    uint8_t groups[MESH_COUNTERS_RANGE_MAX];
};

struct windows;

/* len_max: windows waiting at a time. The caller owns the result. */
struct windows *windows_new(size_t stream_count, size_t len_max);
/* Accepts NULL. */
void windows_free(struct windows *windows);

/* Returns how many events were dropped to make room. */
size_t windows_add(struct windows *windows, const struct frame *frame);
/* Takes out the oldest ones, at most len_max, as a list; NULL when there is none. */
struct window *windows_take(struct windows *windows, size_t len_max);
/* Gives back a list that was taken. */
void windows_give_back(struct windows *windows, struct window *list);
size_t windows_len(const struct windows *windows);

#endif
