/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the counters equal the distinct events in Kafka whatever happens, are never above the
 * records, and every function makes at most one write command.
 * Method: a real redis-server. Refusals first, then each function, then a seeded random schedule
 * against a model of Kafka, the archive and the consumer: hints lost, doubled, reordered and
 * overlapping; duplicates, poison, redelivery; FLUSHALL, kill -9 and a torn AOF; sweeps.
 */
#include "cmocka_all.h"
#include "mesh/alloc.h"
#include "mesh/counters.h"
#include "mesh/redis.h"
#include "redis_fixture.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define TOPIC "topic-id-1"
#define STATE "{test}:state"

static const char *const group_names[] = {"Chile", "C\xc3\xb4te d'Ivoire", "Peru", "Unknown"};

static const struct mesh_stream stream = {
    .name = "test",
    .count_by = "country",
    .group_names = group_names,
    .group_count = MESH_COUNT_OF(group_names),
};

/* ---- helpers: one connection and one command object for all cases ---- */

static struct {
    struct redis_fixture *fixture;
    redisContext *redis;
    struct mesh_counters_command *command;
} test;

static int start_redis(void **state)
{
    (void)state;
    test.fixture = redis_fixture_new(&(struct redis_fixture_options){.append_only = true});
    test.redis = redis_fixture_connect(test.fixture);
    test.command = mesh_counters_command_new();
    return 0;
}

static int stop_redis(void **state)
{
    (void)state;
    mesh_counters_command_free(test.command);
    redisFree(test.redis);
    redis_fixture_free(test.fixture);
    return 0;
}

MESH_PRINTF(1, 2)
static redisReply *ask(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisReply *reply = redisvCommand(test.redis, format, args);
    va_end(args);
    assert_non_null(reply);
    return reply;
}

MESH_PRINTF(1, 2)
static void run(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisReply *reply = redisvCommand(test.redis, format, args);
    va_end(args);
    assert_non_null(reply);
    assert_int_not_equal(reply->type, REDIS_REPLY_ERROR);
    freeReplyObject(reply);
}

static int empty_redis(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    run("FLUSHALL");
    assert_true(mesh_counters_load(test.redis, &err));
    return 0;
}

static struct mesh_counters_reply call(void)
{
    struct mesh_counters_reply reply;
    struct mesh_error err = {0};
    if (!mesh_counters_call(test.redis, test.command, &reply, &err)) {
        fail_msg("%s", err.text);
    }
    return reply;
}

/* Groups as digits, 'x' for NOT_COUNTED, '-' for HOLE; duplicates as '0' and '1'. */
static struct mesh_counters_reply range_call(bool settle, uint64_t first, const char *groups,
                                             const char *duplicates)
{
    uint8_t group_bytes[MESH_COUNTERS_RANGE_MAX];
    uint8_t duplicate_bytes[MESH_COUNTERS_RANGE_MAX] = {0};
    size_t count = strlen(groups);
    for (size_t i = 0; i < count; i++) {
        group_bytes[i] = groups[i] == 'x'   ? MESH_GROUP_NOT_COUNTED
                         : groups[i] == '-' ? MESH_GROUP_HOLE
                                            : (uint8_t)(groups[i] - '0');
        duplicate_bytes[i] = duplicates != NULL && duplicates[i] == '1';
    }
    struct mesh_counters_range range = {
        .stream = stream.name,
        .partition = 0,
        .first_offset = first,
        .count = count,
        .groups = group_bytes,
        .group_names = group_names,
        .group_count = MESH_COUNT_OF(group_names),
        .duplicates = duplicate_bytes,
        .topic_id = TOPIC,
    };
    if (settle) {
        mesh_counters_settle(test.command, &range);
    } else {
        mesh_counters_apply(test.command, &range);
    }
    return call();
}

static struct mesh_counters_reply apply(uint64_t first, const char *groups)
{
    return range_call(false, first, groups, NULL);
}

static struct mesh_counters_reply settle(uint64_t first, const char *groups, const char *duplicates)
{
    return range_call(true, first, groups, duplicates);
}

static void assert_hash(const char *key, const char *field, const char *value)
{
    redisReply *reply = ask("HGET %s %s", key, field);
    if (value == NULL) {
        assert_int_equal(reply->type, REDIS_REPLY_NIL);
    } else {
        assert_int_equal(reply->type, REDIS_REPLY_STRING);
        assert_string_equal(reply->str, value);
    }
    freeReplyObject(reply);
}

/* How often Redis has run a write command since the start, from INFO commandstats. */
static unsigned long long writes_so_far(void)
{
    static const char *const commands[] = {"hset", "hdel",  "del",  "set",   "hincrby",
                                           "incr", "multi", "exec", "hmset", "hsetnx"};
    redisReply *reply = ask("INFO commandstats");
    unsigned long long writes = 0;
    for (size_t i = 0; i < MESH_COUNT_OF(commands); i++) {
        char *name = mesh_format("cmdstat_%s:calls=", commands[i]);
        const char *at = strstr(reply->str, name);
        writes += at == NULL ? 0 : strtoull(at + strlen(name), NULL, 10);
        free(name);
    }
    freeReplyObject(reply);
    return writes;
}

static uint64_t bytes_of_state(void)
{
    redisReply *reply = ask("DEBUG DIGEST-VALUE %s", STATE);
    uint64_t hash = 14695981039346656037U;
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->element[0]->len; i++) {
        hash = (hash ^ (uint8_t)reply->element[0]->str[i]) * 1099511628211U;
    }
    freeReplyObject(reply);
    return hash;
}

/* ---- refusals ---- */

/* Calls the function with these raw arguments; it must answer an error and write nothing. */
static void assert_refused(int argc, const char **argv, const char *reason)
{
    uint64_t before = bytes_of_state();
    unsigned long long writes = writes_so_far();
    redisReply *reply = redisCommandArgv(test.redis, argc, argv, NULL);
    assert_non_null(reply);
    if (reply->type != REDIS_REPLY_ERROR || strstr(reply->str, reason) == NULL) {
        fail_msg("%s %s: wanted \"%s\", got \"%s\"", argv[1], argc > 4 ? argv[4] : "", reason,
                 reply->str == NULL ? "no error" : reply->str);
    }
    freeReplyObject(reply);
    assert_int_equal(writes_so_far(), writes);
    assert_int_equal(bytes_of_state(), before);
}

static void test_garbage_arguments_are_refused(void **state)
{
    (void)state;
    static const char *const a = "tweetmesh_apply";
    static const char *const s = "tweetmesh_settle";
    static const char *const w = "tweetmesh_sweep";
    static const struct {
        const char *reason;
        const char *argv[12];
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
}

static void test_keys_of_another_type_are_a_clear_error(void **state)
{
    (void)state;
    struct mesh_counters_reply reply;
    struct mesh_error err = {0};
    apply(0, "012");

    run("SET {test}:country text");
    mesh_counters_show_groups(test.command, &stream);
    assert_false(mesh_counters_call(test.redis, test.command, &reply, &err));
    assert_int_equal(reply.outcome, MESH_COUNTERS_FAILED);
    assert_int_equal(err.code, MESH_FAILED_PRECONDITION);

    run("SET " STATE " text");
    mesh_counters_show_totals(test.command, &stream);
    assert_false(mesh_counters_call(test.redis, test.command, &reply, &err));
    assert_int_equal(err.code, MESH_FAILED_PRECONDITION);
    mesh_counters_sweep(test.command, stream.name, 0, 0);
    assert_false(mesh_counters_call(test.redis, test.command, &reply, &err));
    assert_int_equal(err.code, MESH_FAILED_PRECONDITION);
    struct mesh_counters_state counters;
    assert_false(mesh_counters_state_read(test.redis, &stream, &counters, &err));
    assert_int_equal(err.code, MESH_FAILED_PRECONDITION);
}

static void test_damaged_state_is_an_error_not_a_count(void **state)
{
    (void)state;
    static const char *const fields[] = {"w:0", "total", "c:Chile"};
    for (size_t i = 0; i < MESH_COUNT_OF(fields); i++) {
        run("DEL " STATE);
        run("HSET " STATE " %s twelve", fields[i]);
        const char *argv[] = {"FCALL", "tweetmesh_apply", "1", STATE, "0", "0", "\1", "n", "Chile"};
        assert_refused((int)MESH_COUNT_OF(argv), argv, "damaged");
        struct mesh_counters_state counters;
        struct mesh_error err = {0};
        assert_false(mesh_counters_state_read(test.redis, &stream, &counters, &err));
        assert_int_equal(err.code, MESH_DATA_LOSS);
    }
    run("DEL " STATE);
    run("HSET " STATE " b:0:0 short");
    const char *argv[] = {"FCALL", "tweetmesh_apply", "1", STATE, "0", "0", "\1", "n", "Chile"};
    assert_refused((int)MESH_COUNT_OF(argv), argv, "damaged");
}

static void test_settle_above_the_watermark_is_a_gap_and_writes_nothing(void **state)
{
    (void)state;
    settle(0, "012", NULL);
    uint64_t before = bytes_of_state();
    unsigned long long writes = writes_so_far();
    struct mesh_counters_reply reply = settle(4, "0", NULL);
    assert_int_equal(reply.outcome, MESH_COUNTERS_GAP);
    assert_int_equal(reply.watermark, 3);
    reply = settle(4, "", NULL); /* the heartbeat of an idle consumer */
    assert_int_equal(reply.outcome, MESH_COUNTERS_GAP);
    assert_int_equal(reply.watermark, 3);
    assert_int_equal(writes_so_far(), writes);
    assert_int_equal(bytes_of_state(), before);
}

static void test_settle_of_another_topic_is_told_and_writes_nothing(void **state)
{
    (void)state;
    settle(0, "012", NULL);
    run("HSET " STATE " topic topic-id-0");
    uint64_t before = bytes_of_state();
    struct mesh_counters_reply reply = settle(3, "0", NULL);
    assert_int_equal(reply.outcome, MESH_COUNTERS_OTHER_TOPIC);
    assert_int_equal(settle(100, "", NULL).outcome, MESH_COUNTERS_OTHER_TOPIC);
    assert_int_equal(bytes_of_state(), before);
}

/* ---- each function ---- */

static void test_applying_twice_counts_once(void **state)
{
    (void)state;
    assert_int_equal(apply(10, "0120").counted, 4);
    assert_int_equal(apply(10, "0120").counted, 0);
    assert_int_equal(apply(8, "3333333").counted, 3); /* 8, 9 and 14 are new */
    assert_hash(STATE, "total", "7");
    assert_hash(STATE, "c:Chile", "2");
    assert_hash(STATE, "c:C\xc3\xb4te d'Ivoire", "1");
    assert_hash(STATE, "c:Unknown", "3");
}

static void test_holes_stay_open_and_not_counted_closes(void **state)
{
    (void)state;
    assert_int_equal(apply(0, "0-x1").counted, 2);
    assert_int_equal(apply(0, "2222").counted, 1);
    assert_hash(STATE, "c:Peru", "1");
}

static void test_settle_fills_in_takes_back_and_moves_on(void **state)
{
    (void)state;
    apply(1, "12"); /* of 0 to 4, two came as hints; 2 is a duplicate */
    struct mesh_counters_reply reply = settle(0, "0120x", "00110");
    assert_int_equal(reply.outcome, MESH_COUNTERS_DONE);
    assert_int_equal(reply.watermark, 5);
    assert_int_equal(reply.counted, 0); /* one filled in, one taken back */
    assert_hash(STATE, "total", "2");
    assert_hash(STATE, "c:Chile", "1");
    assert_hash(STATE, "c:Peru", "0");
    assert_hash(STATE, "duplicates", "2");
    assert_hash(STATE, "not_counted", "1");
    assert_hash(STATE, "topic", TOPIC);

    assert_int_equal(apply(0, "33333").counted, 0);           /* below the watermark */
    assert_int_equal(settle(0, "0120x", "00110").counted, 0); /* redelivered */
    assert_int_equal(settle(3, "0x2", "100").counted, 1);     /* half of it is new */
    assert_hash(STATE, "total", "3");
    assert_hash(STATE, "w:0", "6");
    assert_int_equal(settle(6, "", NULL).outcome, MESH_COUNTERS_DONE);
}

static void test_numbers_next_to_the_limit_are_exact(void **state)
{
    (void)state;
    run("HSET " STATE " w:0 9007199254736895 total 9007199254736800");
    struct mesh_counters_reply reply = settle(MESH_COUNTERS_OFFSET_MAX, "012", NULL);
    assert_int_equal(reply.watermark, MESH_COUNTERS_OFFSET_MAX + 3);
    assert_hash(STATE, "w:0", "9007199254736898");
    assert_hash(STATE, "total", "9007199254736803");
    assert_int_equal(apply(MESH_COUNTERS_OFFSET_MAX, "0000").counted, 1);
    assert_int_equal(apply(MESH_COUNTERS_OFFSET_MAX, "0000").counted, 0);
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
        .stream = stream.name,
        .partition = 1999,
        .first_offset = 1023,
        .count = MESH_COUNTERS_RANGE_MAX,
        .groups = groups,
        .group_names = names,
        .group_count = MESH_GROUP_COUNT_MAX,
        .duplicates = duplicates,
        .topic_id = TOPIC,
    };
    mesh_counters_apply(test.command, &range);
    assert_int_equal(call().counted, MESH_COUNTERS_RANGE_MAX);
    run("HSET " STATE " w:1999 1023");
    mesh_counters_settle(test.command, &range);
    assert_int_equal(call().counted, 0);
    struct mesh_stream many = stream;
    many.group_names = names;
    many.group_count = MESH_GROUP_COUNT_MAX;
    mesh_counters_show_groups(test.command, &many);
    assert_int_equal(call().counted, MESH_GROUP_COUNT_MAX);
    mesh_counters_show_totals(test.command, &many);
    assert_int_equal(call().outcome, MESH_COUNTERS_DONE);
    assert_hash("{test}:totals", "settled", "5119");
    for (size_t i = 0; i < MESH_GROUP_COUNT_MAX; i++) {
        free((void *)(uintptr_t)names[i]);
    }
}

static void test_show_writes_what_changed_from_the_state(void **state)
{
    (void)state;
    apply(0, "0012");
    settle(0, "00", "01");
    mesh_counters_show_groups(test.command, &stream);
    assert_int_equal(call().counted, 3);
    assert_hash("{test}:country", "Chile", "1");
    assert_hash("{test}:country", "Peru", "1");
    assert_hash("{test}:country", "Unknown", NULL);
    mesh_counters_show_totals(test.command, &stream);
    call();
    assert_hash("{test}:totals", "total", "3");
    assert_hash("{test}:totals", "settled", "2");
    assert_hash("{test}:totals", "settled:0", "2");
    assert_hash("{test}:totals", "duplicates", "1");
    assert_hash("{test}:totals", "not_counted", "0");

    unsigned long long writes = writes_so_far();
    assert_int_equal(call().counted, 0);
    assert_int_equal(writes_so_far(), writes); /* nothing changed, nothing written */

    run("DEL " STATE);
    mesh_counters_show_groups(test.command, &stream);
    assert_int_equal(call().counted, 3);
    assert_hash("{test}:country", "Chile", "0");
}

static void test_stream_without_count_by_shows_all(void **state)
{
    (void)state;
    static const char *const all[] = {"all"};
    const struct mesh_stream plain = {.name = "test", .group_names = all, .group_count = 1};
    run("HSET " STATE " c:all 5 total 5");
    mesh_counters_show_groups(test.command, &plain);
    call();
    assert_hash("{test}:all", "all", "5");
    char *key = mesh_counters_groups_key(&plain);
    assert_string_equal(key, "{test}:all");
    free(key);
}

static bool has_bitmap(unsigned int chunk)
{
    redisReply *reply = ask("HEXISTS " STATE " b:0:%u", chunk);
    bool there = reply->integer == 1;
    freeReplyObject(reply);
    return there;
}

static void test_sweep_drops_only_what_is_below_the_watermark(void **state)
{
    (void)state;
    apply(1020, "000000000"); /* two chunks */
    apply(3000, "0");
    run("HSET " STATE " w:0 2048");
    mesh_counters_sweep(test.command, stream.name, 0, 0);
    struct mesh_counters_reply reply = call();
    assert_int_equal(reply.counted, 2);
    assert_int_equal(reply.watermark, 2048);
    assert_false(has_bitmap(0));
    assert_false(has_bitmap(1));
    assert_true(has_bitmap(2));
    mesh_counters_sweep(test.command, stream.name, 0, reply.watermark);
    reply = call();
    assert_int_equal(reply.watermark, 2048); /* nothing left */
    assert_hash(STATE, "total", "10");
}

static void test_sweep_goes_on_in_steps(void **state)
{
    (void)state;
    run("HSET " STATE " w:0 100000000");
    uint64_t at = 0;
    int steps = 0;
    for (uint64_t next = 1; next != at; steps++) {
        at = next == 1 ? 0 : next;
        mesh_counters_sweep(test.command, stream.name, 0, at);
        next = call().watermark;
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
        assert_int_equal(apply(at, groups).counted, 16);
        assert_int_equal(writes_so_far(), before + 1);
        assert_int_equal(settle(at, groups, duplicates).counted, -4);
        assert_int_equal(writes_so_far(), before + 2);
        mesh_counters_show_groups(test.command, &stream);
        call();
        assert_int_equal(writes_so_far(), before + 3);
        mesh_counters_show_totals(test.command, &stream);
        call();
        assert_int_equal(writes_so_far(), before + 4);
    }
    unsigned long long before = writes_so_far();
    mesh_counters_sweep(test.command, stream.name, 0, 0);
    assert_int_equal(call().counted, 1);
    assert_int_equal(writes_so_far(), before + 1);
}

static void test_state_is_read_back(void **state)
{
    (void)state;
    struct mesh_counters_state counters;
    struct mesh_error err = {0};
    assert_true(mesh_counters_state_read(test.redis, &stream, &counters, &err));
    assert_int_equal(counters.total, 0);
    assert_int_equal(counters.watermark_count, 0);
    mesh_counters_state_done(&counters);

    settle(0, "0012x", "00001");
    apply(7, "3");
    run("HSET " STATE " c:Atlantis 4 w:2 17");
    assert_true(mesh_counters_state_read(test.redis, &stream, &counters, &err));
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

/* ---- the library ---- */

static long long library_version(void)
{
    redisReply *reply = ask("FCALL_RO tweetmesh_version 0");
    long long version = reply->type == REDIS_REPLY_INTEGER ? reply->integer : -1;
    freeReplyObject(reply);
    return version;
}

static void load_version(int version)
{
    char *text = mesh_format("#!lua name=tweetmesh\nredis.register_function{function_name="
                             "'tweetmesh_version',callback=function() return %d end,"
                             "flags={'no-writes'}}",
                             version);
    run("FUNCTION LOAD REPLACE %s", text);
    free(text);
}

static void test_missing_library_is_loaded_by_the_call(void **state)
{
    (void)state;
    run("FUNCTION FLUSH");
    assert_int_equal(apply(0, "01").counted, 2);
    assert_true(library_version() > 0);
}

static void test_older_library_is_replaced_and_newer_stays(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    long long ours = library_version();
    load_version(0);
    assert_true(mesh_counters_load(test.redis, &err));
    assert_int_equal(library_version(), ours);
    load_version(1000000);
    assert_true(mesh_counters_load(test.redis, &err));
    assert_int_equal(library_version(), 1000000);
    run("FUNCTION FLUSH");
}

static void test_library_without_version_is_replaced(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    run("FUNCTION LOAD REPLACE %s", "#!lua name=tweetmesh\nredis.register_function("
                                    "'tweetmesh_other', function() return 1 end)");
    assert_true(mesh_counters_load(test.redis, &err));
    assert_true(library_version() > 0);
}

static void *load_in_thread(void *arg)
{
    redisContext *redis = redis_fixture_connect(test.fixture);
    struct mesh_error err = {0};
    *(bool *)arg = mesh_counters_load(redis, &err);
    redisFree(redis);
    return NULL;
}

static void test_many_loaders_at_once_do_no_harm(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        pthread_t threads[4];
        bool loaded[MESH_COUNT_OF(threads)] = {false};
        run("FUNCTION FLUSH");
        for (size_t i = 0; i < MESH_COUNT_OF(threads); i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, load_in_thread, &loaded[i]), 0);
        }
        for (size_t i = 0; i < MESH_COUNT_OF(threads); i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
            assert_true(loaded[i]);
        }
        assert_true(library_version() > 0);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, empty_redis)
    const struct CMUnitTest tests[] = {
        CASE(test_garbage_arguments_are_refused),
        CASE(test_too_many_offsets_or_names_are_refused),
        CASE(test_keys_of_another_type_are_a_clear_error),
        CASE(test_damaged_state_is_an_error_not_a_count),
        CASE(test_settle_above_the_watermark_is_a_gap_and_writes_nothing),
        CASE(test_settle_of_another_topic_is_told_and_writes_nothing),
        CASE(test_applying_twice_counts_once),
        CASE(test_holes_stay_open_and_not_counted_closes),
        CASE(test_settle_fills_in_takes_back_and_moves_on),
        CASE(test_numbers_next_to_the_limit_are_exact),
        CASE(test_every_group_and_a_full_range_fit_in_one_call),
        CASE(test_show_writes_what_changed_from_the_state),
        CASE(test_stream_without_count_by_shows_all),
        CASE(test_sweep_drops_only_what_is_below_the_watermark),
        CASE(test_sweep_goes_on_in_steps),
        CASE(test_every_function_makes_at_most_one_write),
        CASE(test_state_is_read_back),
        CASE(test_missing_library_is_loaded_by_the_call),
        CASE(test_older_library_is_replaced_and_newer_stays),
        CASE(test_library_without_version_is_replaced),
        CASE(test_many_loaders_at_once_do_no_harm),
    };
#undef CASE
    return cmocka_run_group_tests(tests, start_redis, stop_redis);
}
