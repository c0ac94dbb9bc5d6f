/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: only four plain numbers are a partition's lag; partitions add up; one that is behind or old
 * shows in the whole.
 * Method: a table of texts, and replies without a Redis.
 */
#include "cmocka_all.h"
#include "lag.h"
#include "mesh/macros.h"
#include "reply_fixture.h"

static void test_only_four_plain_numbers_are_a_lag(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",          "1",          "1 2 3",     "1 2 3 ",    "1 2 3 4 ",
        " 1 2 3 4",  "1  2 3 4",   "1 2 3 4 5", "01 2 3 4",  "-1 2 3 4",
        "1 2 3 4\n", "1,2,3,4",    "1 2 x 4",   "1e3 2 3 4", "12345678901234567 2 3 4",
        "\xff",      "1\t2\t3\t4", "1 2 3 4.5",
    };
    struct lag lag = {.partitions = 77};
    for (size_t i = 0; i < MESH_COUNT_OF(bad); i++) {
        assert_false(lag_read_partition(mesh_bytes_of_text(bad[i]), &lag));
        assert_int_equal(lag.partitions, 77);
    }
    assert_true(lag_read_partition(mesh_bytes_of_text("30 20 10 1795213200123"), &lag));
    assert_int_equal(lag.partitions, 1);
    assert_int_equal(lag.in_kafka, 30);
    assert_int_equal(lag.archived, 20);
    assert_int_equal(lag.settled, 10);
    assert_int_equal(lag.at_ms, 1795213200123);
    assert_false(lag.level);
    assert_true(lag_read_partition(mesh_bytes_of_text("0 0 0 0"), &lag));
    assert_true(lag.level);
    assert_true(lag_read_partition(mesh_bytes_of_text("9999999999999999 0 0 0"), &lag));
}

static void read_hash(const char *const *texts, struct lag *out)
{
    redisReply *reply = reply_fixture_texts(texts);
    lag_read(reply, out);
    freeReplyObject(reply);
}

static void test_partitions_add_up(void **state)
{
    (void)state;
    struct lag lag;
    read_hash((const char *[]){"0", "5 5 5 900", "1", "7 7 7 800", NULL}, &lag);
    assert_int_equal(lag.partitions, 2);
    assert_int_equal(lag.in_kafka, 12);
    assert_int_equal(lag.at_ms, 800);
    assert_true(lag.level);
    /* As much in all, and yet not in each. */
    read_hash((const char *[]){"0", "5 6 5 900", "1", "7 6 7 800", "x", "garbage", NULL}, &lag);
    assert_int_equal(lag.partitions, 2);
    assert_int_equal(lag.archived, 12);
    assert_false(lag.level);
}

static void test_other_replies_tell_nothing(void **state)
{
    (void)state;
    static const char *const replies[] = {"-WRONGTYPE\r\n", "$-1\r\n", "*0\r\n",
                                          "*1\r\n$1\r\n0\r\n", "*2\r\n:1\r\n:2\r\n"};
    for (size_t i = 0; i < MESH_COUNT_OF(replies); i++) {
        struct lag lag;
        redisReply *reply = reply_fixture_read(replies[i]);
        lag_read(reply, &lag);
        assert_int_equal(lag.partitions, 0);
        freeReplyObject(reply);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_four_plain_numbers_are_a_lag),
        cmocka_unit_test(test_partitions_add_up),
        cmocka_unit_test(test_other_replies_tell_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
