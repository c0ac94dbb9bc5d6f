/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the message says what the counters, the archive and the programs say, and only when it says
 * something new; "exact" is said only where it is proven.
 * Method: replies without a Redis; the message is looked at as text.
 */
#include "cmocka_all.h"
#include "live.h"
#include "mesh/clock.h"
#include "reply_fixture.h"
#include "stream_fixture.h"

#include <string.h>

static struct {
    struct mesh_streams *streams;
    struct live *live;
    struct mesh_buffer message;
    uint64_t version;
} test;

static int start(void **state)
{
    (void)state;
    test.streams = stream_fixture_new();
    test.live = live_new(test.streams);
    test.version = 0;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    live_free(test.live);
    mesh_streams_free(test.streams);
    mesh_buffer_done(&test.message);
    return 0;
}

static void update(const char *total, const char *duplicates, const char *settled)
{
    redisReply *groups = reply_fixture_texts((const char *[]){"Chile", total, NULL});
    redisReply *totals = reply_fixture_texts((const char *[]){
        "total", total, "duplicates", duplicates, "not_counted", "0", "settled", settled, NULL});
    live_update(test.live, 0, groups, totals, mesh_clock_mono_us());
    freeReplyObject(groups);
    freeReplyObject(totals);
}

static void lag(uint64_t in_kafka, uint64_t settled, int64_t at_ms)
{
    live_set_lag(test.live, 0,
                 &(struct lag){.partitions = 1,
                               .in_kafka = in_kafka,
                               .archived = settled,
                               .settled = settled,
                               .at_ms = at_ms,
                               .level = in_kafka == settled});
}

static bool published(void)
{
    live_publish(test.live, true);
    return live_take(test.live, 0, &test.message, &test.version);
}

static void assert_says(const char *text)
{
    if (strstr(test.message.data, text) == NULL) {
        fail_msg("%s is not in %s", text, test.message.data);
    }
}

static void test_the_same_is_not_said_again(void **state)
{
    (void)state;
    update("4", "0", "0");
    assert_true(published());
    assert_says("\"groups_are\":null");
    assert_says("\"lag\":null,\"recent\":null}],\"programs\":null}");
    assert_false(published());
    update("5", "0", "0");
    assert_true(published());
    live_publish(test.live, false);
    assert_true(live_take(test.live, 0, &test.message, &test.version));
    assert_says("\"live\":false,\"as_of\":\"");
}

static void test_exact_is_only_what_is_proven(void **state)
{
    (void)state;
    const int64_t now_ms = mesh_clock_wall_ms();
    update("4", "1", "5");
    lag(5, 5, now_ms);
    assert_true(published());
    assert_says("\"in_kafka\":5,\"counted\":5,\"archived\":5,\"settled\":5");
    assert_says("\"exact\":true");
    lag(6, 5, now_ms); /* one is not archived */
    assert_true(published());
    assert_says("\"exact\":false");
    lag(5, 5, now_ms - 3600000); /* that was so an hour ago */
    assert_true(published());
    assert_says("\"exact\":false");
    live_set_audited(test.live, now_ms); /* it did not change since */
    assert_true(published());
    assert_says("\"exact\":true");
    lag(4, 4, now_ms); /* counted is more than the archive knows of: so Kafka has more, too */
    assert_true(published());
    assert_says("\"in_kafka\":5,\"counted\":5,\"archived\":4");
    assert_says("\"exact\":false");
    live_set_lag(test.live, 0, &(struct lag){.level = true});
    assert_true(published());
    assert_says("\"lag\":null");
}

static void test_recent_texts_are_json_and_bounded(void **state)
{
    (void)state;
    static char endless[2050];
    memset(endless, 'x', sizeof(endless) - 1);
    redisReply *texts =
        reply_fixture_texts((const char *[]){"\"<script>\\", endless, "\xff\xfe", "llueve", NULL});
    update("4", "0", "0");
    live_set_recent(test.live, 0, texts);
    freeReplyObject(texts);
    assert_true(published());
    assert_says("\"recent\":[\"\\\"<script>\\\\\",\"llueve\"]");
    texts = reply_fixture_read("-WRONGTYPE\r\n");
    live_set_recent(test.live, 0, texts);
    freeReplyObject(texts);
    assert_true(published());
    assert_says("\"recent\":[]");
}

static void test_programs_and_history_are_handed_on(void **state)
{
    (void)state;
    struct mesh_buffer programs = {0};
    uint64_t history = 0;
    mesh_buffer_add_text(&programs, "[1]");
    live_set_programs_take(test.live, &programs);
    assert_int_equal(programs.size, 0);
    rates_note(live_rates(test.live, 0), 0, 100);
    rates_note(live_rates(test.live, 0), 5, 101);
    rates_note(live_rates(test.live, 0), 5, 102);
    assert_true(published());
    assert_says("\"programs\":[1]}");
    assert_true(live_take_history(test.live, 3, &test.message, &history));
    assert_non_null(
        strstr(test.message.data + 3, "\"history\":{\"test\":{\"to\":101,\"accepted\":[0,5]}}}"));
    assert_false(live_take_history(test.live, 3, &test.message, &history));
    mesh_buffer_done(&programs);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        CASE(test_the_same_is_not_said_again),
        CASE(test_exact_is_only_what_is_proven),
        CASE(test_recent_texts_are_json_and_bounded),
        CASE(test_programs_and_history_are_handed_on),
    };
#undef CASE
    return cmocka_run_group_tests(tests, NULL, NULL);
}
