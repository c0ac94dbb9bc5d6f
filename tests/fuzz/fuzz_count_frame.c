/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a message on counts.v1: refused, or a frame within every limit, which the queue
 * gives back as it was, also when it comes twice.
 */
#include "frame.h"
#include "fuzz.h"
#include "stream_fixture.h"
#include "windows.h"

#include <string.h>

static void frame_must_be_sound(const struct frame *frame)
{
    size_t events = 0;

    must(frame->count >= 1 && frame->count <= MESH_COUNTERS_RANGE_MAX);
    must(frame->partition < MESH_COUNTERS_PARTITION_COUNT_MAX);
    must(frame->first_offset <= MESH_COUNTERS_OFFSET_MAX);
    must(frame->accepted_at >= 0);
    must(frame->stream_index == 0 && strcmp(frame->stream->name, "test") == 0);
    for (size_t i = 0; i < frame->count; i++) {
        if (frame->groups[i] != MESH_GROUP_HOLE) {
            must(frame->groups[i] < frame->stream->group_count);
            events++;
        }
    }
    must(events == frame->events && events + frame->unknown <= frame->count);
    must(frame->trace_count <= FRAME_TRACES_MAX);
    for (size_t i = 0; i < frame->trace_count; i++) {
        must(frame->traces[i].index < frame->count);
        must(frame->groups[frame->traces[i].index] != MESH_GROUP_HOLE);
    }
}

static void queue_must_keep(const struct frame *frame)
{
    struct windows *windows = windows_new(1, 1);

    must(windows_add(windows, frame) == 0);
    must(windows_add(windows, frame) == 0);
    struct window *window = windows_take(windows, 1);
    must(window != NULL && window->next == NULL);
    must(window->first_offset == frame->first_offset && window->count == frame->count);
    must(memcmp(window->groups, frame->groups, frame->count) == 0);
    must(window->trace_count <= WINDOW_TRACES_MAX && window->trace_count >= frame->trace_count);
    windows_give_back(windows, window);
    windows_free(windows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mesh_streams *streams;
    static struct frame_reader *reader;
    static struct frame frame;

    if (reader == NULL) {
        streams = stream_fixture_new(); /* for the process's life */
        reader = frame_reader_new(streams);
    }
    if (frame_read(reader, mesh_bytes_of(data, size), &frame) == FRAME_GOOD) {
        frame_must_be_sound(&frame);
        queue_must_keep(&frame);
    }
    return 0;
}
