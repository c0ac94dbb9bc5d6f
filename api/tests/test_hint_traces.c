/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the frame that tells of a sampled event carries its trace, at the event's place; frames of
 * others are as they always were; nothing grows without bound.
 * Method: the queue of hints alone, frames read by protobuf-c.
 */
#include "cmocka_all.h"
#include "hint_queue.h"
#include "hint_traces.h"
#include "mesh/spans.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

static struct mesh_streams *streams;

static const struct mesh_trace_context publish = {
    .trace_id = {1, 2, 3}, .span_id = {4, 5, 6}, .flags = MESH_TRACE_SAMPLED};

/* Queues `count` stored events from an offset on. */
static void add(struct hint_queue *queue, int64_t first, size_t count,
                const struct mesh_trace_context *trace)
{
    struct events events;
    bool wake = false;
    events_init(&events, mesh_streams_at(streams, 0), count);
    events.trace = trace;
    for (size_t i = 0; i < count; i++) {
        events.at[i].id = mesh_id_new(first + (int64_t)i);
        events.at[i].code = MESH_OK;
        events.at[i].partition = 0;
        events.at[i].offset = first + (int64_t)i;
    }
    if (trace != NULL) {
        hint_queue_trace(queue, &events);
    }
    (void)hint_queue_add(queue, &events, 1, &wake);
    events_done(&events);
}

static Tweetmesh__V1__CountFrame *next(struct hint_queue *queue)
{
    struct mesh_buffer bytes = {0};
    Tweetmesh__V1__CountFrame *frame = NULL;
    if (hint_queue_next_frame(queue, &bytes) > 0) {
        frame = tweetmesh__v1__count_frame__unpack(NULL, bytes.size, (const uint8_t *)bytes.data);
        assert_non_null(frame);
    }
    mesh_buffer_done(&bytes);
    return frame;
}

static void done(Tweetmesh__V1__CountFrame *frame)
{
    tweetmesh__v1__count_frame__free_unpacked(frame, NULL);
}

static void test_only_sampled_events_carry_their_trace(void **state)
{
    (void)state;
    struct hint_queue *queue = hint_queue_new(streams, 100);
    add(queue, 10, 2, NULL);
    add(queue, 12, 2, &publish);
    add(queue, 14, 1, NULL);
    Tweetmesh__V1__CountFrame *frame = next(queue);
    assert_int_equal(frame->groups.len, 5);
    assert_int_equal(frame->n_traces, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(frame->traces[i]->index, 2 + i);
        assert_int_equal(frame->traces[i]->trace_id.len, MESH_TRACE_ID_SIZE);
        assert_memory_equal(frame->traces[i]->trace_id.data, publish.trace_id, MESH_TRACE_ID_SIZE);
        assert_int_equal(frame->traces[i]->span_id.len, MESH_SPAN_ID_SIZE);
        assert_memory_not_equal(frame->traces[i]->span_id.data, publish.span_id, MESH_SPAN_ID_SIZE);
    }
    done(frame);
    add(queue, 20, 3, NULL); /* those of before are gone */
    frame = next(queue);
    assert_int_equal(frame->n_traces, 0);
    done(frame);
    assert_null(next(queue));
    hint_queue_free(queue);
}

static void test_traces_go_with_their_hints(void **state)
{
    (void)state;
    struct hint_queue *queue = hint_queue_new(streams, 4);
    add(queue, 0, 4, &publish);
    add(queue, 100, 3, NULL); /* which drops the oldest three */
    Tweetmesh__V1__CountFrame *frame = next(queue);
    assert_int_equal(frame->first_offset, 3);
    assert_int_equal(frame->groups.len, 100);
    assert_int_equal(frame->n_traces, 1);
    assert_int_equal(frame->traces[0]->index, 0);
    done(frame);
    hint_queue_free(queue);
}

static void test_frames_and_lists_are_bounded(void **state)
{
    (void)state;
    struct hint_queue *queue = hint_queue_new(streams, 1000);
    add(queue, 0, 1000, &publish);
    Tweetmesh__V1__CountFrame *frame = next(queue);
    assert_int_equal(frame->groups.len, 1000);
    assert_int_equal(frame->n_traces, HINT_FRAME_TRACES_MAX);
    assert_int_equal(frame->traces[0]->index, 1000 - HINT_TRACES_MAX); /* the youngest are kept */
    done(frame);
    hint_queue_free(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_sampled_events_carry_their_trace),
        cmocka_unit_test(test_traces_go_with_their_hints),
        cmocka_unit_test(test_frames_and_lists_are_bounded),
    };
    streams = support_streams();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    mesh_streams_free(streams);
    return failed;
}
