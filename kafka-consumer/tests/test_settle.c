/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: rows, holes, duplicates and skipped offsets reach Redis as counts; Redis set back, away or
 * counting another topic is noticed.
 * Method: a real redis-server, read back through mesh_counters_state_read().
 */
#include "cmocka_all.h"
#include "mesh/counters.h"
#include "redis_fixture.h"
#include "settle.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const group_names[] = {"Chile", "Peru", "Unknown"};
static const struct mesh_stream stream = {.name = "test",
                                          .topic = "test",
                                          .count_by = "country",
                                          .group_names = group_names,
                                          .group_count = 3};

static struct {
    struct redis_fixture *fixture;
    redisContext *redis;
    struct topic topic;
    struct partition *partition;
    struct settle *settle;
} test;

static int make(void **state)
{
    (void)state;
    test.fixture = redis_fixture_new(&(struct redis_fixture_options){.append_only = true});
    test.redis = redis_fixture_connect(test.fixture);
    topic_init(&test.topic, &stream, 0, 1);
    test.topic.id = strdup("topic-1");
    test.partition = partition_add(&test.topic, 0, 0);
    test.settle = settle_new(redis_fixture_url(test.fixture), 2000);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    settle_free(test.settle);
    topic_done(&test.topic);
    redisFree(test.redis);
    redis_fixture_free(test.fixture);
    mesh_metrics_done();
    return 0;
}

static struct mesh_counters_state counts(void)
{
    struct mesh_counters_state state = {0};
    struct mesh_error err = {0};

    assert_true(mesh_counters_state_read(test.redis, &stream, &state, &err));
    return state;
}

static void append_many(int64_t first, int64_t count, uint8_t group)
{
    for (int64_t i = first; i < first + count; i++) {
        assert_true(partition_append(test.partition, i, group, false));
    }
}

/* Waits out the pauses between attempts. */
static enum settle_outcome settle_until_not_away(int64_t *out_watermark)
{
    for (int i = 0; i < 20000; i++) {
        enum settle_outcome outcome = settle_partition(test.settle, test.partition, out_watermark);
        if (outcome != SETTLE_AWAY) {
            return outcome;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return SETTLE_AWAY;
}

static void test_redis_away_keeps_the_rows_until_it_is_back(void **state)
{
    (void)state;
    int64_t watermark = 0;

    append_many(0, 10, 1);
    redis_fixture_kill(test.fixture);
    assert_int_equal(settle_partition(test.settle, test.partition, &watermark), SETTLE_AWAY);
    assert_int_equal(test.partition->row_count, 10);
    assert_false(settle_ping(test.settle));
    redis_fixture_start(test.fixture);
    assert_int_equal(settle_until_not_away(&watermark), SETTLE_DONE);
    assert_int_equal(test.partition->row_count, 0);
    assert_int_equal(test.partition->settled, 10);
    redisFree(test.redis);
    test.redis = redis_fixture_connect(test.fixture);
    struct mesh_counters_state after = counts();
    assert_int_equal(after.total, 10);
    mesh_counters_state_done(&after);
}

static void test_redis_emptied_is_noticed_by_the_heartbeat(void **state)
{
    (void)state;
    int64_t watermark = -1;

    append_many(0, 10, 1);
    assert_int_equal(settle_partition(test.settle, test.partition, &watermark), SETTLE_DONE);
    freeReplyObject(redisCommand(test.redis, "FLUSHALL"));
    /* No sooner than a second after the last word. */
    assert_int_equal(settle_partition(test.settle, test.partition, &watermark), SETTLE_DONE);
    test.partition->heartbeat_us -= 2000000;
    assert_int_equal(settle_partition(test.settle, test.partition, &watermark), SETTLE_GAP);
    assert_int_equal(watermark, 0);
}

static void test_one_round_trip_is_the_heartbeat_of_all_partitions(void **state)
{
    (void)state;
    struct partition *second = partition_add(&test.topic, 1, 0);
    int64_t watermark = -1;

    append_many(0, 10, 1);
    assert_int_equal(settle_partition(test.settle, test.partition, &watermark), SETTLE_DONE);
    assert_int_equal(settle_partition(test.settle, second, &watermark), SETTLE_DONE);
    int64_t said_us = second->heartbeat_us;
    second->heartbeat_us -= 2000000;
    settle_heartbeats(test.settle, &test.topic, 1, NULL);
    assert_true(second->heartbeat_us >= said_us);

    freeReplyObject(redisCommand(test.redis, "FLUSHALL"));
    test.partition->heartbeat_us -= 2000000;
    second->heartbeat_us -= 2000000;
    settle_heartbeats(test.settle, &test.topic, 1, NULL);
    /* Nothing was counted of the second, so Redis has lost nothing of it. */
    assert_int_equal(settle_partition(test.settle, test.partition, &watermark), SETTLE_GAP);
    assert_int_equal(watermark, 0);
    assert_int_equal(settle_partition(test.settle, second, &watermark), SETTLE_DONE);
}

static void test_heartbeats_to_a_redis_that_is_away_do_no_harm(void **state)
{
    (void)state;
    int64_t watermark = -1;

    append_many(0, 10, 1);
    assert_int_equal(settle_partition(test.settle, test.partition, &watermark), SETTLE_DONE);
    test.partition->heartbeat_us -= 2000000;
    redis_fixture_kill(test.fixture);
    settle_heartbeats(test.settle, &test.topic, 1, NULL);
    assert_int_equal(settle_partition(test.settle, test.partition, &watermark), SETTLE_AWAY);
    redis_fixture_start(test.fixture);
    /* It came back empty or not; whatever it knows is what we hear. */
    assert_int_not_equal(settle_until_not_away(&watermark), SETTLE_AWAY);
}

static void test_counts_of_another_topic_are_left_alone(void **state)
{
    (void)state;
    int64_t watermark = 0;

    append_many(0, 3, 0);
    assert_int_equal(settle_partition(test.settle, test.partition, &watermark), SETTLE_DONE);
    free(test.topic.id);
    test.topic.id = strdup("topic-2");
    append_many(3, 3, 0);
    assert_int_equal(settle_partition(test.settle, test.partition, &watermark), SETTLE_OTHER_TOPIC);
    assert_int_equal(test.partition->row_count, 3);
    struct mesh_counters_state after = counts();
    assert_int_equal(after.total, 3);
    mesh_counters_state_done(&after);
}

static void test_nothing_is_said_before_the_topic_is_known(void **state)
{
    (void)state;
    int64_t watermark = 0;

    free(test.topic.id);
    test.topic.id = NULL;
    append_many(0, 3, 0);
    assert_int_equal(settle_partition(test.settle, test.partition, &watermark), SETTLE_DONE);
    assert_int_equal(test.partition->row_count, 3);
}

static void test_holes_poison_and_duplicates_count_nothing(void **state)
{
    (void)state;
    int64_t watermark = 0;

    assert_true(partition_append(test.partition, 0, 0, false));
    assert_true(partition_append(test.partition, 1, MESH_GROUP_NOT_COUNTED, false));
    assert_true(partition_append(test.partition, 2, 0, true));
    assert_true(partition_append(test.partition, 7, 1, false)); /* 3 to 6: no records */
    assert_int_equal(settle_partition(test.settle, test.partition, &watermark), SETTLE_DONE);
    struct mesh_counters_state after = counts();
    assert_int_equal(after.total, 2);
    assert_int_equal(after.counts[0], 1);
    assert_int_equal(after.counts[1], 1);
    assert_int_equal(after.duplicates, 1);
    assert_int_equal(after.not_counted, 5);
    assert_int_equal(after.watermarks[0], 8);
    mesh_counters_state_done(&after);
}

static void test_many_rows_take_more_than_one_turn(void **state)
{
    (void)state;
    int64_t watermark = 0;
    const int64_t many = (int64_t)MESH_COUNTERS_RANGE_MAX * 70 + 5;

    append_many(0, many, 2);
    assert_int_equal(settle_partition(test.settle, test.partition, &watermark), SETTLE_MORE);
    assert_true(test.partition->row_count > 0);
    assert_int_equal(settle_partition(test.settle, test.partition, &watermark), SETTLE_DONE);
    struct mesh_counters_state after = counts();
    assert_int_equal(after.total, many);
    mesh_counters_state_done(&after);
    assert_true(test.partition->swept > 0);
}

static void test_what_is_skipped_is_settled_as_nothing(void **state)
{
    (void)state;
    int64_t watermark = 0;

    append_many(0, 2, 0);
    partition_skip(test.partition, 10000);
    assert_int_equal(settle_partition(test.settle, test.partition, &watermark), SETTLE_DONE);
    assert_int_equal(test.partition->settled, 10000);
    assert_int_equal(test.partition->next, 10000);
    assert_int_equal(test.partition->skip_until, -1);
    struct mesh_counters_state after = counts();
    assert_int_equal(after.total, 2);
    assert_int_equal(after.not_counted, 9998);
    mesh_counters_state_done(&after);
}

static void test_the_hashes_for_people_follow(void **state)
{
    (void)state;
    int64_t watermark = 0;

    append_many(0, 4, 1);
    assert_int_equal(settle_partition(test.settle, test.partition, &watermark), SETTLE_DONE);
    assert_true(test.topic.dirty);
    settle_show(test.settle, &test.topic, 1);
    assert_false(test.topic.dirty);
    redisReply *reply = redisCommand(test.redis, "HGET {test}:country Peru");
    assert_non_null(reply);
    assert_string_equal(reply->str, "4");
    freeReplyObject(reply);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_redis_away_keeps_the_rows_until_it_is_back),
        CASE(test_redis_emptied_is_noticed_by_the_heartbeat),
        CASE(test_one_round_trip_is_the_heartbeat_of_all_partitions),
        CASE(test_heartbeats_to_a_redis_that_is_away_do_no_harm),
        CASE(test_counts_of_another_topic_are_left_alone),
        CASE(test_nothing_is_said_before_the_topic_is_known),
        CASE(test_holes_poison_and_duplicates_count_nothing),
        CASE(test_many_rows_take_more_than_one_turn),
        CASE(test_what_is_skipped_is_settled_as_nothing),
        CASE(test_the_hashes_for_people_follow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
