/* SPDX-License-Identifier: Apache-2.0 */
#include "rates.h"

#include <string.h>

#define CLOCK_BACK_SECONDS_MAX 5
#define SECOND_DIGITS_MAX 12
#define FIELDS_MAX 8

static uint32_t *slot_of(struct rates *rates, int64_t second)
{
    return &rates->accepted[second % RATES_SECONDS];
}

static bool is_known(const struct rates *rates, int64_t second)
{
    return rates->first != 0 && second >= rates->first && second < rates->second;
}

static void add_row(struct rates *rates, int64_t second, uint64_t accepted, uint64_t total)
{
    if (rates->row_count == RATES_ROWS_MAX) {
        memmove(&rates->rows[0], &rates->rows[1], (RATES_ROWS_MAX - 1) * sizeof(rates->rows[0]));
        rates->row_count--;
    }
    rates->rows[rates->row_count++] = (struct rates_row){second, accepted, total};
    rates->row_of = second;
}

/* Rows stand where something was counted and right beside it, so that a line through them is
 * flat where nothing was. */
static void make_rows(struct rates *rates, uint64_t accepted)
{
    const int64_t before = rates->second - 1;
    const bool was_quiet = is_known(rates, before) && *slot_of(rates, before) == 0;

    if (accepted == 0) {
        if (is_known(rates, before) && !was_quiet) {
            add_row(rates, rates->second, 0, rates->total);
        }
        return;
    }
    if (was_quiet && rates->row_of < before) {
        add_row(rates, before, 0, rates->from);
    }
    add_row(rates, rates->second, accepted, rates->total);
}

static void close_second(struct rates *rates)
{
    const uint64_t accepted = rates->total - rates->from;

    make_rows(rates, accepted);
    *slot_of(rates, rates->second) = accepted < UINT32_MAX ? (uint32_t)accepted : UINT32_MAX;
    rates->second++;
    rates->from = rates->total;
    if (rates->second - rates->first > RATES_SECONDS) {
        rates->first = rates->second - RATES_SECONDS;
    }
}

static void begin(struct rates *rates, uint64_t total, int64_t second)
{
    *rates = (struct rates){.first = second, .second = second, .from = total, .total = total};
}

void rates_note(struct rates *rates, uint64_t total, int64_t unix_second)
{
    if (unix_second <= 0) {
        return;
    }
    if (rates->first == 0 || unix_second - rates->second > RATES_SECONDS ||
        rates->second - unix_second > CLOCK_BACK_SECONDS_MAX) {
        begin(rates, total, unix_second);
        return;
    }
    while (rates->second < unix_second) {
        close_second(rates);
    }
    rates->total = total;
    rates->from = total < rates->from ? total : rates->from;
}

bool rates_take_row(struct rates *rates, struct rates_row *out)
{
    if (rates->row_count == 0) {
        return false;
    }
    *out = rates->rows[0];
    rates->row_count--;
    memmove(&rates->rows[0], &rates->rows[1], rates->row_count * sizeof(rates->rows[0]));
    return true;
}

/* Decimal digits up to `stop`, or all of them. */
static bool read_number(const redisReply *reply, char stop, uint64_t *out)
{
    uint64_t value = 0;
    size_t size = 0;

    if (reply->type != REDIS_REPLY_STRING) {
        return false;
    }
    while (size < reply->len && reply->str[size] != stop) {
        const char digit = reply->str[size];
        if (digit < '0' || digit > '9' || size == SECOND_DIGITS_MAX) {
            return false;
        }
        value = value * 10 + (uint64_t)(digit - '0');
        size++;
    }
    *out = value;
    return size > 0;
}

/* An entry of a Redis stream: its id and a row of names and values. */
static bool read_entry(const redisReply *entry, struct rates_row *out)
{
    uint64_t second = 0;

    if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2 ||
        !read_number(entry->element[0], '-', &second) || second == 0) {
        return false;
    }
    const redisReply *fields = entry->element[1];
    out->second = (int64_t)second;
    for (size_t i = 0;
         fields->type == REDIS_REPLY_ARRAY && i + 1 < fields->elements && i < FIELDS_MAX; i += 2) {
        const redisReply *name = fields->element[i];
        if (name->type == REDIS_REPLY_STRING && strcmp(name->str, "accepted") == 0) {
            return read_number(fields->element[i + 1], '\0', &out->accepted);
        }
    }
    return false;
}

void rates_learn(struct rates *rates, const redisReply *reply)
{
    if (rates->first == 0 || reply->type != REDIS_REPLY_ARRAY) {
        return;
    }
    const int64_t until = rates->first;
    int64_t oldest = rates->second - RATES_SECONDS;
    oldest = oldest < 1 ? 1 : oldest;
    for (size_t i = 0; i < reply->elements; i++) { /* newest first */
        struct rates_row row = {0};
        if (!read_entry(reply->element[i], &row) || row.second < oldest || row.second >= until) {
            continue;
        }
        while (rates->first > row.second) { /* no row: nothing was counted */
            rates->first--;
            *slot_of(rates, rates->first) = 0;
        }
        *slot_of(rates, row.second) =
            row.accepted < UINT32_MAX ? (uint32_t)row.accepted : UINT32_MAX;
        rates->row_of = row.second > rates->row_of ? row.second : rates->row_of;
    }
}

void rates_write(const struct rates *rates, size_t count, struct mesh_buffer *out)
{
    int64_t from = rates->second - (int64_t)count;
    from = from < rates->first ? rates->first : from;
    if (rates->first == 0 || from >= rates->second) {
        mesh_buffer_add_text(out, "null");
        return;
    }
    mesh_buffer_add_format(out, "{\"to\":%lld,\"accepted\":[", (long long)(rates->second - 1));
    for (int64_t second = from; second < rates->second; second++) {
        mesh_buffer_add_format(out, second == from ? "%u" : ",%u",
                               rates->accepted[second % RATES_SECONDS]);
    }
    mesh_buffer_add_text(out, "]}");
}
