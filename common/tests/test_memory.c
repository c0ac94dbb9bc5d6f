/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: pages that are as in their files go back to the kernel; what was written, in the heap and
 * in data that libraries relocated, stays as it is.
 * Method: what /proc says is resident, and functions of libraries that are called for the first
 * time, and again, afterwards.
 */
#include "cmocka_all.h"
#include "mesh/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PIECE_COUNT = 1000, PIECE_SIZE = 8000 };

static size_t resident_file_kb(void)
{
    char line[256];
    size_t kb = 0;
    FILE *file = fopen("/proc/self/status", "r");

    if (file == NULL) {
        fail_msg("/proc/self/status cannot be read");
        return 0;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "RssFile:", 8) == 0) {
            kb = strtoul(line + 8, NULL, 10);
        }
    }
    (void)fclose(file);
    return kb;
}

static void test_code_goes_back_and_what_was_written_stays(void **state)
{
    (void)state;
    static char written[PIECE_SIZE] = "data of the program";
    char *pieces[PIECE_COUNT];
    struct tm tm = {0};

    for (size_t i = 0; i < PIECE_COUNT; i++) {
        pieces[i] = malloc(PIECE_SIZE);
        assert_non_null(pieces[i]);
        (void)memset(pieces[i], (int)(i & 0x7f), PIECE_SIZE);
    }
    for (size_t i = 0; i < PIECE_COUNT; i += 2) {
        free(pieces[i]);
    }
    (void)snprintf(written, sizeof written, "%d", PIECE_COUNT);
    size_t before = resident_file_kb();
    mesh_memory_give_back();
    assert_true(resident_file_kb() < before);
    assert_string_equal(written, "1000");
    for (size_t i = 1; i < PIECE_COUNT; i += 2) {
        assert_int_equal(pieces[i][0], i & 0x7f);
        assert_int_equal(pieces[i][PIECE_SIZE - 1], i & 0x7f);
        free(pieces[i]);
    }
    assert_non_null(strptime("2026-11-21", "%Y-%m-%d", &tm)); /* through tables of the C library */
    assert_int_equal(tm.tm_year, 126);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_code_goes_back_and_what_was_written_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
