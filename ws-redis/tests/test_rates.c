/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what was counted in each second adds up to the total; a stream at rest makes no rows; a
 * clock or a total that goes back, and rows that are none, do no harm.
 * Method: totals and seconds are told, no clock is read.
 */
#include "cmocka_all.h"
#include "mesh/macros.h"
#include "rates.h"
#include "reply_fixture.h"

#include <stdlib.h>
#include <string.h>

#define T 1795213200 /* some second */

static void assert_written(const struct rates *rates, size_t count, const char *wanted)
{
    struct mesh_buffer out = {0};
    rates_write(rates, count, &out);
    assert_string_equal(out.data, wanted);
    mesh_buffer_done(&out);
}

static void assert_row(struct rates *rates, int64_t second, uint64_t accepted, uint64_t total)
{
    struct rates_row row;
    assert_true(rates_take_row(rates, &row));
    assert_int_equal(row.second, second);
    assert_int_equal(row.accepted, accepted);
    assert_int_equal(row.total, total);
}

static void test_nothing_seen_is_null(void **state)
{
    (void)state;
    struct rates rates = {0};
    struct rates_row row;
    assert_written(&rates, 10, "null");
    rates_note(&rates, 7, T);
    assert_written(&rates, 10, "null"); /* the first second is not over */
    assert_false(rates_take_row(&rates, &row));
    rates_note(&rates, 9, 0);
    rates_note(&rates, 9, -5);
    assert_written(&rates, 10, "null");
}

static void test_seconds_are_what_the_total_grew_by(void **state)
{
    (void)state;
    struct rates rates = {0};
    rates_note(&rates, 100, T);
    rates_note(&rates, 103, T);
    rates_note(&rates, 105, T + 1); /* seen in the next second, so counted there */
    rates_note(&rates, 109, T + 1);
    rates_note(&rates, 109, T + 4);
    assert_written(&rates, 10, "{\"to\":1795213203,\"accepted\":[3,6,0,0]}");
    assert_written(&rates, 2, "{\"to\":1795213203,\"accepted\":[0,0]}");
}

static void test_rows_stand_where_something_was_counted_and_beside_it(void **state)
{
    (void)state;
    struct rates rates = {0};
    struct rates_row row;
    rates_note(&rates, 0, T);
    rates_note(&rates, 0, T + 5);
    assert_false(rates_take_row(&rates, &row)); /* at rest */
    rates_note(&rates, 4, T + 5);
    rates_note(&rates, 4, T + 60);
    assert_row(&rates, T + 4, 0, 0);
    assert_row(&rates, T + 5, 4, 4);
    assert_row(&rates, T + 6, 0, 4);
    assert_false(rates_take_row(&rates, &row));
}

static void test_rows_that_nobody_takes_are_dropped_from_the_oldest(void **state)
{
    (void)state;
    struct rates rates = {0};
    for (int64_t i = 0; i < 100; i++) {
        rates_note(&rates, (uint64_t)i, T + i);
    }
    struct rates_row row;
    size_t count = 0;
    int64_t last = 0;
    while (rates_take_row(&rates, &row)) {
        assert_true(row.second > last);
        last = row.second;
        count++;
    }
    assert_int_equal(count, RATES_ROWS_MAX);
    assert_int_equal(last, T + 98);
}

static void test_only_the_last_minutes_are_kept(void **state)
{
    (void)state;
    struct rates rates = {0};
    struct mesh_buffer out = {0};
    for (int64_t i = 0; i < INT64_C(2) * RATES_SECONDS; i++) {
        rates_note(&rates, (uint64_t)(i * 5), T + i);
    }
    rates_write(&rates, (size_t)RATES_SECONDS * 3, &out);
    size_t commas = 0;
    for (const char *at = strchr(out.data, '['); *at != '\0'; at++) {
        commas += *at == ',';
    }
    assert_int_equal(commas, RATES_SECONDS - 1);
    mesh_buffer_done(&out);
}

static void test_a_total_or_a_clock_that_goes_back_counts_nothing(void **state)
{
    (void)state;
    struct rates rates = {0};
    rates_note(&rates, 50, T);
    rates_note(&rates, 40, T); /* duplicates were taken back */
    rates_note(&rates, 42, T + 1);
    rates_note(&rates, 44, T - 1); /* a moment */
    rates_note(&rates, 44, T + 2);
    assert_written(&rates, 10, "{\"to\":1795213201,\"accepted\":[0,4]}");
    rates_note(&rates, 44, T - 1000); /* anew */
    assert_written(&rates, 10, "null");
    rates_note(&rates, 45, T - 999);
    rates_note(&rates, 45, T + 5000); /* anew again */
    assert_written(&rates, 10, "null");
}

#define ROW(id, accepted)                                                                          \
    "*2\r\n$12\r\n" id "\r\n*4\r\n$5\r\ntotal\r\n$1\r\n9\r\n$8\r\naccepted\r\n$1\r\n" accepted     \
    "\r\n"

static void test_what_redis_remembers_is_put_in_front(void **state)
{
    (void)state;
    struct rates rates = {0};
    redisReply *reply = reply_fixture_read("*3\r\n" ROW("1795213201-0", "7")
                                               ROW("1795213198-0", "3") ROW("1795213195-0", "2"));
    rates_learn(&rates, reply); /* before anything was seen: too early */
    rates_note(&rates, 9, T);
    rates_note(&rates, 9, T + 1);
    rates_learn(&rates, reply);
    assert_written(&rates, 99, "{\"to\":1795213200,\"accepted\":[2,0,0,3,0,0]}");
    freeReplyObject(reply);
}

static void test_rows_that_are_none_are_passed_over(void **state)
{
    (void)state;
    static const char *const replies[] = {
        "-WRONGTYPE no stream\r\n",
        "$-1\r\n",
        ":5\r\n",
        "*1\r\n:5\r\n",
        "*1\r\n*2\r\n:5\r\n*0\r\n",
        "*1\r\n*1\r\n$1\r\n5\r\n",
        "*1\r\n*2\r\n$2\r\n-0\r\n*2\r\n$8\r\naccepted\r\n$1\r\n5\r\n",
        "*1\r\n*2\r\n$12\r\n1795213198-0\r\n*1\r\n$8\r\naccepted\r\n",
        "*1\r\n*2\r\n$12\r\n1795213198-0\r\n*2\r\n$8\r\naccepted\r\n$2\r\n-5\r\n",
        "*1\r\n*2\r\n$12\r\n1795213198-0\r\n*2\r\n$8\r\naccepted\r\n:5\r\n",
        "*1\r\n*2\r\n$12\r\n1795213198-0\r\n$1\r\nx\r\n",
        "*1\r\n*2\r\n$18\r\n999999999999999999\r\n*2\r\n$8\r\naccepted\r\n$1\r\n5\r\n",
        "*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$8\r\naccepted\r\n$1\r\n5\r\n", /* long ago */
    };
    struct rates rates = {0};
    rates_note(&rates, 9, T);
    rates_note(&rates, 9, T + 1);
    for (size_t i = 0; i < MESH_COUNT_OF(replies); i++) {
        redisReply *reply = reply_fixture_read(replies[i]);
        rates_learn(&rates, reply);
        freeReplyObject(reply);
    }
    assert_written(&rates, 99, "{\"to\":1795213200,\"accepted\":[0]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_seen_is_null),
        cmocka_unit_test(test_seconds_are_what_the_total_grew_by),
        cmocka_unit_test(test_rows_stand_where_something_was_counted_and_beside_it),
        cmocka_unit_test(test_rows_that_nobody_takes_are_dropped_from_the_oldest),
        cmocka_unit_test(test_only_the_last_minutes_are_kept),
        cmocka_unit_test(test_a_total_or_a_clock_that_goes_back_counts_nothing),
        cmocka_unit_test(test_what_redis_remembers_is_put_in_front),
        cmocka_unit_test(test_rows_that_are_none_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
