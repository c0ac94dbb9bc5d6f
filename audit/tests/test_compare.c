/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: no difference in any store, group or total goes unnoticed.
 * Method: findings that agree, with one number changed at a time.
 */
#include "cmocka_all.h"
#include "compare.h"
#include "findings.h"
#include "mesh/macros.h"

static void test_stores_that_agree_are_equal(void **state)
{
    (void)state;
    struct findings findings = findings_equal();

    assert_true(compare_equal(&findings));
    assert_int_equal(compare_differing(&findings), 0);
}

static void test_each_number_matters(void **state)
{
    (void)state;
    struct findings findings;
    uint64_t *const numbers[] = {
        &findings.kafka.total, &findings.kafka.groups[1], &findings.kafka.foreign,
        &findings.redis.total, &findings.redis.groups[2], &findings.redis.foreign,
        &findings.shown.total, &findings.shown.groups[0], &findings.shown.foreign,
        &findings.mongo.total, &findings.mongo.groups[1], &findings.mongo.foreign,
        &findings.unsettled,   &findings.undeliverable,
    };

    for (size_t i = 0; i < MESH_COUNT_OF(numbers); i++) {
        findings = findings_equal();
        *numbers[i] += 1;
        assert_false(compare_equal(&findings));
    }
}

static void test_groups_that_differ_are_counted(void **state)
{
    (void)state;
    struct findings findings = findings_equal();

    findings.mongo.groups[0]--;
    findings.redis.groups[2]++;
    findings.shown.foreign++;
    assert_int_equal(compare_differing(&findings), 3);
    assert_false(compare_group(&findings, 0));
    assert_true(compare_group(&findings, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stores_that_agree_are_equal),
        cmocka_unit_test(test_each_number_matters),
        cmocka_unit_test(test_groups_that_differ_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
