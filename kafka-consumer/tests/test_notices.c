/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: people see in Redis how far each partition is and how the consumer feels, at most so often;
 * a Redis that refuses or breaks off does no harm; at the end our health is gone.
 * Method: a real redis-server, through settle_heartbeats() as the loop sends them.
 */
#include "cmocka_all.h"
#include "mesh/clock.h"
#include "notices.h"
#include "redis_fixture.h"
#include "settle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const group_names[] = {"Chile", "Unknown"};
static const struct mesh_stream stream = {
    .name = "test", .topic = "test", .group_names = group_names, .group_count = 2};

static struct {
    struct redis_fixture *fixture;
    redisContext *redis;
    struct topic topic;
    struct loop_levels levels;
    struct settle *settle;
    struct notices *notices;
} test;

static int make(void **state)
{
    test.fixture = redis_fixture_new(&(struct redis_fixture_options){.append_only = false});
    test.redis = redis_fixture_connect(test.fixture);
    topic_init(&test.topic, &stream, 0, 1);
    test.topic.id = strdup("topic-1");
    *state = partition_add(&test.topic, 0, 0);
    test.levels = (struct loop_levels){
        .kafka = true, .joined = true, .mongodb = true, .redis = true, .partitions = 1};
    test.settle = settle_new(redis_fixture_url(test.fixture), 2000);
    test.notices = notices_new(&(struct notices_options){
        .instance = "one", .levels = &test.levels, .topics = &test.topic, .topic_count = 1});
    return 0;
}

static int drop(void **state)
{
    (void)state;
    notices_free(test.notices);
    settle_free(test.settle);
    topic_done(&test.topic);
    redisFree(test.redis);
    redis_fixture_free(test.fixture);
    mesh_metrics_done();
    return 0;
}

static void beat(void)
{
    settle_heartbeats(test.settle, &test.topic, 1, test.notices);
}

/* Until one of them is due, by the program's own word. */
static void wait_until_due(void)
{
    while (mesh_clock_mono_us() < notices_due_us(test.notices)) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

/* A field of a hash without its last number, the time; "" if there is none. */
static const char *archive_of(const char *field)
{
    static char text[128];
    redisReply *reply = redisCommand(test.redis, "HGET {test}:archive %s", field);

    (void)snprintf(text, sizeof text, "%s", reply->type == REDIS_REPLY_STRING ? reply->str : "");
    freeReplyObject(reply);
    char *last = strrchr(text, ' ');
    if (last != NULL) {
        assert_true(llabs(atoll(last + 1) - mesh_clock_wall_ms()) < INT64_C(600000));
        *last = '\0';
    }
    return text;
}

static bool health_has(const char *part)
{
    redisReply *reply = redisCommand(test.redis, "HGET tweetmesh:health kafka-consumer/one");
    bool found = reply->type == REDIS_REPLY_STRING && strstr(reply->str, part) != NULL;

    freeReplyObject(reply);
    return found;
}

/* At most 20 s, of which it needs two. */
static void beat_until_health_has(const char *part)
{
    for (int i = 0; i < 20000 && !health_has(part); i++) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        beat();
    }
    assert_true(health_has(part));
}

static void append(struct partition *partition, int64_t first, int64_t count)
{
    for (int64_t i = first; i < first + count; i++) {
        assert_true(partition_append(partition, i, 1, false));
    }
}

static void test_people_see_where_a_partition_is_and_then_where_it_got(void **state)
{
    struct partition *partition = *state;

    partition->end = 12;
    append(partition, 0, 7);
    partition_settle(partition, 2);
    beat();
    assert_string_equal(archive_of("0"), "12 7 2");
    partition_settle(partition, 5);
    beat(); /* too soon */
    assert_string_equal(archive_of("0"), "12 7 2");
    wait_until_due();
    beat();
    assert_string_equal(archive_of("0"), "12 7 7");
}

static void test_what_stands_still_is_not_written_again(void **state)
{
    struct partition *partition = *state;

    partition->end = 0;
    beat();
    assert_string_equal(archive_of("0"), "0 0 0");
    freeReplyObject(redisCommand(test.redis, "DEL {test}:archive"));
    /* Nothing moves, so that only health is due, and for that nobody wakes. */
    assert_true(notices_due_us(test.notices) == INT64_MAX);
    freeReplyObject(redisCommand(test.redis, "DEL tweetmesh:health"));
    beat_until_health_has("at_ms");
    assert_string_equal(archive_of("0"), "");
    partition->end = 1;
    assert_true(notices_due_us(test.notices) <= mesh_clock_mono_us() + 1000000);
}

static void test_a_partition_of_which_nothing_is_known_is_left_out(void **state)
{
    (void)state;
    (void)partition_add(&test.topic, 4, -1);
    beat();
    assert_string_equal(archive_of("4"), "");
}

static void test_health_says_what_is_wrong(void **state)
{
    struct partition *partition = *state;

    partition->end = 9;
    beat();
    assert_true(health_has("\"state\":\"ready\",\"ready\":true,\"partitions\":1,\"lag\":9}"));
    test.levels.mongodb = false;
    beat_until_health_has("\"state\":\"MongoDB does not answer\",\"ready\":false");
    test.levels.draining = true;
    beat_until_health_has("\"state\":\"draining\",\"ready\":false");
    notices_end(test.notices, settle_redis(test.settle));
    assert_false(health_has("at_ms"));
}

static void test_a_redis_that_refuses_holds_up_nothing(void **state)
{
    struct partition *partition = *state;

    partition->end = 3;
    freeReplyObject(redisCommand(test.redis, "SET {test}:archive text"));
    beat();
    assert_true(settle_ping(test.settle));
    assert_true(health_has("ready"));
    freeReplyObject(redisCommand(test.redis, "DEL {test}:archive"));
    wait_until_due(); /* tried again, though nothing moved */
    beat();
    assert_string_equal(archive_of("0"), "3 0 0");
}

static void test_a_connection_that_breaks_is_made_anew_and_all_is_told_again(void **state)
{
    struct partition *partition = *state;

    partition->end = 3;
    beat();
    redis_fixture_kill(test.fixture);
    partition->end = 4;
    wait_until_due();
    beat(); /* breaks */
    assert_false(settle_ping(test.settle));
    redis_fixture_start(test.fixture);
    redisFree(test.redis);
    test.redis = redis_fixture_connect(test.fixture);
    for (int i = 0; i < 20000 && strcmp(archive_of("0"), "4 0 0") != 0; i++) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        beat();
    }
    assert_string_equal(archive_of("0"), "4 0 0");
}

static void test_many_partitions_go_in_one_command(void **state)
{
    (void)state;
    for (int32_t i = 1; i < 2000; i++) {
        partition_add(&test.topic, i, i)->end = INT64_MAX;
    }
    beat();
    assert_string_equal(archive_of("1999"), "9223372036854775807 1999 1999");
    redisReply *reply = redisCommand(test.redis, "HLEN {test}:archive");
    assert_int_equal(reply->integer, 2000);
    freeReplyObject(reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_people_see_where_a_partition_is_and_then_where_it_got,
                                        make, drop),
        cmocka_unit_test_setup_teardown(test_what_stands_still_is_not_written_again, make, drop),
        cmocka_unit_test_setup_teardown(test_a_partition_of_which_nothing_is_known_is_left_out,
                                        make, drop),
        cmocka_unit_test_setup_teardown(test_health_says_what_is_wrong, make, drop),
        cmocka_unit_test_setup_teardown(test_a_redis_that_refuses_holds_up_nothing, make, drop),
        cmocka_unit_test_setup_teardown(
            test_a_connection_that_breaks_is_made_anew_and_all_is_told_again, make, drop),
        cmocka_unit_test_setup_teardown(test_many_partitions_go_in_one_command, make, drop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
