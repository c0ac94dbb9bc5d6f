/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what counts is what was acknowledged in the measured time, and nothing is lost from the
 * books. Method: a made-up clock; the figures are read back from the JSON.
 */
#include "cmocka_all.h"
#include "run.h"

#include <yyjson.h>

#define S INT64_C(1000000) /* a second in microseconds */

static struct run run;
static struct mesh_error err;

static double figure(const char *name)
{
    struct mesh_buffer text = {0};
    run_write(&run, &text);
    yyjson_doc *doc = yyjson_read(text.data, text.size, 0);
    assert_non_null(doc);
    yyjson_val *value = yyjson_obj_get(yyjson_doc_get_root(doc), name);
    assert_non_null(value);
    double number = yyjson_get_num(value);
    yyjson_doc_free(doc);
    mesh_buffer_done(&text);
    return number;
}

static void expect_figure(const char *name, double wanted)
{
    assert_float_equal(figure(name), wanted, 0.001);
}

static void test_a_time_leaves_warm_up_and_drain_out(void **state)
{
    (void)state;
    run_start(&run, &(struct run_options){.warmup_seconds = 1, .seconds = 2}, 10 * S);
    assert_true(run_turn(&run, 10 * S));
    assert_int_equal(run_room(&run, 10 * S), UINT64_MAX);
    run_begin(&run, 100);
    run_report(&run, RUN_ACKED, 60, 10 * S, 10 * S + 5);
    assert_true(run_turn(&run, 11 * S)); /* warm */
    run_report(&run, RUN_ACKED, 40, 10 * S, 11 * S + 5);
    run_begin(&run, 50);
    run_report(&run, RUN_ACKED, 20, 11 * S + 5, 12 * S);
    assert_true(run_turn(&run, 13 * S)); /* measured */
    assert_int_equal(run_room(&run, 13 * S), 0);
    run_report(&run, RUN_ACKED, 30, 11 * S + 5, 14 * S);
    assert_false(run_turn(&run, 14 * S));
    expect_figure("acked", 60); /* 40 of the warm-up's events came within the measured time */
    expect_figure("stored", 150);
    expect_figure("seconds", 2);
    expect_figure("events_per_s", 30);
    assert_int_equal(run.latency.count, 50); /* of those begun in it, also what was drained */
    assert_true(run_is_whole(&run, &err));
}

static void test_a_count_is_measured_from_rest_to_its_last_report(void **state)
{
    (void)state;
    run_start(&run, &(struct run_options){.warmup_seconds = 1, .count = 10}, 1 * S);
    run_begin(&run, 5);
    assert_true(run_turn(&run, 2 * S)); /* warm: but 5 are under way */
    assert_int_equal(run_room(&run, 2 * S), 0);
    run_report(&run, RUN_ACKED, 5, 1 * S, 3 * S);
    assert_true(run_turn(&run, 4 * S));
    assert_int_equal(run_room(&run, 4 * S), 10);
    run_begin(&run, 10);
    assert_int_equal(run_room(&run, 4 * S), 0);
    assert_true(run_turn(&run, 5 * S));
    run_report(&run, RUN_ACKED, 4, 4 * S, 6 * S);
    run_report(&run, RUN_ACKED, 6, 4 * S, 8 * S);
    assert_true(run_turn(&run, 9 * S) == false);
    expect_figure("acked", 10);
    expect_figure("stored", 15);
    expect_figure("seconds", 4); /* from 4 to 8, not to 9 */
    assert_int_equal(run.latency.count, 10);
}

static void test_no_more_is_under_way_than_may_be(void **state)
{
    (void)state;
    run_start(&run, &(struct run_options){.seconds = 1, .under_way_max = 64}, 1 * S);
    assert_int_equal(run_room(&run, 1 * S), 64);
    run_begin(&run, 64);
    assert_int_equal(run_room(&run, 1 * S), 0);
    run_report(&run, RUN_ACKED, 3, 1 * S, 1 * S + 1);
    assert_int_equal(run_room(&run, 1 * S + 1), 3);
}

static void test_a_rate_says_how_many_are_due_and_since_when(void **state)
{
    (void)state;
    run_start(&run, &(struct run_options){.seconds = 1, .rate = 1000}, 1 * S);
    assert_int_equal(run_room(&run, 1 * S), 0);
    assert_int_equal(run_wait_us(&run, 1 * S), 1000);
    assert_int_equal(run_room(&run, 1 * S + 5500), 5);
    assert_int_equal(run_due_us(&run, 0, 1 * S + 5500), 1 * S + 1000);
    run_begin(&run, 3);
    assert_int_equal(run_room(&run, 1 * S + 5500), 2);
    assert_int_equal(run_due_us(&run, 1, 1 * S + 5500), 1 * S + 5000);
}

static void test_what_was_due_is_begun_late_and_counts_as_late(void **state)
{
    (void)state;
    run_start(&run, &(struct run_options){.seconds = 1, .rate = 100}, 1 * S);
    assert_true(run_turn(&run, 2 * S)); /* nobody begun anything */
    assert_int_equal(run_room(&run, 3 * S), 100);
    assert_true(run_turn(&run, 3 * S));
    int64_t due_us = run_due_us(&run, 0, 3 * S);
    run_begin(&run, 100);
    run_report(&run, RUN_ACKED, 100, due_us, 3 * S);
    assert_false(run_turn(&run, 3 * S));
    assert_int_equal(run.latency.count, 100);
    assert_int_equal(run.latency.max_us, 2 * S - 10000);
    expect_figure("acked", 0); /* none within the measured time */
    expect_figure("stored", 100);
}

static void test_what_is_not_acknowledged_is_told(void **state)
{
    (void)state;
    run_start(&run, &(struct run_options){.count = 10}, 1 * S);
    run_begin(&run, 10);
    run_report(&run, RUN_ACKED, 4, 1 * S, 2 * S);
    run_report(&run, RUN_REFUSED, 3, 1 * S, 2 * S);
    run_report(&run, RUN_UNKNOWN, 2, 1 * S, 2 * S);
    assert_true(run_turn(&run, 2 * S));
    assert_true(run_turn(&run, (2 + RUN_DRAIN_SECONDS) * S)); /* 1 is still waited for */
    assert_false(run_turn(&run, (3 + RUN_DRAIN_SECONDS) * S));
    run_report(&run, RUN_ACKED, 1, 1 * S, 40 * S); /* too late to mean anything */
    expect_figure("acked", 4);
    expect_figure("refused", 3);
    expect_figure("unknown", 3);
    expect_figure("failed", 6);
    assert_false(run_is_whole(&run, &err));
}

static void test_either_a_time_or_a_count(void **state)
{
    (void)state;
    assert_false(run_options_check(&(struct run_options){0}, &err));
    assert_false(run_options_check(&(struct run_options){.seconds = 1, .count = 1}, &err));
    assert_int_equal(err.code, MESH_INVALID_ARGUMENT);
    assert_true(run_options_check(&(struct run_options){.seconds = 1}, &err));
    assert_true(run_options_check(&(struct run_options){.count = 1}, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_time_leaves_warm_up_and_drain_out),
        cmocka_unit_test(test_a_count_is_measured_from_rest_to_its_last_report),
        cmocka_unit_test(test_no_more_is_under_way_than_may_be),
        cmocka_unit_test(test_a_rate_says_how_many_are_due_and_since_when),
        cmocka_unit_test(test_what_was_due_is_begun_late_and_counts_as_late),
        cmocka_unit_test(test_what_is_not_acknowledged_is_told),
        cmocka_unit_test(test_either_a_time_or_a_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
