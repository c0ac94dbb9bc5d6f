/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a command line is taken exactly, or refused. Method: every type, its limits, and what is no
 * option.
 */
#include "arguments.h"
#include "cmocka_all.h"

#include <stdlib.h>

#define WORDS_MAX 8

struct config {
    const char *text;
    double number;
    uint64_t count;
    bool flag;
};

static const struct argument table[] = {
    {"text", ARGUMENT_TEXT, true, offsetof(struct config, text), 0, 0, "a text"},
    {"number", ARGUMENT_NUMBER, false, offsetof(struct config, number), 0.5, 10, "a number"},
    {"count", ARGUMENT_COUNT, false, offsetof(struct config, count), 1, 1e12, "a count"},
    {"flag", ARGUMENT_FLAG, false, offsetof(struct config, flag), 0, 0, "a flag"},
};

static const struct arguments_spec spec = {
    .program = "test", .summary = "", .table = table, .count = MESH_COUNT_OF(table)};

/* words: ends in NULL. */
static int read_words(struct config *config, char **words)
{
    static char program[] = "test";
    char *argv[WORDS_MAX + 2] = {program};
    int argc = 1;
    while (words[argc - 1] != NULL) {
        assert_in_range(argc, 1, WORDS_MAX);
        argv[argc] = words[argc - 1];
        argc++;
    }
    return arguments_read(&spec, argc, argv, config);
}

#define READ(config, ...) read_words(config, (char *[]){__VA_ARGS__, NULL})

static void test_what_is_given_is_filled_in(void **state)
{
    (void)state;
    struct config config = {.number = 7};
    int code = READ(&config, "--text", "a b", "--number=1.5", "--count", "1000000000000", "--flag");
    assert_int_equal(code, ARGUMENTS_GOOD);
    assert_string_equal(config.text, "a b");
    assert_true(config.number == 1.5);
    assert_int_equal(config.count, 1000000000000);
    assert_true(config.flag);
}

static void test_what_is_not_given_stays(void **state)
{
    (void)state;
    struct config config = {.number = 7, .count = 3};
    assert_int_equal(READ(&config, "--text", "x"), ARGUMENTS_GOOD);
    assert_true(config.number == 7);
    assert_int_equal(config.count, 3);
    assert_false(config.flag);
}

static void test_bad_values_are_refused(void **state)
{
    (void)state;
    static char *const bad[][2] = {
        {"--number", "0.4"}, {"--number", "11"},  {"--number", "nan"}, {"--number", "x"},
        {"--number", ""},    {"--number", "2 "},  {"--count", "0"},    {"--count", "1.5"},
        {"--count", "-1"},   {"--count", "1e13"}, {"--text", ""},
    };
    for (size_t i = 0; i < MESH_COUNT_OF(bad); i++) {
        struct config config = {0};
        assert_int_equal(READ(&config, "--text", "x", bad[i][0], bad[i][1]), ARGUMENTS_WRONG);
    }
}

static void test_what_is_missing_or_unknown_is_refused(void **state)
{
    (void)state;
    struct config config = {0};
    assert_int_equal(READ(&config, "--count", "1"), ARGUMENTS_WRONG);
    assert_int_equal(READ(&config, "--text"), ARGUMENTS_WRONG);
    assert_int_equal(READ(&config, "--text", "x", "--other"), ARGUMENTS_WRONG);
    assert_int_equal(READ(&config, "--text", "x", "more"), ARGUMENTS_WRONG);
}

static void test_help_ends_well(void **state)
{
    (void)state;
    struct config config = {0};
    assert_int_equal(READ(&config, "--help"), EXIT_SUCCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_given_is_filled_in),
        cmocka_unit_test(test_what_is_not_given_stays),
        cmocka_unit_test(test_bad_values_are_refused),
        cmocka_unit_test(test_what_is_missing_or_unknown_is_refused),
        cmocka_unit_test(test_help_ends_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
