/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: quantiles are right to within 1/64, at every magnitude. Method: known sets of times.
 */
#include "cmocka_all.h"
#include "histogram.h"

#include <stdlib.h>

static struct histogram histogram;

static int empty(void **state)
{
    (void)state;
    histogram = (struct histogram){0};
    return 0;
}

static void expect_within(int64_t found_us, int64_t wanted_us)
{
    assert_in_range(llabs(found_us - wanted_us), 0, wanted_us / 64);
}

static void test_nothing_is_zero(void **state)
{
    (void)state;
    assert_int_equal(histogram_quantile_us(&histogram, 0.99), 0);
}

static void test_one_time_is_every_quantile(void **state)
{
    (void)state;
    for (int64_t us = 1; us <= HISTOGRAM_US_MAX; us = us * 3 / 2 + 1) {
        histogram = (struct histogram){0};
        histogram_add(&histogram, us);
        expect_within(histogram_quantile_us(&histogram, 0.0), us);
        expect_within(histogram_quantile_us(&histogram, 1.0), us);
        assert_int_equal(histogram.max_us, us);
    }
}

static void test_quantiles_of_a_hundred_thousand(void **state)
{
    (void)state;
    for (int64_t us = 1; us <= 100000; us++) {
        histogram_add(&histogram, us);
    }
    assert_int_equal(histogram.count, 100000);
    expect_within(histogram_quantile_us(&histogram, 0.5), 50000);
    expect_within(histogram_quantile_us(&histogram, 0.99), 99000);
    assert_int_equal(histogram_quantile_us(&histogram, 1.0), 100000);
}

static void test_what_is_too_long_or_negative_is_clamped(void **state)
{
    (void)state;
    histogram_add(&histogram, -5);
    assert_int_equal(histogram_quantile_us(&histogram, 1.0), 0);
    histogram_add(&histogram, HISTOGRAM_US_MAX * 2);
    assert_int_equal(histogram_quantile_us(&histogram, 1.0), HISTOGRAM_US_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_nothing_is_zero, empty),
        cmocka_unit_test_setup(test_one_time_is_every_quantile, empty),
        cmocka_unit_test_setup(test_quantiles_of_a_hundred_thousand, empty),
        cmocka_unit_test_setup(test_what_is_too_long_or_negative_is_clamped, empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
