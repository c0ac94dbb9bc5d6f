/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: an id is new once, whatever else is in the set; another group is noticed; the limit holds;
 * what was not taken is left, under its own name.
 * Method: many ids that differ in few bits, through several growths.
 */
#include "cmocka_all.h"
#include "id_set.h"

#include <stdio.h>

enum { COUNT = 50000 };

static struct mesh_id id_of(unsigned number)
{
    struct mesh_id id;

    (void)snprintf(id.text, sizeof id.text, "0197a2b4-0000-7000-8000-%012x", number);
    return id;
}

static void test_a_set_that_is_full_takes_nothing_more(void **state)
{
    (void)state;
    struct id_set *set = id_set_new(100000);
    enum id_set_outcome outcome = ID_SET_NEW;
    uint8_t first = 0;
    unsigned count = 0;

    for (; outcome == ID_SET_NEW && count < COUNT; count++) {
        struct mesh_id id = id_of(count);
        outcome = id_set_add(set, &id, 0, &first);
    }
    assert_int_equal(outcome, ID_SET_FULL);
    assert_true((count - 1) * 34 <= 100000);
    struct mesh_id known = id_of(0);
    assert_int_equal(id_set_add(set, &known, 0, &first), ID_SET_KNOWN);
    id_set_free(set);
}

static void test_each_id_is_new_once(void **state)
{
    (void)state;
    struct id_set *set = id_set_new(SIZE_MAX);
    uint8_t first = 0;

    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < COUNT; i++) {
            struct mesh_id id = id_of(i);
            assert_int_equal(id_set_add(set, &id, (uint8_t)(i % 254), &first),
                             round == 0 ? ID_SET_NEW : ID_SET_KNOWN);
        }
    }
    id_set_free(set);
}

static void test_another_group_is_noticed(void **state)
{
    (void)state;
    struct id_set *set = id_set_new(SIZE_MAX);
    struct mesh_id id = id_of(7);
    uint8_t first = 0;

    assert_int_equal(id_set_add(set, &id, 3, &first), ID_SET_NEW);
    assert_int_equal(id_set_add(set, &id, 4, &first), ID_SET_OTHER_GROUP);
    assert_int_equal(first, 3);
    id_set_free(set);
}

static void test_what_was_not_taken_is_left(void **state)
{
    (void)state;
    struct id_set *set = id_set_new(SIZE_MAX);
    struct mesh_id id = id_of(COUNT);
    struct mesh_id left = {0};
    uint8_t group = 0;
    size_t at = 0;

    for (unsigned i = 0; i < COUNT; i++) {
        id = id_of(i);
        assert_int_equal(id_set_add(set, &id, (uint8_t)(i % 254), &group), ID_SET_NEW);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        id = id_of(i);
        if (i != 0xabcd) {
            assert_int_equal(id_set_take(set, &id, &group), ID_SET_TAKEN);
            assert_int_equal(group, i % 254);
        }
    }
    assert_int_equal(id_set_take(set, &id, &group), ID_SET_TAKEN_BEFORE);
    id = id_of(COUNT);
    assert_int_equal(id_set_take(set, &id, &group), ID_SET_ABSENT);
    assert_true(id_set_next(set, &at, &left));
    assert_string_equal(left.text, "0197a2b4-0000-7000-8000-00000000abcd");
    assert_false(id_set_next(set, &at, &left));
    id_set_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_set_that_is_full_takes_nothing_more),
        cmocka_unit_test(test_each_id_is_new_once),
        cmocka_unit_test(test_another_group_is_noticed),
        cmocka_unit_test(test_what_was_not_taken_is_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
