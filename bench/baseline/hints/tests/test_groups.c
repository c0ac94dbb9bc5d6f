/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a list of names is taken apart exactly, or refused. Method: lists at and beyond the limits.
 */
#include "cmocka_all.h"
#include "groups.h"
#include "mesh/bytes.h"

#include <string.h>

static void test_names_between_commas(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    struct groups groups;
    assert_true(groups_read(&groups, "Chad,United States,,Peru", &err));
    assert_int_equal(groups.count, 3);
    assert_string_equal(groups.names[1], "United States");
    assert_string_equal(groups.names[2], "Peru");
    groups_done(&groups);
}

static void test_no_name_is_refused(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    struct groups groups;
    assert_false(groups_read(&groups, ",,", &err));
    assert_int_equal(err.code, MESH_INVALID_ARGUMENT);
}

static bool read_many(size_t count, struct groups *groups, struct mesh_error *err)
{
    struct mesh_buffer list = {0};
    for (size_t i = 0; i < count; i++) {
        mesh_buffer_add_format(&list, "%zu,", i);
    }
    bool good = groups_read(groups, list.data, err);
    mesh_buffer_done(&list);
    return good;
}

static void test_more_names_than_a_frame_takes_are_refused(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    struct groups groups;
    assert_true(read_many(GROUPS_COUNT_MAX, &groups, &err));
    assert_int_equal(groups.count, GROUPS_COUNT_MAX);
    groups_done(&groups);
    assert_false(read_many(GROUPS_COUNT_MAX + 1, &groups, &err));
    assert_int_equal(err.code, MESH_INVALID_ARGUMENT);
}

static void test_too_long_a_list_is_refused(void **state)
{
    (void)state;
    static char list[GROUPS_BYTES_MAX + 2];
    struct mesh_error err = {0};
    struct groups groups;
    memset(list, 'a', GROUPS_BYTES_MAX);
    assert_true(groups_read(&groups, list, &err));
    groups_done(&groups);
    list[GROUPS_BYTES_MAX] = 'a';
    assert_false(groups_read(&groups, list, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_between_commas),
        cmocka_unit_test(test_no_name_is_refused),
        cmocka_unit_test(test_more_names_than_a_frame_takes_are_refused),
        cmocka_unit_test(test_too_long_a_list_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
