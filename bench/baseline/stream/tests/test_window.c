/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a reply is believed once, and only if its message waits for it. Method: replies in any
 * order, doubled, and made up.
 */
#include "cmocka_all.h"
#include "window.h"

enum { SIZE = 3 };

static struct window *window;

static int make(void **state)
{
    (void)state;
    window = window_new(SIZE);
    return 0;
}

static int unmake(void **state)
{
    (void)state;
    window_free(window);
    return 0;
}

static void test_it_is_full_until_a_reply_comes(void **state)
{
    (void)state;
    struct window_message message;
    uint64_t last = 0;
    for (int i = 0; i < SIZE; i++) {
        assert_false(window_is_full(window));
        last = window_open(window, 1, i);
        assert_int_not_equal(last, 0);
    }
    assert_true(window_is_full(window));
    assert_true(window_close(window, last, &message));
    assert_false(window_is_full(window));
}

static void test_replies_come_in_any_order(void **state)
{
    (void)state;
    struct window_message message;
    uint64_t first = window_open(window, 10, 100);
    uint64_t second = window_open(window, 20, 200);
    uint64_t third = window_open(window, 30, 300);
    assert_true(window_close(window, second, &message));
    assert_int_equal(message.events, 20);
    assert_int_equal(message.sent_us, 200);
    uint64_t fourth = window_open(window, 40, 400);
    assert_true(window_close(window, third, &message));
    assert_int_equal(message.events, 30);
    assert_true(window_close(window, fourth, &message));
    assert_int_equal(message.events, 40);
    assert_true(window_close(window, first, &message));
    assert_int_equal(message.events, 10);
}

static void test_a_reply_counts_once(void **state)
{
    (void)state;
    struct window_message message;
    uint64_t first = window_open(window, 10, 100);
    assert_true(window_close(window, first, &message));
    assert_false(window_close(window, first, &message));
    uint64_t second = window_open(window, 10, 100); /* in the same place */
    assert_int_not_equal(first, second);
    assert_false(window_close(window, first, &message));
    assert_true(window_close(window, second, &message));
}

static void test_a_made_up_reply_is_refused(void **state)
{
    (void)state;
    struct window_message message;
    uint64_t sequence = window_open(window, 10, 100);
    assert_false(window_close(window, 0, &message));
    assert_false(window_close(window, sequence + 1, &message));
    assert_false(window_close(window, sequence + SIZE, &message));
    assert_false(window_close(window, UINT64_MAX, &message));
    assert_true(window_close(window, sequence, &message));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_is_full_until_a_reply_comes, make, unmake),
        cmocka_unit_test_setup_teardown(test_replies_come_in_any_order, make, unmake),
        cmocka_unit_test_setup_teardown(test_a_reply_counts_once, make, unmake),
        cmocka_unit_test_setup_teardown(test_a_made_up_reply_is_refused, make, unmake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
