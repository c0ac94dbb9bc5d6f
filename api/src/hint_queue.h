/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hint_queue: stored events that ws-redis has not been told of, and the CountFrames made of them.
 *
 * Threads: hint_queue_add() and hint_queue_length() from any thread; frames are made by one thread.
 */
#ifndef API_HINT_QUEUE_H
#define API_HINT_QUEUE_H

#include "events.h"
#include "mesh/bytes.h"
#include "mesh/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HINT_FRAME_WIDTH_MAX 4096 /* offsets in one frame */
#define HINT_BATCH_MAX 4096       /* events looked at at once to find runs */

struct hint_queue;

/* The caller owns the result; the streams are kept. */
struct hint_queue *hint_queue_new(const struct mesh_streams *streams, size_t len_max);
/* Queues the events that are stored at a known offset; returns how many old ones were dropped to
 * make room, and in *out_wake whether the maker of frames must be woken. */
size_t hint_queue_add(struct hint_queue *queue, const struct events *events, int64_t accepted_at_ms,
                      bool *out_wake);
/* The events are sampled (events->trace): their frames are to say so. Before hint_queue_add(). */
void hint_queue_trace(struct hint_queue *queue, const struct events *events);
/* The maker of frames is awake: from now on it must be woken again. */
void hint_queue_awake(struct hint_queue *queue);
/* Appends the next frame to *out and says how many events it holds; 0: nothing waits. */
size_t hint_queue_next_frame(struct hint_queue *queue, struct mesh_buffer *out);
/* Events that are in no frame yet. */
size_t hint_queue_length(struct hint_queue *queue);
void hint_queue_free(struct hint_queue *queue);

#endif
