/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what is stored is told to ws-redis in few frames; nothing waits without bound; a server
 * that is away or goes away is found again. Method: the queue alone, then the client against a
 * libwebsockets server in this process.
 */
#include "cmocka_all.h"
#include "hint_queue.h"
#include "hint_server.h"
#include "hints.h"
#include "mesh/alloc.h"
#include "support.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mesh_streams *streams;

/* Stored events of a stream: group, partition and offset as given. */
static void make(struct events *events, size_t count)
{
    events_init(events, mesh_streams_at(streams, 0), count);
    for (size_t i = 0; i < count; i++) {
        events->at[i].code = MESH_OK;
        events->at[i].partition = 0;
        events->at[i].offset = (int64_t)i;
    }
}

static Tweetmesh__V1__CountFrame *next(struct hint_queue *queue, size_t *out_count)
{
    struct mesh_buffer bytes = {0};
    *out_count = hint_queue_next_frame(queue, &bytes);
    Tweetmesh__V1__CountFrame *frame =
        *out_count == 0
            ? NULL
            : tweetmesh__v1__count_frame__unpack(NULL, bytes.size, (const uint8_t *)bytes.data);
    mesh_buffer_done(&bytes);
    return frame;
}

static void test_runs_become_frames_with_their_own_group_numbers(void **state)
{
    (void)state;
    struct hint_queue *queue = hint_queue_new(streams, 100);
    struct events events;
    bool wake = false;
    make(&events, 6);
    int32_t partitions[] = {1, 0, 1, 1, 1, 1};
    int64_t offsets[] = {12, 5, 10, -1, 10 + HINT_FRAME_WIDTH_MAX, 13};
    uint8_t groups[] = {9, 0, 200, 1, 3, 9};
    for (size_t i = 0; i < events.count; i++) {
        events.at[i].partition = partitions[i];
        events.at[i].offset = offsets[i];
        events.at[i].group = groups[i];
    }
    events.at[5].code = MESH_UNAVAILABLE;
    assert_int_equal(hint_queue_add(queue, &events, 77, &wake), 0);
    assert_true(wake);
    assert_int_equal(hint_queue_length(queue), 4);

    size_t count;
    Tweetmesh__V1__CountFrame *frame = next(queue, &count);
    assert_int_equal(count, 1);
    assert_int_equal(frame->partition, 0);
    assert_true(frame->first_offset == 5);
    tweetmesh__v1__count_frame__free_unpacked(frame, NULL);

    frame = next(queue, &count);
    assert_int_equal(count, 2);
    assert_string_equal(frame->stream, events.stream->name);
    assert_int_equal(frame->partition, 1);
    assert_true(frame->first_offset == 10);
    assert_true(frame->accepted_at == 77);
    assert_int_equal(frame->groups.len, 3);
    assert_memory_equal(frame->groups.data, ((uint8_t[]){0, MESH_GROUP_HOLE, 1}), 3);
    assert_int_equal(frame->n_group_names, 2);
    assert_string_equal(frame->group_names[0], events.stream->group_names[200]);
    assert_string_equal(frame->group_names[1], events.stream->group_names[9]);
    tweetmesh__v1__count_frame__free_unpacked(frame, NULL);

    frame = next(queue, &count);
    assert_int_equal(count, 1);
    assert_true(frame->first_offset == 10 + HINT_FRAME_WIDTH_MAX);
    tweetmesh__v1__count_frame__free_unpacked(frame, NULL);
    assert_null(next(queue, &count));
    events_done(&events);
    hint_queue_free(queue);
}

static void test_a_full_queue_drops_the_oldest(void **state)
{
    (void)state;
    struct hint_queue *queue = hint_queue_new(streams, 10);
    struct events events;
    bool wake = false;
    make(&events, 25);
    assert_int_equal(hint_queue_add(queue, &events, 1, &wake), 15);
    assert_int_equal(hint_queue_length(queue), 10);
    size_t count;
    Tweetmesh__V1__CountFrame *frame = next(queue, &count);
    assert_int_equal(count, 10);
    assert_true(frame->first_offset == 15);
    tweetmesh__v1__count_frame__free_unpacked(frame, NULL);
    events_done(&events);
    hint_queue_free(queue);
}

static void test_one_wake_until_awake(void **state)
{
    (void)state;
    struct hint_queue *queue = hint_queue_new(streams, 10);
    struct events events;
    bool wake = false;
    make(&events, 1);
    hint_queue_add(queue, &events, 1, &wake);
    assert_true(wake);
    hint_queue_add(queue, &events, 1, &wake);
    assert_false(wake);
    hint_queue_awake(queue);
    hint_queue_add(queue, &events, 1, &wake);
    assert_true(wake);
    events_done(&events);
    hint_queue_free(queue);
}

static void test_urls(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    assert_true(hints_url_valid("ws://127.0.0.1:8090/", &err));
    assert_true(hints_url_valid("ws://ws-redis:8090", &err));
    assert_false(hints_url_valid("http://127.0.0.1:8090/", &err));
    assert_false(hints_url_valid("ws://", &err));
    assert_false(hints_url_valid("127.0.0.1:8090", &err));
}

static struct hints *client_of(uint16_t port)
{
    char url[64];
    struct mesh_error err = {0};
    snprintf(url, sizeof(url), "ws://127.0.0.1:%u/", (unsigned)port);
    struct hints *hints =
        hints_new(&(struct hints_options){.url = url, .len_max = 100000, .streams = streams}, &err);
    assert_non_null(hints);
    return hints;
}

static bool is_connected(void *arg)
{
    return hints_connected(arg);
}

static bool is_not_connected(void *arg)
{
    return !hints_connected(arg);
}

static bool all_came(void *arg)
{
    return hint_server_offset_count(arg) >= 20000;
}

static void add(struct hints *hints, int64_t first, size_t count)
{
    struct events events;
    make(&events, count);
    for (size_t i = 0; i < count; i++) {
        events.at[i].offset = first + (int64_t)i;
    }
    hints_add(hints, &events, 1);
    events_done(&events);
}

static void test_hints_arrive_also_those_of_before_the_connection(void **state)
{
    (void)state;
    struct hint_server *server = hint_server_new(0);
    struct hints *hints = client_of(hint_server_port(server));
    for (int64_t i = 0; i < 20; i++) {
        add(hints, i * 1000, 1000);
    }
    support_wait(all_came, server);
    assert_int_equal(hint_server_offset_count(server), 20000);
    hints_free(hints, 1000);
    hint_server_free(server);
}

static void test_a_server_that_comes_back_is_found_again(void **state)
{
    (void)state;
    struct hint_server *server = hint_server_new(0);
    uint16_t port = hint_server_port(server);
    struct hints *hints = client_of(port);
    support_wait(is_connected, hints);
    hint_server_free(server);
    support_wait(is_not_connected, hints);
    add(hints, 0, 10000);
    server = hint_server_new(port);
    add(hints, 10000, 10000);
    support_wait(all_came, server);
    hints_free(hints, 1000);
    hint_server_free(server);
}

static void test_freeing_sends_what_waits(void **state)
{
    (void)state;
    struct hint_server *server = hint_server_new(0);
    struct hints *hints = client_of(hint_server_port(server));
    support_wait(is_connected, hints);
    add(hints, 0, 20000);
    hints_free(hints, SUPPORT_WAIT_MS);
    support_wait(all_came, server);
    hint_server_free(server);
}

static void test_a_server_that_is_away_does_not_hold_the_end(void **state)
{
    (void)state;
    struct hint_server *server = hint_server_new(0);
    uint16_t port = hint_server_port(server);
    hint_server_free(server);
    struct hints *hints = client_of(port);
    add(hints, 0, 10);
    hints_free(hints, 3600 * 1000); /* the test's time-out says whether it waits */
}

static int setup(void **state)
{
    (void)state;
    streams = support_streams();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mesh_streams_free(streams);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_become_frames_with_their_own_group_numbers),
        cmocka_unit_test(test_a_full_queue_drops_the_oldest),
        cmocka_unit_test(test_one_wake_until_awake),
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_hints_arrive_also_those_of_before_the_connection),
        cmocka_unit_test(test_a_server_that_comes_back_is_found_again),
        cmocka_unit_test(test_freeing_sends_what_waits),
        cmocka_unit_test(test_a_server_that_is_away_does_not_hold_the_end),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
