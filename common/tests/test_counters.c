/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: each function counts what its header says, with at most one write command.
 * Method: a real redis-server, small ranges, and the limits.
 */
#include "cmocka_all.h"
#include "counters_fixture.h"
#include "mesh/alloc.h"

#include <stdlib.h>
#include <string.h>

static void test_applying_twice_counts_once(void **state)
{
    (void)state;
    assert_int_equal(counters_apply(10, "0120").counted, 4);
    assert_int_equal(counters_apply(10, "0120").counted, 0);
    assert_int_equal(counters_apply(8, "3333333").counted, 3); /* 8, 9 and 14 are new */
    assert_field(STATE, "total", "7");
    assert_field(STATE, "c:Chile", "2");
    assert_field(STATE, "c:C\xc3\xb4te d'Ivoire", "1");
    assert_field(STATE, "c:Unknown", "3");
}

static void test_holes_stay_open_and_not_counted_closes(void **state)
{
    (void)state;
    assert_int_equal(counters_apply(0, "0-x1").counted, 2);
    assert_int_equal(counters_apply(0, "2222").counted, 1);
    assert_field(STATE, "c:Peru", "1");
}

static void test_ranges_of_one_call_may_overlap(void **state)
{
    (void)state;
    static const uint8_t groups[] = {0, 1, 2, 3, 3, MESH_GROUP_HOLE, 0};
    struct mesh_counters_range ranges[3];
    counters_settle(0, "0", NULL);
    for (size_t i = 0; i < MESH_COUNT_OF(ranges); i++) {
        ranges[i] = (struct mesh_counters_range){
            .stream = counters_stream.name,
            .partition = (uint32_t)(i / 2), /* 0, 0, 1 */
            .first_offset = i == 1 ? 3 : 0,
            .count = MESH_COUNT_OF(groups),
            .groups = groups,
            .group_names = counters_stream.group_names,
            .group_count = counters_stream.group_count,
        };
    }
    mesh_counters_apply(test.command, ranges, MESH_COUNT_OF(ranges));
    struct mesh_counters_reply reply = counters_call();
    assert_int_equal(reply.outcome, MESH_COUNTERS_DONE);
    assert_int_equal(reply.watermark, 1);
    /* Of partition 0: 1 to 4 and 6, then 5 and 7 to 9 with what the second range says of them;
     * without 8, which is a hole. Of partition 1: all but a hole. */
    assert_int_equal(reply.counted, 5 + 3 + 6);
    assert_int_equal(counters_call().counted, 0);
    assert_int_equal(counters_apply(8, "2").counted, 1);
}

/* Programs of before version 3 go on working beside newer ones. */
static void test_apply_of_one_range_is_still_there(void **state)
{
    (void)state;
    redis_run("FCALL tweetmesh_apply 1 " STATE " 0 5 \1\1 Chile Peru");
    assert_field(STATE, "c:Peru", "2");
    assert_field(STATE, "total", "2");
    assert_int_equal(counters_apply(5, "222").counted, 1);
}

static void test_settle_fills_in_takes_back_and_moves_on(void **state)
{
    (void)state;
    counters_apply(1, "12"); /* of 0 to 4, two came as hints; 2 is a duplicate */
    struct mesh_counters_reply reply = counters_settle(0, "0120x", "00110");
    assert_int_equal(reply.outcome, MESH_COUNTERS_DONE);
    assert_int_equal(reply.watermark, 5);
    assert_int_equal(reply.counted, 0); /* one filled in, one taken back */
    assert_field(STATE, "total", "2");
    assert_field(STATE, "c:Chile", "1");
    assert_field(STATE, "c:Peru", "0");
    assert_field(STATE, "duplicates", "2");
    assert_field(STATE, "not_counted", "1");
    assert_field(STATE, "topic", TOPIC);

    assert_int_equal(counters_apply(0, "33333").counted, 0);           /* below the watermark */
    assert_int_equal(counters_settle(0, "0120x", "00110").counted, 0); /* redelivered */
    assert_int_equal(counters_settle(3, "0x2", "100").counted, 1);     /* half of it is new */
    assert_field(STATE, "total", "3");
    assert_field(STATE, "w:0", "6");
    assert_int_equal(counters_settle(6, "", NULL).outcome, MESH_COUNTERS_DONE);
}

static void test_numbers_next_to_the_limit_are_exact(void **state)
{
    (void)state;
    redis_run("HSET " STATE " w:0 9007199254736895 total 9007199254736800");
    struct mesh_counters_reply reply = counters_settle(MESH_COUNTERS_OFFSET_MAX, "012", NULL);
    assert_int_equal(reply.watermark, MESH_COUNTERS_OFFSET_MAX + 3);
    assert_field(STATE, "w:0", "9007199254736898");
    assert_field(STATE, "total", "9007199254736803");
    assert_int_equal(counters_apply(MESH_COUNTERS_OFFSET_MAX, "0000").counted, 1);
    assert_int_equal(counters_apply(MESH_COUNTERS_OFFSET_MAX, "0000").counted, 0);
}

static void test_every_group_and_a_full_range_fit_in_one_call(void **state)
{
    (void)state;
    static const char *names[MESH_GROUP_COUNT_MAX];
    static uint8_t groups[MESH_COUNTERS_RANGE_MAX];
    static const uint8_t duplicates[MESH_COUNTERS_RANGE_MAX];
    for (size_t i = 0; i < MESH_GROUP_COUNT_MAX; i++) {
        names[i] = mesh_format("group %zu", i);
    }
    for (size_t i = 0; i < MESH_COUNTERS_RANGE_MAX; i++) {
        groups[i] = (uint8_t)(i % MESH_GROUP_COUNT_MAX);
    }
    struct mesh_counters_range range = {
        .stream = counters_stream.name,
        .partition = 1999,
        .first_offset = 1023,
        .count = MESH_COUNTERS_RANGE_MAX,
        .groups = groups,
        .group_names = names,
        .group_count = MESH_GROUP_COUNT_MAX,
        .duplicates = duplicates,
        .topic_id = TOPIC,
    };
    mesh_counters_apply(test.command, &range, 1);
    assert_int_equal(counters_call().counted, MESH_COUNTERS_RANGE_MAX);
    redis_run("HSET " STATE " w:1999 1023");
    mesh_counters_settle(test.command, &range);
    assert_int_equal(counters_call().counted, 0);
    struct mesh_stream many = counters_stream;
    many.group_names = names;
    many.group_count = MESH_GROUP_COUNT_MAX;
    mesh_counters_show_groups(test.command, &many);
    assert_int_equal(counters_call().counted, MESH_GROUP_COUNT_MAX);
    mesh_counters_show_totals(test.command, &many);
    assert_int_equal(counters_call().outcome, MESH_COUNTERS_DONE);
    assert_field("{test}:totals", "settled", "5119");
    for (size_t i = 0; i < MESH_GROUP_COUNT_MAX; i++) {
        free((void *)(uintptr_t)names[i]);
    }
}

static void test_show_writes_what_changed_from_the_state(void **state)
{
    (void)state;
    counters_apply(0, "0012");
    counters_settle(0, "00", "01");
    mesh_counters_show_groups(test.command, &counters_stream);
    assert_int_equal(counters_call().counted, 3);
    assert_field("{test}:country", "Chile", "1");
    assert_field("{test}:country", "Peru", "1");
    assert_field("{test}:country", "Unknown", NULL);
    mesh_counters_show_totals(test.command, &counters_stream);
    counters_call();
    assert_field("{test}:totals", "total", "3");
    assert_field("{test}:totals", "settled", "2");
    assert_field("{test}:totals", "settled:0", "2");
    assert_field("{test}:totals", "duplicates", "1");
    assert_field("{test}:totals", "not_counted", "0");

    unsigned long long writes = writes_so_far();
    assert_int_equal(counters_call().counted, 0);
    assert_int_equal(writes_so_far(), writes); /* nothing changed, nothing written */

    redis_run("DEL " STATE);
    mesh_counters_show_groups(test.command, &counters_stream);
    assert_int_equal(counters_call().counted, 3);
    assert_field("{test}:country", "Chile", "0");
}

static void test_stream_without_count_by_shows_all(void **state)
{
    (void)state;
    static const char *const all[] = {"all"};
    const struct mesh_stream plain = {.name = "test", .group_names = all, .group_count = 1};
    redis_run("HSET " STATE " c:all 5 total 5");
    mesh_counters_show_groups(test.command, &plain);
    counters_call();
    assert_field("{test}:all", "all", "5");
    char *key = mesh_counters_groups_key(&plain);
    assert_string_equal(key, "{test}:all");
    free(key);
}

static bool has_bitmap(unsigned int chunk)
{
    redisReply *reply = redis_ask("HEXISTS " STATE " b:0:%u", chunk);
    bool there = reply->integer == 1;
    freeReplyObject(reply);
    return there;
}

static void test_sweep_drops_only_what_is_below_the_watermark(void **state)
{
    (void)state;
    counters_apply(1020, "000000000"); /* two chunks */
    counters_apply(3000, "0");
    redis_run("HSET " STATE " w:0 2048");
    mesh_counters_sweep(test.command, counters_stream.name, 0, 0);
    struct mesh_counters_reply reply = counters_call();
    assert_int_equal(reply.counted, 2);
    assert_int_equal(reply.watermark, 2048);
    assert_false(has_bitmap(0));
    assert_false(has_bitmap(1));
    assert_true(has_bitmap(2));
    mesh_counters_sweep(test.command, counters_stream.name, 0, reply.watermark);
    reply = counters_call();
    assert_int_equal(reply.watermark, 2048); /* nothing left */
    assert_field(STATE, "total", "10");
}

static void test_sweep_goes_on_in_steps(void **state)
{
    (void)state;
    redis_run("HSET " STATE " w:0 100000000");
    uint64_t at = 0;
    int steps = 0;
    for (uint64_t next = 1; next != at; steps++) {
        at = next == 1 ? 0 : next;
        mesh_counters_sweep(test.command, counters_stream.name, 0, at);
        next = counters_call().watermark;
    }
    assert_int_equal(at, 100000000 / 1024 * 1024);
    assert_int_equal(steps, 99);
}

static void test_every_function_makes_at_most_one_write(void **state)
{
    (void)state;
    static const char groups[] = "0123012301230123";
    static const char duplicates[] = "0100010001000100";
    for (uint64_t at = 0; at < 1100; at += 16) {
        unsigned long long before = writes_so_far();
        assert_int_equal(counters_apply(at, groups).counted, 16);
        assert_int_equal(writes_so_far(), before + 1);
        assert_int_equal(counters_settle(at, groups, duplicates).counted, -4);
        assert_int_equal(writes_so_far(), before + 2);
        mesh_counters_show_groups(test.command, &counters_stream);
        counters_call();
        assert_int_equal(writes_so_far(), before + 3);
        mesh_counters_show_totals(test.command, &counters_stream);
        counters_call();
        assert_int_equal(writes_so_far(), before + 4);
    }
    unsigned long long before = writes_so_far();
    mesh_counters_sweep(test.command, counters_stream.name, 0, 0);
    assert_int_equal(counters_call().counted, 1);
    assert_int_equal(writes_so_far(), before + 1);
}

static void test_state_is_read_back(void **state)
{
    (void)state;
    struct mesh_counters_state counters;
    struct mesh_error err = {0};
    assert_true(mesh_counters_state_read(test.redis, &counters_stream, &counters, &err));
    assert_int_equal(counters.total, 0);
    assert_int_equal(counters.watermark_count, 0);
    mesh_counters_state_done(&counters);

    counters_settle(0, "0012x", "00001");
    counters_apply(7, "3");
    redis_run("HSET " STATE " c:Atlantis 4 w:2 17");
    assert_true(mesh_counters_state_read(test.redis, &counters_stream, &counters, &err));
    assert_int_equal(counters.total, 5);
    assert_int_equal(counters.counts[0], 2);
    assert_int_equal(counters.counts[3], 1);
    assert_int_equal(counters.foreign, 4);
    assert_int_equal(counters.not_counted, 1);
    assert_int_equal(counters.watermark_count, 3);
    assert_int_equal(counters.watermarks[0], 5);
    assert_int_equal(counters.watermarks[1], 0);
    assert_int_equal(counters.watermarks[2], 17);
    mesh_counters_state_done(&counters);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, counters_empty)
    const struct CMUnitTest tests[] = {
        CASE(test_applying_twice_counts_once),
        CASE(test_holes_stay_open_and_not_counted_closes),
        CASE(test_ranges_of_one_call_may_overlap),
        CASE(test_apply_of_one_range_is_still_there),
        CASE(test_settle_fills_in_takes_back_and_moves_on),
        CASE(test_numbers_next_to_the_limit_are_exact),
        CASE(test_every_group_and_a_full_range_fit_in_one_call),
        CASE(test_show_writes_what_changed_from_the_state),
        CASE(test_stream_without_count_by_shows_all),
        CASE(test_sweep_drops_only_what_is_below_the_watermark),
        CASE(test_sweep_goes_on_in_steps),
        CASE(test_every_function_makes_at_most_one_write),
        CASE(test_state_is_read_back),
    };
#undef CASE
    return cmocka_run_group_tests(tests, counters_start, counters_stop);
}
