/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: no offset is believed that may be told twice or was counted up from an invalid base.
 * Method: sequences of reports as librdkafka gives them, one partition at a time and mixed.
 */
#include "cmocka_all.h"
#include "offsets.h"
static struct offsets *offsets;

static int set_up(void **state)
{
    (void)state;
    offsets = offsets_new(2);
    offsets_lock(offsets);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    offsets_unlock(offsets);
    offsets_free(offsets);
    return 0;
}

static void test_an_offset_not_above_the_last_is_unknown(void **state)
{
    (void)state;
    assert_int_equal(offsets_believe(offsets, 0, 1, 10), 10);
    assert_int_equal(offsets_believe(offsets, 0, 1, 10), -1);
    assert_int_equal(offsets_believe(offsets, 0, 1, 9), -1);
    assert_int_equal(offsets_believe(offsets, 0, 1, 11), 11);
}

static void test_a_run_from_an_invalid_base_is_unknown(void **state)
{
    (void)state;
    /* A fresh partition, where 0 and 1 would be above the last. */
    assert_int_equal(offsets_believe(offsets, 0, 0, -1), -1);
    assert_int_equal(offsets_believe(offsets, 0, 0, 0), -1);
    assert_int_equal(offsets_believe(offsets, 0, 0, 1), -1);
    assert_int_equal(offsets_believe(offsets, 0, 0, 500), 500);
    assert_int_equal(offsets_believe(offsets, 0, 0, 501), 501);
}

static void test_partitions_and_topics_are_apart(void **state)
{
    (void)state;
    assert_int_equal(offsets_believe(offsets, 0, 3, 7), 7);
    assert_int_equal(offsets_believe(offsets, 0, 2, 7), 7);
    assert_int_equal(offsets_believe(offsets, 1, 3, 7), 7);
    assert_int_equal(offsets_believe(offsets, 1, 3, 0), -1);
}

static void test_no_partition_is_unknown(void **state)
{
    (void)state;
    assert_int_equal(offsets_believe(offsets, 0, -1, 7), -1);
    assert_int_equal(offsets_believe(offsets, 0, INT32_MAX, 7), -1);
}

static void test_the_first_offset_may_be_zero(void **state)
{
    (void)state;
    assert_int_equal(offsets_believe(offsets, 0, 0, 0), 0);
    assert_int_equal(offsets_believe(offsets, 0, 0, 0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_offset_not_above_the_last_is_unknown, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_run_from_an_invalid_base_is_unknown, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_partitions_and_topics_are_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_partition_is_unknown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_first_offset_may_be_zero, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("offsets", tests, NULL, NULL);
}
