/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: memory that is given out is there, zeroed or copied as promised; none left ends the
 * program. Method: a child process asks for what no machine has, then the ordinary calls.
 */
#include "cmocka_all.h"
#include "mesh/alloc.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_no_memory_aborts(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(STDERR_FILENO);
        volatile size_t many = SIZE_MAX / 4;
        free(mesh_alloc_zeroed(many, 8)); /* overflows: refused without asking the system */
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
}

static void test_zero_sizes_give_something_to_free(void **state)
{
    (void)state;
    free(mesh_alloc(0));
    free(mesh_alloc_zeroed(0, 8));
    free(mesh_realloc(NULL, 0));
}

static void test_copies_are_terminated(void **state)
{
    (void)state;
    char *copy = mesh_strndup("abcdef", 3);
    assert_string_equal(copy, "abc");
    free(copy);
    char *text = mesh_format("%d-%s", 7, "x");
    assert_string_equal(text, "7-x");
    free(text);
    int *numbers = mesh_new_array(int, 4);
    assert_int_equal(numbers[3], 0);
    free(numbers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_memory_aborts),
        cmocka_unit_test(test_zero_sizes_give_something_to_free),
        cmocka_unit_test(test_copies_are_terminated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
