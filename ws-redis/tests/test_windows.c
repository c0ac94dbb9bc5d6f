/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the queue is bounded and drops the oldest; frames of a partition merge exactly, and only
 * while they fit into one call.
 * Method: the queue alone; at the end random frames against a plain array.
 */
#include "cmocka_all.h"
#include "windows.h"

#include <stdlib.h>
#include <string.h>

static size_t add(struct windows *windows, uint32_t partition, uint64_t first, const char *groups)
{
    struct frame frame = {.partition = partition, .first_offset = first, .count = strlen(groups)};
    for (size_t i = 0; i < frame.count; i++) {
        frame.groups[i] = groups[i] == '-' ? MESH_GROUP_HOLE : (uint8_t)(groups[i] - '0');
        frame.events += groups[i] != '-';
    }
    return windows_add(windows, &frame);
}

static void assert_window(const struct window *window, uint64_t first, const char *groups)
{
    assert_non_null(window);
    assert_int_equal(window->first_offset, first);
    assert_int_equal(window->count, strlen(groups));
    for (size_t i = 0; i < window->count; i++) {
        assert_int_equal(window->groups[i],
                         groups[i] == '-' ? MESH_GROUP_HOLE : (uint8_t)(groups[i] - '0'));
    }
}

static void test_full_queue_drops_the_oldest(void **state)
{
    (void)state;
    struct windows *windows = windows_new(1, 2);
    assert_int_equal(add(windows, 0, 10, "01-"), 0);
    assert_int_equal(add(windows, 1, 10, "0"), 0);
    assert_int_equal(add(windows, 2, 10, "0"), 2);
    assert_int_equal(windows_len(windows), 2);
    assert_int_equal(add(windows, 0, 13, "1"), 1); /* the dropped one does not take it */
    struct window *list = windows_take(windows, 10);
    assert_int_equal(list->partition, 2);
    assert_window(list->next, 13, "1");
    assert_null(list->next->next);
    windows_give_back(windows, list);
    windows_free(windows);
}

static void test_what_is_too_wide_becomes_another_window(void **state)
{
    (void)state;
    struct windows *windows = windows_new(1, 8);
    assert_int_equal(add(windows, 0, 5000, "1"), 0);
    assert_int_equal(add(windows, 0, 5000 - MESH_COUNTERS_RANGE_MAX, "1"), 0);
    assert_int_equal(windows_len(windows), 2);
    assert_int_equal(add(windows, 0, 4999, "1"), 0); /* fits the newer one exactly */
    assert_int_equal(windows_len(windows), 2);
    struct window *list = windows_take(windows, 10);
    assert_window(list, 5000, "1");
    assert_int_equal(list->next->count, MESH_COUNTERS_RANGE_MAX);
    windows_give_back(windows, list);
    windows_free(windows);
}

static void test_taken_window_does_not_grow(void **state)
{
    (void)state;
    struct windows *windows = windows_new(1, 8);
    add(windows, 0, 0, "0");
    struct window *list = windows_take(windows, 1);
    add(windows, 0, 1, "1");
    assert_window(list, 0, "0");
    windows_give_back(windows, list);
    list = windows_take(windows, 1);
    assert_window(list, 1, "1");
    windows_give_back(windows, list);
    assert_null(windows_take(windows, 1));
    windows_free(windows);
}

static void test_frames_merge_in_any_order(void **state)
{
    (void)state;
    struct windows *windows = windows_new(1, 8);
    add(windows, 0, 10, "01");
    add(windows, 0, 14, "1-1"); /* a gap before it */
    add(windows, 0, 7, "1");    /* and one in front */
    add(windows, 0, 11, "0-0"); /* overlaps: who was first stays */
    assert_int_equal(windows_len(windows), 1);
    struct window *list = windows_take(windows, 10);
    assert_window(list, 7,
                  "1--01-01"
                  "-1");
    windows_give_back(windows, list);
    windows_free(windows);
}

static void test_oldest_acceptance_is_kept(void **state)
{
    (void)state;
    struct windows *windows = windows_new(1, 8);
    struct frame frame = {.count = 1, .events = 1};
    static const int64_t accepted_at[] = {0, 50, 40, 0, 60};
    for (size_t i = 0; i < MESH_COUNT_OF(accepted_at); i++) {
        frame.first_offset = i;
        frame.accepted_at = accepted_at[i];
        windows_add(windows, &frame);
    }
    struct window *list = windows_take(windows, 10);
    assert_int_equal(list->accepted_at, 40);
    assert_int_equal(list->events, 5);
    windows_give_back(windows, list);
    windows_free(windows);
}

static void test_traces_merge_up_to_the_limit(void **state)
{
    (void)state;
    struct windows *windows = windows_new(1, 8);
    struct frame frame = {.count = 40, .events = 40, .trace_count = 40};
    for (size_t i = 0; i < frame.trace_count; i++) {
        frame.traces[i] = (struct frame_trace){.index = (uint32_t)i, .send = {.span_id = {1}}};
    }
    frame.first_offset = 100;
    windows_add(windows, &frame);
    frame.first_offset = 50; /* the window begins elsewhere then; its traces stay where they are */
    windows_add(windows, &frame);
    struct window *list = windows_take(windows, 10);
    assert_null(list->next);
    assert_int_equal(list->trace_count, WINDOW_TRACES_MAX);
    assert_int_equal(list->traces[39].offset, 139);
    assert_int_equal(list->traces[40].offset, 50);
    windows_give_back(windows, list);

    frame.trace_count = 0; /* the same window once more, now without */
    windows_add(windows, &frame);
    list = windows_take(windows, 10);
    assert_int_equal(list->trace_count, 0);
    assert_null(list->traces);
    windows_give_back(windows, list);
    frame.trace_count = 1; /* waiting when all ends */
    windows_add(windows, &frame);
    windows_free(windows);
}

static void test_random_frames_lose_nothing(void **state)
{
    (void)state;
    enum { OFFSETS = 20000, PARTITIONS = 3 };
    static uint8_t wanted[PARTITIONS][OFFSETS];
    static uint8_t got[PARTITIONS][OFFSETS];
    static struct frame frame;
    struct windows *windows = windows_new(1, 100000);
    unsigned int seed = 7;
    memset(got, MESH_GROUP_HOLE, sizeof(got));
    memset(wanted, MESH_GROUP_HOLE, sizeof(wanted));
    for (int round = 0; round < 2000; round++) {
        frame.partition = (uint32_t)(rand_r(&seed) % PARTITIONS);
        frame.first_offset = (uint64_t)(rand_r(&seed) % (OFFSETS - 200));
        frame.count = (size_t)(1 + rand_r(&seed) % 200);
        for (size_t i = 0; i < frame.count; i++) {
            const uint64_t offset = frame.first_offset + i;
            frame.groups[i] =
                offset % 7 == 0 ? MESH_GROUP_HOLE : (uint8_t)(offset % 5); /* as in a log */
            if (frame.groups[i] != MESH_GROUP_HOLE) {
                wanted[frame.partition][offset] = frame.groups[i];
            }
        }
        assert_int_equal(windows_add(windows, &frame), 0);
    }
    struct window *list = NULL;
    while ((list = windows_take(windows, 5)) != NULL) {
        for (const struct window *window = list; window != NULL; window = window->next) {
            assert_true(window->count <= MESH_COUNTERS_RANGE_MAX);
            for (size_t i = 0; i < window->count; i++) {
                if (window->groups[i] != MESH_GROUP_HOLE) {
                    got[window->partition][window->first_offset + i] = window->groups[i];
                }
            }
        }
        windows_give_back(windows, list);
    }
    assert_memory_equal(got, wanted, sizeof(got));
    windows_free(windows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_queue_drops_the_oldest),
        cmocka_unit_test(test_what_is_too_wide_becomes_another_window),
        cmocka_unit_test(test_taken_window_does_not_grow),
        cmocka_unit_test(test_frames_merge_in_any_order),
        cmocka_unit_test(test_oldest_acceptance_is_kept),
        cmocka_unit_test(test_traces_merge_up_to_the_limit),
        cmocka_unit_test(test_random_frames_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
