/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/clock.h"

#include <stdio.h>
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

static void put_digits(char *at, int width, unsigned value)
{
    for (int i = width - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

void mesh_time_format(int64_t wall_ms, char out[static MESH_TIME_TEXT_SIZE])
{
    int64_t ms = wall_ms < 0 ? 0 : wall_ms > LAST_MS ? LAST_MS : wall_ms;
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    (void)gmtime_r(&seconds, &tm);
    /* By hand: this is written once per event, and snprintf would be half of an event's cost. */
    put_digits(out, 4, (unsigned)tm.tm_year + 1900);
    out[4] = '-';
    put_digits(out + 5, 2, (unsigned)tm.tm_mon + 1);
    out[7] = '-';
    put_digits(out + 8, 2, (unsigned)tm.tm_mday);
    out[10] = 'T';
    put_digits(out + 11, 2, (unsigned)tm.tm_hour);
    out[13] = ':';
    put_digits(out + 14, 2, (unsigned)tm.tm_min);
    out[16] = ':';
    put_digits(out + 17, 2, (unsigned)tm.tm_sec);
    out[19] = '.';
    put_digits(out + 20, 3, (unsigned)(ms % 1000));
    out[23] = 'Z';
    out[24] = '\0';
}

/* A cursor that remembers whether everything so far was as expected. */
struct reader {
    struct mesh_bytes text;
    size_t at;
    bool good;
};

static int read_digits(struct reader *reader, size_t width)
{
    int value = 0;
    for (size_t i = 0; i < width; i++) {
        if (reader->at >= reader->text.size) {
            reader->good = false;
            return 0;
        }
        int digit = reader->text.data[reader->at++] - '0';
        if (digit < 0 || digit > 9) {
            reader->good = false;
            return 0;
        }
        value = value * 10 + digit;
    }
    return value;
}

/* Takes one character that is among `any`; 0 when there is none. */
static char read_one_of(struct reader *reader, const char *any)
{
    for (; reader->at < reader->text.size && *any != '\0'; any++) {
        if (reader->text.data[reader->at] == (uint8_t)*any) {
            reader->at++;
            return *any;
        }
    }
    reader->good = false;
    return 0;
}

static int64_t read_fraction_ms(struct reader *reader)
{
    if (reader->at >= reader->text.size || reader->text.data[reader->at] != '.') {
        return 0;
    }
    reader->at++;
    int64_t ms = 0;
    int64_t weight = 100;
    size_t from = reader->at;
    while (reader->at < reader->text.size && reader->text.data[reader->at] >= '0' &&
           reader->text.data[reader->at] <= '9') {
        ms += (reader->text.data[reader->at] - '0') * weight;
        weight /= 10;
        reader->at++;
    }
    reader->good = reader->good && reader->at > from;
    return ms;
}

static int64_t read_offset_minutes(struct reader *reader)
{
    char sign = read_one_of(reader, "Zz+-");
    if (sign != '+' && sign != '-') {
        return 0;
    }
    int hours = read_digits(reader, 2);
    (void)read_one_of(reader, ":");
    int minutes = read_digits(reader, 2);
    reader->good = reader->good && hours <= 23 && minutes <= 59;
    int64_t total = hours * INT64_C(60) + minutes;
    return sign == '-' ? -total : total;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

bool mesh_time_parse(struct mesh_bytes text, int64_t *out_wall_ms)
{
    struct reader reader = {.text = text, .good = true};
    struct tm tm = {0};
    int year = read_digits(&reader, 4);
    (void)read_one_of(&reader, "-");
    int month = read_digits(&reader, 2);
    (void)read_one_of(&reader, "-");
    tm.tm_mday = read_digits(&reader, 2);
    (void)read_one_of(&reader, "Tt ");
    tm.tm_hour = read_digits(&reader, 2);
    (void)read_one_of(&reader, ":");
    tm.tm_min = read_digits(&reader, 2);
    (void)read_one_of(&reader, ":");
    tm.tm_sec = read_digits(&reader, 2);
    int64_t fraction_ms = read_fraction_ms(&reader);
    int64_t offset_minutes = read_offset_minutes(&reader);
    if (!reader.good || reader.at != text.size || month < 1 || month > 12 || tm.tm_mday < 1 ||
        tm.tm_mday > days_in_month(year, month) || tm.tm_hour > 23 || tm.tm_min > 59 ||
        tm.tm_sec > 60) {
        return false;
    }
    tm.tm_sec = tm.tm_sec == 60 ? 59 : tm.tm_sec;
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    *out_wall_ms = ((int64_t)timegm(&tm) - offset_minutes * 60) * 1000 + fraction_ms;
    return true;
}
