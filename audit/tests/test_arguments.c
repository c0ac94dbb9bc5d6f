/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the command line is understood, and what is not understood is refused.
 * Method: a table of command lines.
 */
#include "arguments.h"
#include "cmocka_all.h"
#include "mesh/macros.h"

#include <string.h>

enum { WORD_COUNT_MAX = 8 };

static bool read_words(const char *const words[WORD_COUNT_MAX], struct arguments *out)
{
    char *argv[WORD_COUNT_MAX + 1] = {0};
    char copies[WORD_COUNT_MAX][32] = {0};
    struct mesh_error err = {0};
    int argc = 0;

    for (; argc < WORD_COUNT_MAX && words[argc] != NULL; argc++) {
        (void)memcpy(copies[argc], words[argc], strlen(words[argc]));
        argv[argc] = copies[argc];
    }
    bool ok = arguments_read(argc, argv, out, &err);
    assert_int_equal(ok ? MESH_OK : MESH_INVALID_ARGUMENT, err.code);
    if (out->stream != NULL) {
        assert_string_equal(out->stream, "tweets");
        out->stream = "tweets"; /* the copies go */
    }
    return ok;
}

static void test_what_is_not_understood_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[][WORD_COUNT_MAX] = {
        {"audit", "--no-such"},      {"audit", "--wait"},     {"audit", "--wait", "x"},
        {"audit", "--wait", "-1"},   {"audit", "--wait", ""}, {"audit", "--wait", "86401"},
        {"audit", "--wait", "1.5"},  {"audit", "--stream"},   {"audit", "tweets"},
        {"audit", "--json", "more"}, {"audit", "-x"},
    };

    for (size_t i = 0; i < MESH_COUNT_OF(wrong); i++) {
        struct arguments arguments = {0};
        assert_false(read_words(wrong[i], &arguments));
    }
}

static void test_every_argument_arrives(void **state)
{
    (void)state;
    struct arguments arguments = {0};
    const char *const all[WORD_COUNT_MAX] = {"audit",    "--json", "--wait",  "30",
                                             "--stream", "tweets", "--groups"};
    const char *const none[WORD_COUNT_MAX] = {"audit"};

    assert_true(read_words(all, &arguments));
    assert_true(arguments.json && arguments.groups);
    assert_int_equal(arguments.wait_s, 30);
    assert_string_equal(arguments.stream, "tweets");
    assert_true(read_words(none, &arguments));
    assert_false(arguments.json || arguments.groups);
    assert_int_equal(arguments.wait_s, 0);
    assert_null(arguments.stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_not_understood_is_refused),
        cmocka_unit_test(test_every_argument_arrives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
