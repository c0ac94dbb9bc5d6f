/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a copy that is put back is the state as it was, by one write; a copy that knows less, is
 * not whole, is damaged or of another topic changes nothing. Method: a real redis-server; states
 * made by hints and settling, by hand where they must be wrong.
 */
#include "cmocka_all.h"
#include "counters_fixture.h"
#include "mesh/alloc.h"
#include "mesh/counters_copy.h"

#include <stdlib.h>
#include <string.h>

static struct mesh_counters_copy copy_take(void)
{
    struct mesh_counters_copy copy = {0};
    struct mesh_error err = {0};
    assert_true(mesh_counters_copy_take(test.redis, counters_stream.name, &copy, &err));
    return copy;
}

static char *upload(const struct mesh_counters_copy *copy)
{
    struct mesh_error err = {0};
    char *key = NULL;
    assert_true(mesh_counters_copy_upload(test.redis, counters_stream.name, copy, &key, &err));
    return key;
}

static bool install_key(const char *key, size_t field_count, const char *topic, bool forced,
                        struct mesh_counters_reply *out, struct mesh_error *err)
{
    const struct mesh_counters_restoration how = {.copy_key = key,
                                                  .field_count = field_count,
                                                  .topic_id = topic,
                                                  .partition = 0,
                                                  .forced = forced};
    return mesh_counters_copy_install(test.redis, counters_stream.name, &how, out, err);
}

/* Uploads and installs for partition 0. */
static struct mesh_counters_reply put_back(const struct mesh_counters_copy *copy)
{
    struct mesh_counters_reply reply = {0};
    struct mesh_error err = {0};
    char *key = upload(copy);
    if (!install_key(key, copy->count, TOPIC, false, &reply, &err)) {
        fail_msg("%s", err.text);
    }
    free(key);
    return reply;
}

static long long integer(const char *command, const char *key)
{
    redisReply *reply = redis_ask("%s %s", command, key);
    long long value = reply->type == REDIS_REPLY_INTEGER ? reply->integer : -1000;
    freeReplyObject(reply);
    return value;
}

static void assert_no_copies_left(void)
{
    redisReply *reply = redis_ask("KEYS *restoring*");
    assert_int_equal(reply->elements, 0);
    freeReplyObject(reply);
}

/* 5 settled, 7 and 9 applied. */
static void state_make(void)
{
    counters_settle(0, "0012x", "00001");
    counters_apply(7, "3-1");
}

static void test_a_copy_brings_the_state_back_hints_and_all(void **state)
{
    (void)state;
    state_make();
    uint64_t digest = state_digest();
    struct mesh_counters_copy copy = copy_take();
    redis_run("FLUSHALL");
    counters_apply(20, "222"); /* hints since the loss go: they will be settled */
    struct mesh_counters_reply reply = put_back(&copy);
    assert_int_equal(reply.outcome, MESH_COUNTERS_DONE);
    assert_int_equal(reply.watermark, 5);
    assert_int_equal(reply.counted, 3); /* 6 in place of 3 */
    assert_int_equal(state_digest(), digest);
    assert_int_equal(integer("TTL", STATE), -1); /* it would vanish otherwise */
    assert_no_copies_left();
    assert_int_equal(counters_settle(5, "00303", NULL).counted, 3); /* 7 and 9 were applied */
    mesh_counters_copy_done(&copy);
}

static void test_restoring_is_one_write(void **state)
{
    (void)state;
    state_make();
    struct mesh_counters_copy copy = copy_take();
    redis_run("DEL " STATE);
    char *key = upload(&copy);
    redis_run("PERSIST %s", key);
    unsigned long long before = writes_so_far();
    mesh_counters_restore(test.command, counters_stream.name,
                          &(struct mesh_counters_restoration){
                              .copy_key = key, .field_count = copy.count, .topic_id = TOPIC});
    assert_int_equal(counters_call().outcome, MESH_COUNTERS_DONE);
    assert_int_equal(writes_so_far(), before + 1);
    free(key);
    mesh_counters_copy_done(&copy);
}

static void test_a_copy_that_waits_too_long_vanishes(void **state)
{
    (void)state;
    state_make();
    struct mesh_counters_copy copy = copy_take();
    char *key = upload(&copy);
    long long seconds = integer("TTL", key);
    assert_true(seconds > 0 && seconds <= 3600);
    redis_run("DEL %s", key);
    free(key);
    mesh_counters_copy_done(&copy);
}

static void test_a_state_that_knows_more_stays(void **state)
{
    (void)state;
    state_make();
    struct mesh_counters_copy copy = copy_take();
    uint64_t digest = state_digest();
    assert_int_equal(put_back(&copy).outcome, MESH_COUNTERS_AHEAD); /* as far as the copy */
    counters_settle(5, "00", NULL);
    struct mesh_counters_reply reply = put_back(&copy);
    assert_int_equal(reply.outcome, MESH_COUNTERS_AHEAD);
    assert_int_equal(reply.watermark, 7);
    assert_int_not_equal(state_digest(), digest);
    /* This partition is behind, but others would lose more than it wins. */
    redis_run("HSET " STATE " w:0 2 w:1 1000 partitions 2");
    assert_int_equal(put_back(&copy).outcome, MESH_COUNTERS_AHEAD);
    assert_no_copies_left();
    mesh_counters_copy_done(&copy);
}

static void test_another_partition_may_be_set_back_by_less_than_is_won(void **state)
{
    (void)state;
    state_make();
    struct mesh_counters_copy copy = copy_take();
    redis_run("FLUSHALL");
    redis_run("HSET " STATE " w:1 2 partitions 2 c:Peru 2 total 2 topic " TOPIC);
    assert_int_equal(put_back(&copy).outcome, MESH_COUNTERS_DONE);
    assert_field(STATE, "w:1", NULL);
    assert_field(STATE, "w:0", "5");
    mesh_counters_copy_done(&copy);
}

static void test_a_rebuilt_state_beats_what_was_before(void **state)
{
    (void)state;
    state_make();
    struct mesh_counters_copy copy = copy_take();
    redis_run("HSET " STATE " recounts 1 w:0 2");
    assert_int_equal(put_back(&copy).outcome, MESH_COUNTERS_AHEAD);
    mesh_counters_copy_add_number(&copy, "recounts", 2);
    redis_run("HSET " STATE " w:0 100");
    assert_int_equal(put_back(&copy).outcome, MESH_COUNTERS_DONE);
    assert_field(STATE, "w:0", "5");
    mesh_counters_copy_done(&copy);
}

static void test_counts_of_another_topic_are_not_replaced(void **state)
{
    (void)state;
    struct mesh_counters_reply reply = {0};
    struct mesh_error err = {0};
    state_make();
    struct mesh_counters_copy copy = copy_take();
    redis_run("HSET " STATE " topic other w:0 1");
    assert_int_equal(put_back(&copy).outcome, MESH_COUNTERS_OTHER_TOPIC);
    assert_field(STATE, "topic", "other");
    char *key = upload(&copy);
    assert_false(install_key(key, copy.count, "third", false, &reply, &err));
    assert_non_null(strstr(err.text, "another topic"));
    assert_no_copies_left();
    free(key);
    mesh_counters_copy_done(&copy);
}

static void test_half_a_copy_is_refused(void **state)
{
    (void)state;
    struct mesh_counters_reply reply = {0};
    struct mesh_error err = {0};
    state_make();
    struct mesh_counters_copy copy = copy_take();
    redis_run("DEL " STATE);
    char *key = upload(&copy);
    redis_run("HDEL %s c:Peru", key);
    assert_false(install_key(key, copy.count, TOPIC, false, &reply, &err));
    assert_non_null(strstr(err.text, "not whole"));
    assert_false(install_key(key, copy.count, TOPIC, true, &reply, &err)); /* it is gone */
    assert_int_equal(integer("EXISTS", STATE), 0);
    free(key);
    mesh_counters_copy_done(&copy);
}

static void test_force_replaces_whatever_is_there(void **state)
{
    (void)state;
    static const char *const before[] = {"SET " STATE " text", "HSET " STATE " total many w:0 x",
                                         "HSET " STATE " topic other recounts 9 w:0 100",
                                         "SADD " STATE " a b c"};
    state_make();
    uint64_t digest = state_digest();
    struct mesh_counters_copy copy = copy_take();
    for (size_t i = 0; i < MESH_COUNT_OF(before); i++) {
        struct mesh_counters_reply reply = {0};
        struct mesh_error err = {0};
        redis_run("DEL " STATE);
        freeReplyObject(redisCommand(test.redis, before[i]));
        char *key = upload(&copy);
        assert_true(install_key(key, copy.count, TOPIC, true, &reply, &err));
        assert_int_equal(reply.outcome, MESH_COUNTERS_DONE);
        assert_int_equal(state_digest(), digest);
        free(key);
    }
    mesh_counters_copy_done(&copy);
}

static void test_a_big_copy_goes_in_several_parts(void **state)
{
    (void)state;
    struct mesh_counters_copy copy = {0};
    mesh_counters_copy_add(&copy, "topic", mesh_bytes_of_text(TOPIC));
    mesh_counters_copy_add_number(&copy, "partitions", MESH_COUNTERS_PARTITION_COUNT_MAX);
    mesh_counters_copy_add_number(&copy, "total", 0);
    for (size_t i = 0; i < MESH_COUNTERS_PARTITION_COUNT_MAX; i++) {
        char *name = mesh_format("w:%zu", i);
        mesh_counters_copy_add_number(&copy, name, 4503599627370);
        free(name);
    }
    struct mesh_counters_reply reply = put_back(&copy);
    assert_int_equal(reply.outcome, MESH_COUNTERS_DONE);
    assert_int_equal(reply.watermark, 4503599627370);
    assert_int_equal(integer("HLEN", STATE), (long long)copy.count);
    mesh_counters_copy_done(&copy);
}

static void test_damaged_copies_have_no_summary(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *value;
    } wrong[] = {{"total", "8"},  {"total", "-6"},    {"total", ""},
                 {"w:0", "1.5"},  {"c:Peru", "many"}, {"w:x", "1"},
                 {"w:2000", "1"}, {"topic", ""},      {"duplicates", "0x"}};
    for (size_t i = 0; i < MESH_COUNT_OF(wrong); i++) {
        struct mesh_counters_summary summary = {0};
        struct mesh_error err = {0};
        redis_run("DEL " STATE);
        state_make();
        redis_run("HSET " STATE " %s %s", wrong[i].name, wrong[i].value);
        struct mesh_counters_copy copy = copy_take();
        assert_false(mesh_counters_copy_summary(&copy, &summary, &err));
        assert_int_equal(err.code, MESH_DATA_LOSS);
        mesh_counters_copy_done(&copy);
    }
    struct mesh_counters_copy none = {0};
    struct mesh_counters_summary summary = {0};
    struct mesh_error err = {0};
    assert_false(mesh_counters_copy_summary(&none, &summary, &err));
}

static void test_what_may_follow_never_goes_back(void **state)
{
    (void)state;
    uint64_t low[] = {5, 5};
    uint64_t high[] = {9, 5, 1};
    uint64_t mixed[] = {99, 4};
    struct mesh_counters_summary stored = {
        .topic_id = "a", .recounts = 1, .watermarks = low, .watermark_count = 2};
    struct mesh_counters_summary next = {
        .topic_id = "a", .recounts = 1, .watermarks = high, .watermark_count = 3};
    assert_true(mesh_counters_summary_may_follow(&stored, &next));
    assert_true(mesh_counters_summary_may_follow(&stored, &stored));
    assert_false(mesh_counters_summary_may_follow(&next, &stored));
    struct mesh_counters_summary other = next;
    other.watermarks = mixed;
    other.watermark_count = 2;
    assert_false(mesh_counters_summary_may_follow(&stored, &other));
    other.recounts = 2;
    assert_true(mesh_counters_summary_may_follow(&stored, &other));
    next.recounts = 0;
    assert_false(mesh_counters_summary_may_follow(&stored, &next));
    next.topic_id = "b";
    assert_true(mesh_counters_summary_may_follow(&stored, &next));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, counters_empty)
    const struct CMUnitTest tests[] = {
        CASE(test_a_copy_brings_the_state_back_hints_and_all),
        CASE(test_restoring_is_one_write),
        CASE(test_a_copy_that_waits_too_long_vanishes),
        CASE(test_a_state_that_knows_more_stays),
        CASE(test_another_partition_may_be_set_back_by_less_than_is_won),
        CASE(test_a_rebuilt_state_beats_what_was_before),
        CASE(test_counts_of_another_topic_are_not_replaced),
        CASE(test_half_a_copy_is_refused),
        CASE(test_force_replaces_whatever_is_there),
        CASE(test_a_big_copy_goes_in_several_parts),
        CASE(test_damaged_copies_have_no_summary),
        CASE(test_what_may_follow_never_goes_back),
    };
#undef CASE
    return cmocka_run_group_tests(tests, counters_start, counters_stop);
}
