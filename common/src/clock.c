/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/clock.h"

#include <string.h>
#include <time.h>

int64_t mesh_clock_wall_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t mesh_clock_mono_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

#define LAST_MS INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

/* ---- the calendar ----
 *
 * By arithmetic: gmtime() and timegm() are a hundred lines and a lock, for each event. Years begin
 * in March, so that the leap day is a year's last, and come in eras of 400 that are all alike; see
 * Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". Only for years 0 to 9999. */

#define DAYS_OF_ERA 146097
#define DAYS_FROM_0000_03_01 719468 /* to 1970-01-01 */
#define DAY_S 86400

struct date {
    unsigned year;
    unsigned month; /* 1 to 12 */
    unsigned day;
};

/* Days of a March year that go before its `month`, 0 for March. */
static unsigned days_before(unsigned month)
{
    return (153 * month + 2) / 5;
}

static int64_t days_from_date(struct date date)
{
    /* Month 0 of year 0 would be before the first era, but for one era more. */
    const unsigned year = date.year + 400 - (date.month <= 2);
    const unsigned of_era = year % 400;
    const unsigned of_year = days_before((date.month + 9) % 12) + date.day - 1;
    const unsigned days = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    return ((int64_t)(year / 400) - 1) * DAYS_OF_ERA + days - DAYS_FROM_0000_03_01;
}

/* `days` from 1970-01-01 on, not negative. */
static struct date date_from_days(unsigned days)
{
    const unsigned since = days + DAYS_FROM_0000_03_01;
    const unsigned of_era = since % DAYS_OF_ERA;
    const unsigned year =
        (of_era - of_era / 1460 + of_era / 36524 - of_era / (DAYS_OF_ERA - 1)) / 365;
    const unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
    const unsigned month = (5 * of_year + 2) / 153; /* 0: March */
    return (struct date){
        .year = year + since / DAYS_OF_ERA * 400 + (month >= 10),
        .month = month < 10 ? month + 3 : month - 9,
        .day = of_year - days_before(month) + 1,
    };
}

/* ---- writing ---- */

static void put_2_digits(char *at, unsigned value)
{
    at[0] = (char)('0' + value / 10);
    at[1] = (char)('0' + value % 10);
}

void mesh_time_format(int64_t wall_ms, char out[static MESH_TIME_TEXT_SIZE])
{
    const int64_t ms = wall_ms < 0 ? 0 : wall_ms > LAST_MS ? LAST_MS : wall_ms;
    const int64_t seconds = ms / 1000;
    const unsigned of_second = (unsigned)(ms % 1000);
    const unsigned of_day = (unsigned)(seconds % DAY_S);
    const struct date date = date_from_days((unsigned)(seconds / DAY_S));

    /* By hand: this is written once per event, and snprintf would be half of an event's cost. */
    memcpy(out, "....-..-..T..:..:......Z", MESH_TIME_TEXT_SIZE);
    put_2_digits(out, date.year / 100);
    put_2_digits(out + 2, date.year % 100);
    put_2_digits(out + 5, date.month);
    put_2_digits(out + 8, date.day);
    put_2_digits(out + 11, of_day / 3600);
    put_2_digits(out + 14, of_day / 60 % 60);
    put_2_digits(out + 17, of_day % 60);
    out[20] = (char)('0' + of_second / 100);
    put_2_digits(out + 21, of_second % 100);
}

/* ---- reading ---- */

/* "2026-11-20T23:21:07": what every date-time has, at fixed places; a zone follows. */
#define FIXED_LENGTH 19
/* The offset of a zone, "+01:00". */
#define OFFSET_LENGTH 6
/* Above all numbers that may stand anywhere. */
#define NO_NUMBER 10000U

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static unsigned read_2_digits(const uint8_t *at)
{
    const unsigned tens = at[0] - (unsigned)'0';
    const unsigned ones = at[1] - (unsigned)'0';
    return tens <= 9 && ones <= 9 ? tens * 10 + ones : NO_NUMBER;
}

/* The fraction of a second that `rest` may begin with, which it then no longer does. */
static bool read_fraction(struct mesh_bytes *rest, int64_t *out_ms)
{
    int64_t weight = 100;
    size_t at = 1;

    *out_ms = 0;
    if (rest->data[0] != '.') {
        return true;
    }
    for (; at < rest->size && is_digit(rest->data[at]); at++) {
        *out_ms += (rest->data[at] - '0') * weight;
        weight /= 10;
    }
    *rest = mesh_bytes_of(rest->data + at, rest->size - at);
    return at > 1;
}

/* The zone, all of `rest`. */
static bool read_offset(struct mesh_bytes rest, int64_t *out_s)
{
    const uint8_t *at = rest.data;

    *out_s = 0;
    if (rest.size == 1) {
        return at[0] == 'Z' || at[0] == 'z';
    }
    if (rest.size != OFFSET_LENGTH || (at[0] != '+' && at[0] != '-') || at[3] != ':') {
        return false;
    }
    const unsigned hours = read_2_digits(at + 1);
    const unsigned minutes = read_2_digits(at + 4);
    const int64_t seconds = hours * 3600 + minutes * 60;
    *out_s = at[0] == '-' ? -seconds : seconds;
    return hours <= 23 && minutes <= 59;
}

static bool date_is_good(struct date date)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = (date.year % 4 == 0 && date.year % 100 != 0) || date.year % 400 == 0;

    if (date.year > 9999 || date.month < 1 || date.month > 12 || date.day < 1) {
        return false;
    }
    return date.day <= days[date.month - 1] + (date.month == 2 && leap ? 1U : 0U);
}

bool mesh_time_parse(struct mesh_bytes text, int64_t *out_wall_ms)
{
    const uint8_t *at = text.data;
    int64_t ms = 0;
    int64_t offset = 0;

    if (text.size <= FIXED_LENGTH || at[4] != '-' || at[7] != '-' ||
        (at[10] != 'T' && at[10] != 't' && at[10] != ' ') || at[13] != ':' || at[16] != ':') {
        return false;
    }
    const struct date date = {.year = read_2_digits(at) * 100 + read_2_digits(at + 2),
                              .month = read_2_digits(at + 5),
                              .day = read_2_digits(at + 8)};
    const unsigned hours = read_2_digits(at + 11);
    const unsigned minutes = read_2_digits(at + 14);
    const unsigned seconds = read_2_digits(at + 17);
    struct mesh_bytes rest = mesh_bytes_of(at + FIXED_LENGTH, text.size - FIXED_LENGTH);
    if (!date_is_good(date) || hours > 23 || minutes > 59 || seconds > 60 ||
        !read_fraction(&rest, &ms) || !read_offset(rest, &offset)) {
        return false;
    }
    const int64_t of_day = hours * 3600 + minutes * 60 + (seconds == 60 ? 59 : seconds);
    *out_wall_ms = (days_from_date(date) * DAY_S + of_day - offset) * 1000 + ms;
    return true;
}
