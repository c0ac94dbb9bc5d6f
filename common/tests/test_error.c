/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: codes, HTTP statuses and messages fit together, and long messages are cut, not spilled.
 * Method: the borders of the table, and texts longer than the room for them.
 */
#include "cmocka_all.h"
#include "mesh/error.h"

#include <string.h>

static void test_a_number_that_is_no_code_is_unknown(void **state)
{
    (void)state;
    assert_string_equal(mesh_code_name((enum mesh_code)MESH_CODE_COUNT), "UNKNOWN");
    assert_int_equal(mesh_code_http_status((enum mesh_code)99), 500);
    assert_false(mesh_code_retryable((enum mesh_code)99));
}

static void test_retryable_means_not_stored(void **state)
{
    (void)state;
    assert_true(mesh_code_retryable(MESH_UNAVAILABLE));
    assert_true(mesh_code_retryable(MESH_RESOURCE_EXHAUSTED));
    assert_false(mesh_code_retryable(MESH_DEADLINE_EXCEEDED));
    assert_int_equal(mesh_code_http_status(MESH_UNAVAILABLE), 503);
    assert_int_equal(mesh_code_http_status(MESH_DEADLINE_EXCEEDED), 504);
    assert_string_equal(mesh_code_name(MESH_UNAUTHENTICATED), "UNAUTHENTICATED");
}

static void test_long_messages_are_cut(void **state)
{
    (void)state;
    char text[2 * MESH_ERROR_TEXT_MAX];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    struct mesh_error err = {0};
    assert_false(mesh_fail(&err, MESH_INTERNAL, "%s", text));
    assert_int_equal(strlen(err.text), MESH_ERROR_TEXT_MAX - 1);
    assert_false(mesh_error_prefix(&err, "%s", text));
    assert_int_equal(strlen(err.text), MESH_ERROR_TEXT_MAX - 1);
}

static void test_a_prefix_keeps_code_and_message(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    mesh_fail(&err, MESH_NOT_FOUND, "no topic \"%s\"", "messages");
    mesh_error_prefix(&err, "broker %d", 1);
    assert_int_equal(err.code, MESH_NOT_FOUND);
    assert_string_equal(err.text, "broker 1: no topic \"messages\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_number_that_is_no_code_is_unknown),
        cmocka_unit_test(test_retryable_means_not_stored),
        cmocka_unit_test(test_long_messages_are_cut),
        cmocka_unit_test(test_a_prefix_keeps_code_and_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
