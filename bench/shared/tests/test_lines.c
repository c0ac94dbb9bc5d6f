/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: each line of a file is there once, and what is no such file is refused. Method: small
 * files.
 */
#include "lines_fixture.h"

#include <stdio.h>

static void expect_line(const struct lines *lines, uint64_t number, const char *wanted)
{
    struct mesh_bytes line = lines_at(lines, number);
    assert_int_equal(line.size, strlen(wanted));
    assert_memory_equal(line.data, wanted, line.size);
}

static void test_after_the_last_line_comes_the_first(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    struct lines *lines = lines_of("first\nsecond\nthird\n", &err);
    assert_non_null(lines);
    assert_int_equal(lines_count(lines), 3);
    expect_line(lines, 0, "first");
    expect_line(lines, 2, "third");
    expect_line(lines, 3, "first");
    expect_line(lines, 3000001, "second");
    lines_free(lines);
}

static void test_empty_lines_are_left_out_and_the_last_needs_no_end(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    struct lines *lines = lines_of("\n\na\n\nb", &err);
    assert_non_null(lines);
    assert_int_equal(lines_count(lines), 2);
    expect_line(lines, 0, "a");
    expect_line(lines, 1, "b");
    lines_free(lines);
}

static void test_a_file_of_several_pieces(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct mesh_buffer text = {0};
    struct mesh_error err = {0};
    char wanted[32];
    for (int i = 0; i < COUNT; i++) {
        mesh_buffer_add_format(&text, "line %d\n", i);
    }
    struct lines *lines = lines_of(text.data, &err);
    assert_non_null(lines);
    assert_int_equal(lines_count(lines), COUNT);
    for (int i = 0; i < COUNT; i++) {
        (void)snprintf(wanted, sizeof(wanted), "line %d", i);
        expect_line(lines, (uint64_t)i, wanted);
    }
    lines_free(lines);
    mesh_buffer_done(&text);
}

static void test_what_holds_no_line_is_refused(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    assert_null(lines_of("", &err));
    assert_int_equal(err.code, MESH_INVALID_ARGUMENT);
    assert_null(lines_of("\n\n", &err));
}

static void test_what_cannot_be_read_is_refused(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    assert_null(lines_new("/nonexistent/values", &err));
    assert_int_equal(err.code, MESH_INVALID_ARGUMENT);
    err = (struct mesh_error){0};
    assert_null(lines_new("/", &err));
    assert_int_equal(err.code, MESH_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_after_the_last_line_comes_the_first),
        cmocka_unit_test(test_empty_lines_are_left_out_and_the_last_needs_no_end),
        cmocka_unit_test(test_a_file_of_several_pieces),
        cmocka_unit_test(test_what_holds_no_line_is_refused),
        cmocka_unit_test(test_what_cannot_be_read_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
