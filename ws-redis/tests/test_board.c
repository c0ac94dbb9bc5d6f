/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: seconds in which something was counted stand in Redis, once, also with two of us; lag,
 * health and last events come from there; keys of a wrong kind do no harm; a broken connection is
 * an error. Method: a real redis-server; seconds are told, so that nothing waits for the clock but
 * board's own pause between two looks.
 */
#include "board.h"
#include "cmocka_all.h"
#include "mesh/clock.h"
#include "mesh/health.h"
#include "redis_fixture.h"
#include "stream_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_US INT64_C(20000000)

static struct {
    struct redis_fixture *redis;
    redisContext *context;
    struct mesh_streams *streams;
    struct live *live;
    struct health *health;
    struct board *board;
    struct mesh_buffer message;
} test;

static int start(void **state)
{
    (void)state;
    test.redis = redis_fixture_new(&(struct redis_fixture_options){0});
    test.context = redis_fixture_connect(test.redis);
    test.streams = stream_fixture_new();
    test.live = live_new(test.streams);
    test.health = health_new("me:8083");
    test.board = board_new(&(struct board_options){
        .streams = test.streams, .live = test.live, .health = test.health, .recent_max = 2});
    return 0;
}

static int stop(void **state)
{
    (void)state;
    board_free(test.board);
    health_free(test.health);
    live_free(test.live);
    mesh_streams_free(test.streams);
    redisFree(test.context);
    redis_fixture_free(test.redis);
    mesh_buffer_done(&test.message);
    return 0;
}

static redisReply *run(const char *command)
{
    redisReply *reply = redisCommand(test.context, command);
    assert_non_null(reply);
    assert_int_not_equal(reply->type, REDIS_REPLY_ERROR);
    return reply;
}

static void run_only(const char *command)
{
    freeReplyObject(run(command));
}

static void look(void)
{
    struct mesh_error err = {0};
    if (!board_look(test.board, test.context, &err)) {
        fail_msg("%s", err.text);
    }
}

/* What the counters would tell live. */
static void count_something(void)
{
    redisReply *groups = run("HGETALL {test}:country");
    redisReply *totals = run("HGETALL {test}:totals");
    live_update(test.live, 0, groups, totals, mesh_clock_mono_us());
    freeReplyObject(groups);
    freeReplyObject(totals);
}

static const char *message(void)
{
    uint64_t version = 0;
    live_publish(test.live, true);
    assert_true(live_take(test.live, 0, &test.message, &version));
    return test.message.data;
}

static void test_seconds_with_events_are_written_once(void **state)
{
    (void)state;
    struct rates *rates = live_rates(test.live, 0);
    run_only("XADD {test}:rate 101-0 accepted 9 total 9"); /* another ws-redis was first */
    rates_note(rates, 0, 100);
    rates_note(rates, 5, 101);
    rates_note(rates, 8, 102);
    rates_note(rates, 8, 104);
    look();
    redisReply *reply = run("XRANGE {test}:rate - +");
    assert_int_equal(reply->elements, 3);
    assert_string_equal(reply->element[1]->element[0]->str, "102-0");
    assert_string_equal(reply->element[1]->element[1]->element[1]->str, "3");
    assert_string_equal(reply->element[1]->element[1]->element[3]->str, "8");
    assert_string_equal(reply->element[2]->element[0]->str, "103-0");
    freeReplyObject(reply);
}

static void test_lag_health_and_last_events_are_shown(void **state)
{
    (void)state;
    freeReplyObject(redisCommand(test.context, "HSET {test}:archive 0 %s 1 %s", "4 3 2 5", "x"));
    run_only("RPUSH {test}:recent one two three");
    count_something();
    look();
    const char *shown = message();
    assert_non_null(
        strstr(shown, "\"lag\":{\"in_kafka\":4,\"counted\":0,\"archived\":3,\"settled\":2"));
    assert_non_null(strstr(shown, "\"recent\":[\"one\",\"two\"]"));
    assert_non_null(strstr(shown, "{\"program\":\"ws-redis\",\"instance\":\"me:8083\",\"state\":"
                                  "\"running\",\"ready\":true"));
}

static void test_keys_of_a_wrong_kind_do_no_harm(void **state)
{
    (void)state;
    run_only("SET {test}:archive x");
    run_only("SET {test}:rate x");
    run_only("SET {test}:recent x");
    run_only("SET " MESH_HEALTH_KEY " x");
    rates_note(live_rates(test.live, 0), 0, 100);
    rates_note(live_rates(test.live, 0), 5, 101);
    rates_note(live_rates(test.live, 0), 5, 102);
    count_something();
    look();
    assert_non_null(strstr(message(), "\"lag\":null,\"recent\":[]}],\"programs\":[]}"));
}

static long long calls(void)
{
    redisReply *reply = run("INFO commandstats");
    const char *at = strstr(reply->str, "cmdstat_hgetall:calls=");
    const long long count = at == NULL ? 0 : strtoll(strchr(at, '=') + 1, NULL, 10);
    freeReplyObject(reply);
    return count;
}

static void test_it_looks_once_a_second(void **state)
{
    (void)state;
    const int64_t deadline_us = mesh_clock_mono_us() + WAIT_US;
    const int64_t first_us = mesh_clock_mono_us();
    look();
    const long long before = calls();
    while (calls() == before) {
        assert_true(mesh_clock_mono_us() < deadline_us);
        look();
        (void)usleep(2000); /* polls; the deadline decides */
    }
    assert_true(mesh_clock_mono_us() - first_us > 500000);
}

static void test_a_broken_connection_is_an_error(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    redis_fixture_kill(test.redis);
    assert_false(board_look(test.board, test.context, &err));
    assert_int_equal(err.code, MESH_UNAVAILABLE);
    redis_fixture_start(test.redis);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        CASE(test_seconds_with_events_are_written_once),
        CASE(test_lag_health_and_last_events_are_shown),
        CASE(test_keys_of_a_wrong_kind_do_no_harm),
        CASE(test_it_looks_once_a_second),
        CASE(test_a_broken_connection_is_an_error),
    };
#undef CASE
    return cmocka_run_group_tests(tests, NULL, NULL);
}
