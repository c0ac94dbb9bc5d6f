/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: date-times are read as RFC 3339 says and written so that they read back equal.
 * Method: tables of wrong and right texts; every byte at every place of a right one; every day of
 * four centuries there and back; the first and last days of all months against the C library.
 */
#include "cmocka_all.h"
#include "mesh/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static void test_what_is_no_date_time_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "2026-11-20",
        "2026-11-20T23:21:07",
        "2026-11-20T23:21:07.Z",
        "2026-13-20T23:21:07Z",
        "2026-00-20T23:21:07Z",
        "2026-02-29T23:21:07Z",
        "1900-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-11-20T24:00:00Z",
        "2026-11-20T23:60:00Z",
        "2026-11-20T23:00:61Z",
        "2026-11-20T23:21:07+24:00",
        "2026-11-20T23:21:07+0100",
        "2026-11-20T23:21:07Z ",
        " 2026-11-20T23:21:07Z",
        "2026-11-20T23:21:0xZ",
        "+026-11-20T23:21:07Z",
        "2026-11-20T23:21:07+",
        "2026-11-20T23:21:07.5",
        "2026-11-20T23:21:07+01:60",
        "2026-11-20T23:21:07+0a:00",
        "2026-11-20T23:21:07+01:00:00",
        "2026-11-00T23:21:07Z",
    };
    for (size_t i = 0; i < MESH_COUNT_OF(bad); i++) {
        int64_t ms = 42;
        assert_false(mesh_time_parse(mesh_bytes_of_text(bad[i]), &ms));
        assert_int_equal(ms, 42);
    }
}

static void test_date_times_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T01:00:00+01:00", 0},
        {"1969-12-31t19:00:00.5-05:00", 500},
        {"2000-02-29T12:00:00.123456789Z", 951825600123},
        {"2016-12-31T23:59:60Z", 1483228799000},
        {"2026-11-20T23:21:07.999z", 1795216867999},
    };
    for (size_t i = 0; i < MESH_COUNT_OF(good); i++) {
        int64_t ms = -1;
        assert_true(mesh_time_parse(mesh_bytes_of_text(good[i].text), &ms));
        assert_int_equal(ms, good[i].ms);
    }
}

static void test_what_is_written_reads_back(void **state)
{
    (void)state;
    for (int64_t day = 0; day < 146097; day++) {
        int64_t ms = day * 86400000 + (day * 7919) % 86400000;
        char text[MESH_TIME_TEXT_SIZE];
        mesh_time_format(ms, text);
        int64_t back = -1;
        assert_true(mesh_time_parse(mesh_bytes_of_text(text), &back));
        assert_int_equal(back, ms);
    }
    char text[MESH_TIME_TEXT_SIZE];
    mesh_time_format(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
    mesh_time_format(-1, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
}

#define DIGIT "0123456789"

static void test_every_byte_at_every_place_is_told(void **state)
{
    (void)state;
    static const char good[] = "2021-01-11T11:11:11.11+11:11";
    static const char *const allowed[sizeof(good) - 1] = {
        DIGIT, DIGIT, DIGIT, DIGIT, "-",      "01",  "123456789", "-",      "0123", DIGIT,
        "Tt ", "012", DIGIT, ":",   "012345", DIGIT, ":",         "012345", DIGIT,  ".",
        DIGIT, DIGIT, "+-",  "012", DIGIT,    ":",   "012345",    DIGIT,
    };
    for (size_t place = 0; place < MESH_COUNT_OF(allowed); place++) {
        for (int byte = 0; byte < 256; byte++) {
            char text[sizeof(good)];
            int64_t ms = 42;
            memcpy(text, good, sizeof(good));
            text[place] = (char)byte;
            const bool is_read = mesh_time_parse(mesh_bytes_of(text, sizeof(good) - 1), &ms);
            if (is_read != (memchr(allowed[place], byte, strlen(allowed[place])) != NULL)) {
                fail_msg("byte %d at %zu: %s", byte, place, is_read ? "read" : "refused");
            }
            assert_true(is_read || ms == 42);
        }
    }
}

static void assert_as_the_c_library(int year, int month, int day)
{
    struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = 7};
    const int64_t expected = (int64_t)timegm(&tm) * 1000;
    char text[64];
    (void)snprintf(text, sizeof(text), "%04d-%02d-%02dT07:00:00.000Z", year, month, day);
    int64_t ms = -1;
    assert_true(mesh_time_parse(mesh_bytes_of_text(text), &ms));
    if (ms != expected) {
        fail_msg("%s is read as %lld", text, (long long)ms);
    }
    if (year >= 1970) {
        char written[MESH_TIME_TEXT_SIZE];
        mesh_time_format(ms, written);
        assert_string_equal(written, text);
    }
}

static void test_the_calendar_is_the_c_librarys(void **state)
{
    (void)state;
    for (int year = 0; year <= 9999; year++) {
        for (int month = 1; month <= 12; month++) {
            static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
            const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
            assert_as_the_c_library(year, month, 1);
            assert_as_the_c_library(year, month, days[month - 1]);
            if (month == 2 && leap) {
                assert_as_the_c_library(year, 2, 29);
            }
        }
    }
}

static void test_the_monotonic_clock_does_not_go_back(void **state)
{
    (void)state;
    int64_t last = mesh_clock_mono_us();
    for (int i = 0; i < 10000; i++) {
        int64_t now = mesh_clock_mono_us();
        assert_true(now >= last);
        last = now;
    }
    assert_true(mesh_clock_wall_ms() > INT64_C(1700000000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_no_date_time_is_refused),
        cmocka_unit_test(test_date_times_are_read),
        cmocka_unit_test(test_every_byte_at_every_place_is_told),
        cmocka_unit_test(test_what_is_written_reads_back),
        cmocka_unit_test(test_the_calendar_is_the_c_librarys),
        cmocka_unit_test(test_the_monotonic_clock_does_not_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
