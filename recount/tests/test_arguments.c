/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: every argument is read or refused with its name. Method: plain calls.
 */
#include "arguments.h"
#include "cmocka_all.h"
#include "mesh/macros.h"

#include <string.h>

static void test_all_arguments_are_read(void **state)
{
    (void)state;
    char *argv[] = {"recount", "--json", "--stream", "tweets", "--from", "mongodb", NULL};
    struct arguments arguments = {0};
    struct mesh_error err = {0};

    assert_true(arguments_read(6, argv, &arguments, &err));
    assert_true(arguments.json);
    assert_false(arguments.new_topic);
    assert_string_equal(arguments.stream, "tweets");
    assert_int_equal(arguments.source, SOURCE_MONGODB);
    assert_true(arguments_read(1, argv, &arguments, &err));
    assert_false(arguments.json);
    assert_null(arguments.stream);
    assert_int_equal(arguments.source, SOURCE_AUTO);
}

static void test_wrong_arguments_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        char *argv[6];
    } cases[] = {
        {"--from", {"recount", "--from", "disk"}},
        {"--from", {"recount", "--from", ""}},
        {"--help", {"recount", "--stream"}},
        {"--help", {"recount", "--nonsense"}},
        {"unexpected", {"recount", "tweets"}},
        {"--new-topic", {"recount", "--new-topic", "--from", "mongodb"}},
    };

    for (size_t i = 0; i < MESH_COUNT_OF(cases); i++) {
        char *argv[6];
        struct arguments arguments = {0};
        struct mesh_error err = {0};
        int argc = 0;
        while (cases[i].argv[argc] != NULL) {
            argv[argc] = cases[i].argv[argc];
            argc++;
        }
        argv[argc] = NULL;
        assert_false(arguments_read(argc, argv, &arguments, &err));
        assert_non_null(strstr(err.text, cases[i].word));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_arguments_are_read),
        cmocka_unit_test(test_wrong_arguments_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
