/* SPDX-License-Identifier: Apache-2.0 */
#include "hint_queue.h"

#include "hint_traces.h"
#include "mesh/alloc.h"
#include "mesh/spans.h"
#include "tweetmesh/v1/counts.pb-c.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct hint {
    const struct mesh_stream *stream;
    uint64_t offset;
    uint64_t accepted_at_ms;
    uint32_t partition;
    uint8_t group;
};

struct hint_queue {
    const struct mesh_streams *streams;
    pthread_mutex_t mutex; /* guards the ring and what is below */
    size_t capacity;
    size_t first;
    size_t count;
    bool wake_sent;
    struct hint *ring;
    struct hint_traces *traces; /* of those in the ring; NULL: none was ever sampled */

    /* the maker of frames */
    struct hint batch[HINT_BATCH_MAX]; /* sorted by stream, partition, offset */
    size_t batch_next;
    size_t batch_count;
    struct hint_traces *batch_traces; /* NULL: none was ever sampled */
};

struct hint_queue *hint_queue_new(const struct mesh_streams *streams, size_t len_max)
{
    assert(len_max > 0);
    struct hint_queue *queue = mesh_new(struct hint_queue);
    queue->streams = streams;
    pthread_mutex_init(&queue->mutex, NULL);
    queue->capacity = len_max;
    queue->ring = mesh_new_array(struct hint, len_max);
    return queue;
}

void hint_queue_trace(struct hint_queue *queue, const struct events *events)
{
    pthread_mutex_lock(&queue->mutex);
    if (queue->traces == NULL) {
        queue->traces = mesh_new(struct hint_traces);
    }
    for (size_t i = 0; i < events->count; i++) {
        const struct event *event = &events->at[i];
        if (event->code == MESH_OK && event->offset >= 0 && event->partition >= 0) {
            struct hint_trace trace = {.stream = events->stream,
                                       .offset = (uint64_t)event->offset,
                                       .partition = (uint32_t)event->partition,
                                       .context = *events->trace};
            mesh_span_id_of_send(events->trace, &event->id, trace.context.span_id);
            hint_traces_add(queue->traces, &trace);
        }
    }
    pthread_mutex_unlock(&queue->mutex);
}

size_t hint_queue_add(struct hint_queue *queue, const struct events *events, int64_t accepted_at_ms,
                      bool *out_wake)
{
    size_t dropped = 0;
    size_t added = 0;
    pthread_mutex_lock(&queue->mutex);
    for (size_t i = 0; i < events->count; i++) {
        const struct event *event = &events->at[i];
        if (event->code != MESH_OK || event->offset < 0 || event->partition < 0) {
            continue;
        }
        if (queue->count == queue->capacity) {
            queue->first = (queue->first + 1) % queue->capacity;
            queue->count--;
            dropped++;
        }
        queue->ring[(queue->first + queue->count) % queue->capacity] =
            (struct hint){.stream = events->stream,
                          .offset = (uint64_t)event->offset,
                          .accepted_at_ms = (uint64_t)accepted_at_ms,
                          .partition = (uint32_t)event->partition,
                          .group = event->group};
        queue->count++;
        added++;
    }
    *out_wake = added > 0 && !queue->wake_sent;
    queue->wake_sent = queue->wake_sent || added > 0;
    pthread_mutex_unlock(&queue->mutex);
    return dropped;
}

void hint_queue_awake(struct hint_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->wake_sent = false;
    pthread_mutex_unlock(&queue->mutex);
}

static int compare(const void *a, const void *b)
{
    const struct hint *x = a;
    const struct hint *y = b;
    if (x->stream != y->stream) {
        return x->stream < y->stream ? -1 : 1;
    }
    if (x->partition != y->partition) {
        return x->partition < y->partition ? -1 : 1;
    }
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* What one reply answers comes in order, and often is all there is. */
static bool is_sorted(const struct hint *hints, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (compare(&hints[i - 1], &hints[i]) > 0) {
            return false;
        }
    }
    return true;
}

static bool is_in_batch(const void *arg, const struct hint_trace *trace)
{
    const struct hint_queue *queue = arg;
    const struct hint wanted = {
        .stream = trace->stream, .offset = trace->offset, .partition = trace->partition};
    return bsearch(&wanted, queue->batch, queue->batch_count, sizeof(wanted), compare) != NULL;
}

/* For the batch, which is sorted. */
static void fetch_traces(struct hint_queue *queue)
{
    if (queue->batch_traces == NULL) {
        queue->batch_traces = mesh_new(struct hint_traces);
    }
    pthread_mutex_lock(&queue->mutex);
    hint_traces_move(queue->traces, is_in_batch, queue, queue->batch_traces);
    pthread_mutex_unlock(&queue->mutex);
}

static void fetch_batch(struct hint_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    size_t count = queue->count < HINT_BATCH_MAX ? queue->count : HINT_BATCH_MAX;
    for (size_t i = 0; i < count; i++) {
        queue->batch[i] = queue->ring[(queue->first + i) % queue->capacity];
    }
    queue->first = (queue->first + count) % queue->capacity;
    queue->count -= count;
    const bool traced = queue->traces != NULL;
    pthread_mutex_unlock(&queue->mutex);
    if (!is_sorted(queue->batch, count)) {
        qsort(queue->batch, count, sizeof(queue->batch[0]), compare);
    }
    queue->batch_next = 0;
    queue->batch_count = count;
    if (traced) {
        fetch_traces(queue);
    }
}

/* Where the run ends that starts at batch_next: same stream and partition, not too wide. */
static size_t run_end(const struct hint_queue *queue)
{
    const struct hint *first = &queue->batch[queue->batch_next];
    size_t end = queue->batch_next + 1;
    while (end < queue->batch_count && queue->batch[end].stream == first->stream &&
           queue->batch[end].partition == first->partition &&
           queue->batch[end].offset - first->offset < HINT_FRAME_WIDTH_MAX) {
        end++;
    }
    return end;
}

static void write_run(const struct hint *first, size_t count,
                      const struct hint_frame_traces *traces, struct mesh_buffer *out)
{
    MESH_UNINITIALIZED uint8_t groups[HINT_FRAME_WIDTH_MAX]; /* `width` are written */
    uint8_t local[MESH_GROUP_COUNT_MAX]; /* the frame's number of a group; HOLE: not used yet */
    MESH_UNINITIALIZED const char *names[MESH_GROUP_COUNT_MAX]; /* `name_count` are written */
    size_t name_count = 0;
    size_t width = first[count - 1].offset - first->offset + 1;
    uint64_t oldest_ms = first->accepted_at_ms;

    memset(groups, MESH_GROUP_HOLE, width);
    memset(local, MESH_GROUP_HOLE, sizeof(local));
    for (size_t i = 0; i < count; i++) {
        const struct hint *hint = &first[i];
        assert(hint->group < hint->stream->group_count);
        if (local[hint->group] == MESH_GROUP_HOLE) {
            names[name_count] = hint->stream->group_names[hint->group];
            local[hint->group] = (uint8_t)name_count++;
        }
        groups[hint->offset - first->offset] = local[hint->group];
        if (hint->accepted_at_ms < oldest_ms) {
            oldest_ms = hint->accepted_at_ms;
        }
    }
    Tweetmesh__V1__CountFrame frame = TWEETMESH__V1__COUNT_FRAME__INIT;
    frame.stream = (char *)(uintptr_t)first->stream->name;
    frame.partition = first->partition;
    frame.first_offset = first->offset;
    frame.groups = (ProtobufCBinaryData){.len = width, .data = groups};
    frame.n_group_names = name_count;
    frame.group_names = (char **)(uintptr_t)names;
    frame.accepted_at = oldest_ms;
    if (traces != NULL) {
        frame.n_traces = traces->count;
        frame.traces = (Tweetmesh__V1__HintTrace **)(uintptr_t)traces->pointers;
    }

    size_t size = tweetmesh__v1__count_frame__get_packed_size(&frame);
    char *room = mesh_buffer_room(out, size);
    tweetmesh__v1__count_frame__pack(&frame, (uint8_t *)room);
    room[size] = '\0';
    out->size += size;
}

/* A run of which some may be sampled. */
static void write_traced_run(const struct hint *first, size_t count, const struct hint_traces *all,
                             struct mesh_buffer *out)
{
    MESH_UNINITIALIZED struct hint_frame_traces traces; /* `count` says how many are written */
    const struct hint_trace place = {
        .stream = first->stream, .offset = first->offset, .partition = first->partition};

    hint_traces_find(all, &place, first[count - 1].offset - first->offset + 1, &traces);
    write_run(first, count, &traces, out);
}

size_t hint_queue_next_frame(struct hint_queue *queue, struct mesh_buffer *out)
{
    if (queue->batch_next == queue->batch_count) {
        fetch_batch(queue);
    }
    if (queue->batch_count == 0) {
        return 0;
    }
    size_t end = run_end(queue);
    size_t count = end - queue->batch_next;
    const struct hint *first = &queue->batch[queue->batch_next];
    if (queue->batch_traces != NULL && queue->batch_traces->count > 0) {
        write_traced_run(first, count, queue->batch_traces, out);
    } else {
        write_run(first, count, NULL, out);
    }
    queue->batch_next = end;
    return count;
}

size_t hint_queue_length(struct hint_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    size_t count = queue->count;
    pthread_mutex_unlock(&queue->mutex);
    return count;
}

void hint_queue_free(struct hint_queue *queue)
{
    pthread_mutex_destroy(&queue->mutex);
    free(queue->ring);
    free(queue->traces);
    free(queue->batch_traces);
    free(queue);
}
