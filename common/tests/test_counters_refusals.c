/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what cannot be counted right is refused with a reason, and nothing is written.
 * Method: a real redis-server; raw calls with one argument wrong each, keys of other types, a state
 * that was damaged, ranges out of order.
 */
#include "cmocka_all.h"
#include "counters_fixture.h"

#include <string.h>

/* Calls the function with these raw arguments; it must answer an error and write nothing. */
static void assert_refused(int argc, const char **argv, const char *reason)
{
    uint64_t before = state_digest();
    unsigned long long writes = writes_so_far();
    redisReply *reply = redisCommandArgv(test.redis, argc, argv, NULL);
    assert_non_null(reply);
    if (reply->type != REDIS_REPLY_ERROR || strstr(reply->str, reason) == NULL) {
        fail_msg("%s %s: wanted \"%s\", got \"%s\"", argv[1], argc > 4 ? argv[4] : "", reason,
                 reply->str == NULL ? "no error" : reply->str);
    }
    freeReplyObject(reply);
    assert_int_equal(writes_so_far(), writes);
    assert_int_equal(state_digest(), before);
}

static void test_garbage_arguments_are_refused(void **state)
{
    (void)state;
    static const char *const a = "tweetmesh_apply";
    static const char *const m = "tweetmesh_apply_many";
    static const char *const s = "tweetmesh_settle";
    static const char *const w = "tweetmesh_sweep";
    static const char *const r = "tweetmesh_restore";
    static const struct {
        const char *reason;
        const char *argv[13];
    } cases[] = {
        {"key", {a, "0"}},
        {"key", {a, "2", STATE, "b"}},
        {"offsets", {a, "1", STATE}},
        {"offsets", {a, "1", STATE, "0"}},
        {"offsets", {a, "1", STATE, "0", "0"}},
        {"partition", {a, "1", STATE, "x", "0", "\1", "n"}},
        {"partition", {a, "1", STATE, "-1", "0", "\1", "n"}},
        {"partition", {a, "1", STATE, "2000", "0", "\1", "n"}},
        {"partition", {a, "1", STATE, "1e1", "0", "\1", "n"}},
        {"partition", {a, "1", STATE, "", "0", "\1", "n"}},
        {"first offset", {a, "1", STATE, "0", "1.5", "\1", "n"}},
        {"first offset", {a, "1", STATE, "0", "nan", "\1", "n"}},
        {"first offset", {a, "1", STATE, "0", "0x10", "\1", "n"}},
        {"first offset", {a, "1", STATE, "0", "9007199254740993", "\1", "n"}},
        {"first offset", {a, "1", STATE, "0", "18446744073709551615", "\1", "n"}},
        {"no name", {a, "1", STATE, "0", "0", "\1", "only name 0"}},
        {"key", {m, "0"}},
        {"number of ranges", {m, "1", STATE}},
        {"number of ranges", {m, "1", STATE, "65"}},
        {"offsets", {m, "1", STATE, "1"}},
        {"offsets", {m, "1", STATE, "2", "0", "0", "\1", "1", "0"}},
        {"partition", {m, "1", STATE, "2", "0", "0", "\1", "x", "0", "\1", "n", "m"}},
        {"first offset", {m, "1", STATE, "2", "0", "0", "\1", "1", "y", "\1", "n", "m"}},
        {"no name", {m, "1", STATE, "2", "0", "0", "", "1", "0", "\1", "only name 0"}},
        {"key", {s, "0"}},
        {"offsets", {s, "1", STATE, "0", "0", TOPIC}},
        {"topic id", {s, "1", STATE, "0", "0", TOPIC, "\1"}},
        {"topic id", {s, "1", STATE, "0", "0", TOPIC, "\1", "\1\1", "n", "m"}},
        {"topic id", {s, "1", STATE, "0", "0", "", "\1", "\1", "n", "m"}},
        {"0 or 1", {s, "1", STATE, "0", "0", TOPIC, "\1", "\2", "n", "m"}},
        {"has a name", {s, "1", STATE, "0", "0", TOPIC, "\377", "\1", "n", "m"}},
        {"has a name", {s, "1", STATE, "0", "0", TOPIC, "\2", "\1", "n", "m"}},
        {"group names", {"tweetmesh_show_groups", "2", STATE, "{test}:country"}},
        {"key", {"tweetmesh_show_groups", "1", STATE, "name"}},
        {"key", {"tweetmesh_show_totals", "1", STATE}},
        {"key", {r, "1", STATE}},
        {"number of fields", {r, "2", "{test}:copy", STATE}},
        {"number of fields", {r, "2", "{test}:copy", STATE, TOPIC, "-1", "0"}},
        {"partition", {r, "2", "{test}:copy", STATE, TOPIC, "5"}},
        {"partition", {r, "2", "{test}:copy", STATE, TOPIC, "5", "2000"}},
        {"partition", {r, "2", "{test}:copy", STATE, TOPIC, "5", "forced"}},
        {"not whole", {r, "2", "{test}:copy", STATE, TOPIC, "5", "0"}},
        {"not whole", {r, "2", "{test}:copy", STATE, TOPIC, "5", "force"}},
        {"another topic", {r, "2", "{test}:copy", STATE, TOPIC, "0", "force"}},
        {"key", {w, "0"}},
        {"partition", {w, "1", STATE}},
        {"first offset", {w, "1", STATE, "0"}},
        {"first offset", {w, "1", STATE, "0", "-5"}},
    };
    for (size_t i = 0; i < MESH_COUNT_OF(cases); i++) {
        const char *argv[16] = {"FCALL"};
        int argc = 1;
        while (cases[i].argv[argc - 1] != NULL) {
            argv[argc] = cases[i].argv[argc - 1];
            argc++;
        }
        assert_refused(argc, argv, cases[i].reason);
    }
}

static void test_too_many_offsets_or_names_are_refused(void **state)
{
    (void)state;
    static char groups[MESH_COUNTERS_RANGE_MAX + 2];
    memset(groups, 1, MESH_COUNTERS_RANGE_MAX + 1);
    const char *argv[300] = {"FCALL", "tweetmesh_apply", "1", STATE, "0", "0", groups, "n", "m"};
    assert_refused(9, argv, "up to 4096 offsets");
    groups[1] = '\0';
    for (size_t i = 7; i < 7 + 255; i++) {
        argv[i] = "n";
    }
    assert_refused(7 + 255, argv, "up to 254 group names");
    static char half[MESH_COUNTERS_RANGE_MAX / 2 + 2];
    memset(half, 1, sizeof(half) - 1);
    const char *many[] = {
        "FCALL", "tweetmesh_apply_many", "1", STATE, "2", "0", "0", half, "1", "0", half, "n", "m"};
    assert_refused((int)MESH_COUNT_OF(many), many, "up to 4096 offsets");
}

static void test_keys_of_another_type_are_a_clear_error(void **state)
{
    (void)state;
    struct mesh_counters_reply reply;
    struct mesh_error err = {0};
    counters_apply(0, "012");

    redis_run("SET {test}:country text");
    mesh_counters_show_groups(test.command, &counters_stream);
    assert_false(mesh_counters_call(test.redis, test.command, &reply, &err));
    assert_int_equal(reply.outcome, MESH_COUNTERS_FAILED);
    assert_int_equal(err.code, MESH_FAILED_PRECONDITION);

    redis_run("SET " STATE " text");
    mesh_counters_show_totals(test.command, &counters_stream);
    assert_false(mesh_counters_call(test.redis, test.command, &reply, &err));
    assert_int_equal(err.code, MESH_FAILED_PRECONDITION);
    mesh_counters_sweep(test.command, counters_stream.name, 0, 0);
    assert_false(mesh_counters_call(test.redis, test.command, &reply, &err));
    assert_int_equal(err.code, MESH_FAILED_PRECONDITION);
    struct mesh_counters_state counters;
    assert_false(mesh_counters_state_read(test.redis, &counters_stream, &counters, &err));
    assert_int_equal(err.code, MESH_FAILED_PRECONDITION);
}

static void test_damaged_state_is_an_error_not_a_count(void **state)
{
    (void)state;
    static const char *const fields[] = {"w:0", "total", "c:Chile"};
    for (size_t i = 0; i < MESH_COUNT_OF(fields); i++) {
        redis_run("DEL " STATE);
        redis_run("HSET " STATE " %s twelve", fields[i]);
        const char *argv[] = {"FCALL", "tweetmesh_apply", "1", STATE, "0", "0", "\1", "n", "Chile"};
        assert_refused((int)MESH_COUNT_OF(argv), argv, "damaged");
        struct mesh_counters_state counters;
        struct mesh_error err = {0};
        assert_false(mesh_counters_state_read(test.redis, &counters_stream, &counters, &err));
        assert_int_equal(err.code, MESH_DATA_LOSS);
    }
    redis_run("DEL " STATE);
    redis_run("HSET " STATE " b:0:0 short");
    const char *argv[] = {"FCALL", "tweetmesh_apply", "1", STATE, "0", "0", "\1", "n", "Chile"};
    assert_refused((int)MESH_COUNT_OF(argv), argv, "damaged");
}

static void test_settle_above_the_watermark_is_a_gap_and_writes_nothing(void **state)
{
    (void)state;
    counters_settle(0, "012", NULL);
    uint64_t before = state_digest();
    unsigned long long writes = writes_so_far();
    struct mesh_counters_reply reply = counters_settle(4, "0", NULL);
    assert_int_equal(reply.outcome, MESH_COUNTERS_GAP);
    assert_int_equal(reply.watermark, 3);
    reply = counters_settle(4, "", NULL); /* the heartbeat of an idle consumer */
    assert_int_equal(reply.outcome, MESH_COUNTERS_GAP);
    assert_int_equal(reply.watermark, 3);
    assert_int_equal(writes_so_far(), writes);
    assert_int_equal(state_digest(), before);
}

static void test_settle_of_another_topic_is_told_and_writes_nothing(void **state)
{
    (void)state;
    counters_settle(0, "012", NULL);
    redis_run("HSET " STATE " topic topic-id-0");
    uint64_t before = state_digest();
    struct mesh_counters_reply reply = counters_settle(3, "0", NULL);
    assert_int_equal(reply.outcome, MESH_COUNTERS_OTHER_TOPIC);
    assert_int_equal(counters_settle(100, "", NULL).outcome, MESH_COUNTERS_OTHER_TOPIC);
    assert_int_equal(state_digest(), before);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, counters_empty)
    const struct CMUnitTest tests[] = {
        CASE(test_garbage_arguments_are_refused),
        CASE(test_too_many_offsets_or_names_are_refused),
        CASE(test_keys_of_another_type_are_a_clear_error),
        CASE(test_damaged_state_is_an_error_not_a_count),
        CASE(test_settle_above_the_watermark_is_a_gap_and_writes_nothing),
        CASE(test_settle_of_another_topic_is_told_and_writes_nothing),
    };
#undef CASE
    return cmocka_run_group_tests(tests, counters_start, counters_stop);
}
