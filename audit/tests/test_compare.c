/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: no difference in any store, group or total goes unnoticed.
 * Method: findings that agree, with one number changed at a time.
 */
#include "cmocka_all.h"
#include "compare.h"
#include "findings.h"
#include "mesh/macros.h"

#include <string.h>

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
        &findings.kafka.total,   &findings.kafka.groups[1], &findings.kafka.foreign,
        &findings.redis.total,   &findings.redis.groups[2], &findings.redis.foreign,
        &findings.shown.total,   &findings.shown.groups[0], &findings.shown.foreign,
        &findings.mongo.total,   &findings.mongo.groups[1], &findings.mongo.foreign,
        &findings.unsettled,     &findings.undeliverable,   &findings.missing.count,
        &findings.foreign.count,
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

static void test_the_first_strays_are_named_and_all_are_counted(void **state)
{
    (void)state;
    struct strays strays = {0};
    char text[2 * STRAY_ID_SIZE] = {0};

    (void)memset(text, 'x', sizeof text - 1);
    assert_int_equal(compare_named(&strays), 0);
    compare_stray(&strays, "first");
    assert_int_equal(compare_named(&strays), 1);
    for (int i = 0; i < 2 * STRAY_NAMED_MAX; i++) {
        compare_stray(&strays, text);
    }
    assert_int_equal(strays.count, 2 * STRAY_NAMED_MAX + 1);
    assert_int_equal(compare_named(&strays), STRAY_NAMED_MAX);
    assert_string_equal(strays.ids[0], "first");
    assert_int_equal(strlen(strays.ids[STRAY_NAMED_MAX - 1]), STRAY_ID_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stores_that_agree_are_equal),
        cmocka_unit_test(test_each_number_matters),
        cmocka_unit_test(test_groups_that_differ_are_counted),
        cmocka_unit_test(test_the_first_strays_are_named_and_all_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
