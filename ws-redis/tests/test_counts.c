/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: hints reach Redis once each, also when Redis goes and comes back; when it stays away the
 * oldest are dropped; the derived hashes and the live message follow by themselves.
 * Method: a real redis-server, killed, started again, and emptied of functions.
 */
#include "cmocka_all.h"
#include "counts.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/metrics.h"
#include "redis_fixture.h"
#include "stream_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_US INT64_C(20000000)
#define DRAIN_MS 20000

static struct {
    struct redis_fixture *redis;
    struct mesh_streams *streams;
    struct live *live;
    struct counts *counts;
    struct mesh_buffer frame;
} test;

static void counts_start(size_t queue_len_max)
{
    struct mesh_error err = {0};
    test.counts = counts_new(
        &(struct counts_options){
            .redis_url = redis_fixture_url(test.redis),
            .redis_ms_max = 2000,
            .queue_len_max = queue_len_max,
            .streams = test.streams,
            .live = test.live,
        },
        &err);
    assert_non_null(test.counts);
}

static int start(void **state)
{
    (void)state;
    test.redis = redis_fixture_new(&(struct redis_fixture_options){.append_only = true});
    test.streams = stream_fixture_new();
    test.live = live_new(test.streams);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    counts_free(test.counts);
    test.counts = NULL;
    live_free(test.live);
    mesh_streams_free(test.streams);
    redis_fixture_free(test.redis);
    mesh_buffer_done(&test.frame);
    mesh_metrics_done();
    return 0;
}

static enum frame_result offer(uint32_t partition, uint64_t first, const char *groups)
{
    stream_fixture_frame(partition, first, groups, &test.frame);
    return counts_offer(test.counts, mesh_buffer_bytes(&test.frame));
}

/* -1: there is no such field. */
static long long field(const char *key, const char *name)
{
    redisContext *redis = redis_fixture_connect(test.redis);
    redisReply *reply = redisCommand(redis, "HGET %s %s", key, name);
    assert_non_null(reply);
    long long value = reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10) : -1;
    freeReplyObject(reply);
    redisFree(redis);
    return value;
}

static void run(const char *command)
{
    redisContext *redis = redis_fixture_connect(test.redis);
    redisReply *reply = redisCommand(redis, command);
    assert_non_null(reply);
    assert_int_not_equal(reply->type, REDIS_REPLY_ERROR);
    freeReplyObject(reply);
    redisFree(redis);
}

static long long dropped(const char *reason)
{
    char *labels = mesh_format("reason=\"%s\"", reason);
    long long value = mesh_metric_value(mesh_counter("tweetmesh_hints_dropped_total", labels, ""));
    free(labels);
    return value;
}

static void wait_ready(bool wanted)
{
    const int64_t deadline_us = mesh_clock_mono_us() + WAIT_US;
    struct mesh_buffer reason = {0};
    while (counts_ready(test.counts, &reason) != wanted) {
        assert_true(mesh_clock_mono_us() < deadline_us);
        (void)usleep(5000); /* polls; the deadline decides */
    }
    mesh_buffer_done(&reason);
}

static void test_bad_frames_are_counted_and_forgotten(void **state)
{
    (void)state;
    counts_start(8);
    assert_int_equal(counts_offer(test.counts, mesh_bytes_of_text("\x0d\x01")), FRAME_MALFORMED);
    assert_int_equal(offer(MESH_COUNTERS_PARTITION_COUNT_MAX, 0, "0"), FRAME_INVALID);
    assert_int_equal(offer(0, 0, "222"), FRAME_GOOD); /* but nothing in it that we know */
    assert_true(counts_drain(test.counts, DRAIN_MS));
    assert_int_equal(dropped("unknown_group"), 3);
    assert_int_equal(field("{test}:state", "total"), -1);
}

static void test_redis_away_is_not_ready_and_drops_the_oldest(void **state)
{
    (void)state;
    redis_fixture_kill(test.redis);
    counts_start(4);
    for (uint32_t partition = 0; partition < 10; partition++) {
        assert_int_equal(offer(partition, 0, "01"), FRAME_GOOD);
    }
    assert_int_equal(dropped("queue_full"), 12);
    wait_ready(false);
    assert_false(counts_drain(test.counts, 50));

    redis_fixture_start(test.redis);
    wait_ready(true);
    assert_true(counts_drain(test.counts, DRAIN_MS));
    assert_int_equal(field("{test}:state", "total"), 8); /* the newest four windows */
}

/* How many calls were answered so far. */
static long long call_count(void)
{
    static const char name[] = "tweetmesh_counts_call_events_count ";
    struct mesh_buffer text = {0};
    mesh_metrics_write(&text);
    const char *at = strstr(text.data, name);
    assert_non_null(at);
    long long count = strtoll(at + sizeof(name) - 1, NULL, 10);
    mesh_buffer_done(&text);
    return count;
}

static void test_what_waits_goes_in_as_few_calls_as_hold_it(void **state)
{
    (void)state;
    enum { WIDE = 2000 };
    static char groups[WIDE + 1];
    memset(groups, '1', WIDE);
    redis_fixture_kill(test.redis);
    counts_start(64);
    for (uint32_t partition = 0; partition < 20; partition++) {
        assert_int_equal(offer(partition, 7, partition < 3 ? groups : "01"), FRAME_GOOD);
    }
    redis_fixture_start(test.redis);
    assert_true(counts_drain(test.counts, DRAIN_MS));
    assert_int_equal(call_count(), 2); /* 4,000 offsets, and 2,034 */
    assert_int_equal(field("{test}:state", "total"), 3 * WIDE + 17 * 2);
    assert_int_equal(field("{test}:state", "c:Chile"), 17);
}

static void test_refused_call_is_dropped_and_others_go_on(void **state)
{
    (void)state;
    run("SET {test}:state text");
    counts_start(8);
    assert_int_equal(offer(0, 0, "01"), FRAME_GOOD);
    assert_true(counts_drain(test.counts, DRAIN_MS));
    assert_int_equal(dropped("redis_refused"), 2);
    run("DEL {test}:state");
    assert_int_equal(offer(0, 0, "01"), FRAME_GOOD);
    assert_true(counts_drain(test.counts, DRAIN_MS));
    assert_int_equal(field("{test}:state", "total"), 2);
}

static void test_lost_library_is_loaded_again(void **state)
{
    (void)state;
    counts_start(8);
    assert_int_equal(offer(0, 0, "01"), FRAME_GOOD);
    assert_true(counts_drain(test.counts, DRAIN_MS));
    run("FUNCTION FLUSH");
    assert_int_equal(offer(0, 2, "01"), FRAME_GOOD);
    assert_true(counts_drain(test.counts, DRAIN_MS));
    assert_int_equal(field("{test}:state", "total"), 4);
}

static void test_hints_survive_redis_dying_under_load(void **state)
{
    (void)state;
    enum { FRAMES = 3000 };
    counts_start(1024);
    for (uint64_t i = 0; i < FRAMES; i++) {
        assert_int_equal(offer((uint32_t)(i % 3), i / 3 * 4, "0101"), FRAME_GOOD);
        if (i % 1000 == 500) {
            redis_fixture_kill(test.redis);
            redis_fixture_start(test.redis);
        }
    }
    assert_true(counts_drain(test.counts, DRAIN_MS));
    assert_int_equal(dropped("queue_full"), 0);
    assert_int_equal(field("{test}:state", "total"), FRAMES * 4);
    assert_int_equal(field("{test}:country", "Chile"), FRAMES * 2);
}

static void test_drained_counts_are_shown_to_people(void **state)
{
    (void)state;
    struct mesh_buffer message = {0};
    uint64_t version = 0;
    counts_start(8);
    assert_int_equal(offer(0, 0, "0010"), FRAME_GOOD);
    assert_int_equal(offer(0, 0, "0010"), FRAME_GOOD); /* again */
    assert_true(counts_drain(test.counts, DRAIN_MS));
    assert_int_equal(field("{test}:country", "Chile"), 3);
    assert_int_equal(field("{test}:country", "Peru"), 1);
    assert_int_equal(field("{test}:totals", "total"), 4);
    assert_true(live_take(test.live, 0, &message, &version));
    assert_non_null(strstr(message.data, "\"live\":true"));
    assert_non_null(strstr(message.data, "\"total\":4,\"settled\":0,\"unsettled\":4"));
    assert_non_null(strstr(message.data, "\"Chile\":3"));
    assert_non_null(strstr(message.data, "\"title\":\"A <test>\""));
    mesh_buffer_done(&message);
}

static void test_strange_fields_in_a_derived_hash_do_not_break_the_message(void **state)
{
    (void)state;
    struct mesh_buffer message = {0};
    uint64_t version = 0;
    redisContext *redis = redis_fixture_connect(test.redis);
    redisReply *reply =
        redisCommand(redis, "HSET {test}:country %b 1 a 1e9 b 007 c -1 d 2", "\xff\"", (size_t)2);
    assert_non_null(reply);
    freeReplyObject(reply);
    redisFree(redis);
    counts_start(8);
    wait_ready(true);
    assert_true(counts_drain(test.counts, DRAIN_MS));
    assert_true(live_take(test.live, 0, &message, &version));
    assert_non_null(strstr(message.data, "\"groups\":{\"d\":2}"));
    assert_false(live_take(test.live, 0, &message, &version)); /* none newer */
    mesh_buffer_done(&message);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        CASE(test_bad_frames_are_counted_and_forgotten),
        CASE(test_redis_away_is_not_ready_and_drops_the_oldest),
        CASE(test_what_waits_goes_in_as_few_calls_as_hold_it),
        CASE(test_refused_call_is_dropped_and_others_go_on),
        CASE(test_lost_library_is_loaded_again),
        CASE(test_hints_survive_redis_dying_under_load),
        CASE(test_drained_counts_are_shown_to_people),
        CASE(test_strange_fields_in_a_derived_hash_do_not_break_the_message),
    };
#undef CASE
    return cmocka_run_group_tests(tests, NULL, NULL);
}
