/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: whatever is logged, each line is one JSON object, and levels below the set one are silent.
 * Method: stdout into a pipe, hostile texts in the fields, lines read back by yyjson.
 */
#include "cmocka_all.h"
#include "mesh/log.h"

#include <string.h>
#include <unistd.h>
#include <yyjson.h>

static int pipe_ends[2];
static int saved_stdout;

static int capture(void **state)
{
    (void)state;
    saved_stdout = dup(STDOUT_FILENO);
    return pipe(pipe_ends) == 0 && dup2(pipe_ends[1], STDOUT_FILENO) >= 0 ? 0 : -1;
}

static int release(void **state)
{
    (void)state;
    (void)dup2(saved_stdout, STDOUT_FILENO);
    (void)close(saved_stdout);
    (void)close(pipe_ends[0]);
    return close(pipe_ends[1]);
}

/* The next lines, as many as one read() gives. */
static yyjson_doc *read_line(void)
{
    char text[4096];
    ssize_t size = read(pipe_ends[0], text, sizeof(text));
    assert_true(size > 0);
    assert_int_equal(text[size - 1], '\n');
    assert_ptr_equal(memchr(text, '\n', (size_t)size), text + size - 1);
    yyjson_doc *doc = yyjson_read(text, (size_t)size, 0);
    assert_non_null(doc);
    return doc;
}

static const char *text_at(yyjson_doc *doc, const char *name)
{
    return yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), name));
}

static void test_hostile_text_stays_inside_its_string(void **state)
{
    (void)state;
    mesh_log(MESH_LOG_INFO, "hostile", MESH_LOG_TEXT("a", "\"},\n{\"x\":\x01\\"),
             MESH_LOG_TEXT("b", "\xFF"), MESH_LOG_TEXT("c", NULL), MESH_LOG_INT("d", INT64_MIN));
    yyjson_doc *doc = read_line();
    assert_string_equal(text_at(doc, "a"), "\"},\n{\"x\":\x01\\");
    assert_string_equal(text_at(doc, "b"), "(not UTF-8)");
    assert_true(yyjson_is_null(yyjson_obj_get(yyjson_doc_get_root(doc), "c")));
    assert_int_equal(yyjson_get_sint(yyjson_obj_get(yyjson_doc_get_root(doc), "d")), INT64_MIN);
    yyjson_doc_free(doc);
}

static void test_lower_levels_are_silent_and_errors_carry_their_code(void **state)
{
    (void)state;
    mesh_log_start("tests", MESH_LOG_WARN);
    mesh_log(MESH_LOG_INFO, "not seen");
    struct mesh_error err = {0};
    mesh_fail(&err, MESH_UNAVAILABLE, "no broker");
    mesh_log_error("publish failed", &err);
    yyjson_doc *doc = read_line();
    assert_string_equal(text_at(doc, "event"), "publish failed");
    assert_string_equal(text_at(doc, "code"), "UNAVAILABLE");
    assert_string_equal(text_at(doc, "error"), "no broker");
    assert_string_equal(text_at(doc, "level"), "error");
    assert_string_equal(text_at(doc, "program"), "tests");
    yyjson_doc_free(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_hostile_text_stays_inside_its_string, capture,
                                        release),
        cmocka_unit_test_setup_teardown(test_lower_levels_are_silent_and_errors_carry_their_code,
                                        capture, release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
