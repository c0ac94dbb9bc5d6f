/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: entries of others are shown in order, and nothing in them can break the page; who is gone
 * is removed; what feeders say is bounded. Method: tables of garbage, and commands sent to a real
 * redis-server.
 */
#include "cmocka_all.h"
#include "health.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/health.h"
#include "mesh/macros.h"
#include "redis_fixture.h"
#include "reply_fixture.h"

#include <stdlib.h>
#include <string.h>

#define GOOD "{\"at_ms\":5000,\"state\":\"running\",\"ready\":true}"

static void test_entries_that_are_not_as_they_should_be_are_none(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        const char *value;
    } bad[] = {
        {"", GOOD},
        {"api", GOOD},
        {"/host:1", GOOD},
        {"api/", GOOD},
        {"api/a b", GOOD},
        {"api/a/b", GOOD},
        {"api/\"", GOOD},
        {"\xc3\xa9/x", GOOD},
        {"api/x", ""},
        {"api/x", "[]"},
        {"api/x", "{}"},
        {"api/x", "{\"at_ms\":5000,\"state\":\"running\"}"},
        {"api/x", "{\"at_ms\":-1,\"state\":\"running\",\"ready\":true}"},
        {"api/x", "{\"at_ms\":18446744073709551615,\"state\":\"running\",\"ready\":true}"},
        {"api/x", "{\"at_ms\":1.5,\"state\":\"running\",\"ready\":true}"},
        {"api/x", "{\"at_ms\":5000,\"state\":\"\\\"\",\"ready\":true}"},
        {"api/x", "{\"at_ms\":5000,\"state\":\"\\n\",\"ready\":true}"},
        {"api/x", "{\"at_ms\":5000,\"state\":\"\xc3\xa9\",\"ready\":true}"},
        {"api/x", "{\"at_ms\":5000,\"state\":\"\",\"ready\":true}"},
        {"api/x",
         "{\"at_ms\":5000,\"state\":"
         "\"0123456789012345678901234567890123456789012345678901234567890123\",\"ready\":true}"},
        {"api/x", "{\"at_ms\":5000,\"state\":5,\"ready\":true}"},
        {"api/x", "{\"at_ms\":5000,\"state\":\"running\",\"ready\":1}"},
        {"api/x", GOOD "x"},
    };
    struct health_entry entry;
    for (size_t i = 0; i < MESH_COUNT_OF(bad); i++) {
        if (health_read_entry(mesh_bytes_of_text(bad[i].field), mesh_bytes_of_text(bad[i].value),
                              &entry)) {
            fail_msg("%s %s", bad[i].field, bad[i].value);
        }
    }
    char value[HEALTH_VALUE_BYTES_MAX + 2];
    memset(value, ' ', sizeof(value));
    for (size_t i = 0; i < strlen(GOOD); i++) { /* without its end */
        value[i] = GOOD[i];
    }
    const struct mesh_bytes field = mesh_bytes_of_text("api/x");
    assert_true(health_read_entry(field, mesh_bytes_of(value, HEALTH_VALUE_BYTES_MAX), &entry));
    assert_false(
        health_read_entry(field, mesh_bytes_of(value, HEALTH_VALUE_BYTES_MAX + 1), &entry));
    assert_string_equal(entry.program, "api");
    assert_string_equal(entry.instance, "x");
    assert_int_equal(entry.at_ms, 5000);
}

static void assert_shown(struct health *health, const char *const *texts, int64_t now_ms,
                         const char *wanted)
{
    struct mesh_buffer out = {0};
    redisReply *reply = reply_fixture_texts(texts);
    health_read(health, reply, now_ms, &out);
    assert_string_equal(out.data, wanted);
    freeReplyObject(reply);
    mesh_buffer_done(&out);
}

static void test_programs_are_shown_in_order_and_old_ones_are_not(void **state)
{
    (void)state;
    struct health *health = health_new("me:1");
    assert_shown(health,
                 (const char *[]){"ws-redis/b", GOOD, "api/x", GOOD, "garbage", "garbage",
                                  "ws-redis/a",
                                  "{\"at_ms\":1,\"state\":\"draining\",\"ready\":false}", NULL},
                 60001,
                 "[{\"program\":\"api\",\"instance\":\"x\",\"state\":\"running\",\"ready\":true,"
                 "\"at_ms\":5000},{\"program\":\"ws-redis\",\"instance\":\"a\",\"state\":"
                 "\"draining\",\"ready\":false,\"at_ms\":1},{\"program\":\"ws-redis\",\"instance\":"
                 "\"b\",\"state\":\"running\",\"ready\":true,\"at_ms\":5000}]");
    assert_int_equal(health_last_ms(health, "ws-redis"), 5000);
    assert_int_equal(health_last_ms(health, "kafka-consumer"), 0);
    assert_shown(health, (const char *[]){"api/x", GOOD, NULL}, 5000 + MESH_HEALTH_MS_MAX + 1,
                 "[]");
    assert_shown(health, (const char *[]){NULL}, 0, "[]");
    health_free(health);
}

static struct {
    struct redis_fixture *redis;
    redisContext *context;
    struct health *health;
} test;

static int start(void **state)
{
    (void)state;
    test.redis = redis_fixture_new(&(struct redis_fixture_options){0});
    test.context = redis_fixture_connect(test.redis);
    test.health = health_new("me:8083");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    health_free(test.health);
    redisFree(test.context);
    redis_fixture_free(test.redis);
    return 0;
}

static void finish(void)
{
    void *reply = NULL;
    assert_int_equal(redisGetReply(test.context, &reply), REDIS_OK);
    assert_int_equal(((redisReply *)reply)->type, REDIS_REPLY_INTEGER);
    freeReplyObject(reply);
}

static redisReply *hash(void)
{
    redisReply *reply = redisCommand(test.context, "HGETALL " MESH_HEALTH_KEY);
    assert_non_null(reply);
    return reply;
}

static void test_own_and_heard_health_is_written(void **state)
{
    (void)state;
    struct mesh_buffer out = {0};
    const int64_t now_ms = mesh_clock_wall_ms();
    health_hear(test.health, mesh_bytes_of_text("api"), mesh_bytes_of_text("pod:1"), true);
    health_hear(test.health, mesh_bytes_of_text("api"), mesh_bytes_of_text("pod:1"), false);
    health_hear(test.health, mesh_bytes_of_text("a b"), mesh_bytes_of_text("pod:1"), true);
    health_set_state(test.health, "draining");
    health_append_write(test.health, test.context, true, now_ms);
    finish();
    redisReply *reply = hash();
    assert_int_equal(reply->elements, 4);
    health_read(test.health, reply, now_ms, &out);
    freeReplyObject(reply);
    assert_non_null(
        strstr(out.data, "\"api\",\"instance\":\"pod:1\",\"state\":\"running\",\"ready\":false"));
    assert_non_null(strstr(
        out.data, "\"ws-redis\",\"instance\":\"me:8083\",\"state\":\"draining\",\"ready\":true"));
    assert_false(health_append_prune(test.health, test.context));
    mesh_buffer_done(&out);
}

static void test_what_was_heard_is_told_once(void **state)
{
    (void)state;
    struct mesh_buffer out = {0};
    const int64_t now_ms = mesh_clock_wall_ms();
    health_hear(test.health, mesh_bytes_of_text("api"), mesh_bytes_of_text("pod:1"), true);
    health_append_write(test.health, test.context, true, now_ms);
    finish();
    (void)redisAppendCommand(test.context, "HSET " MESH_HEALTH_KEY " api/pod:1 %s",
                             "{\"at_ms\":1,\"state\":\"killed\",\"ready\":false}");
    finish();
    health_append_write(test.health, test.context, true, now_ms);
    finish();
    redisReply *reply = hash();
    health_read(test.health, reply, 1, &out);
    freeReplyObject(reply);
    assert_non_null(strstr(out.data, "\"state\":\"killed\""));
    mesh_buffer_done(&out);
}

static void test_who_is_gone_is_removed(void **state)
{
    (void)state;
    struct mesh_buffer out = {0};
    const int64_t now_ms = mesh_clock_wall_ms();
    health_append_write(test.health, test.context, true, now_ms);
    finish();
    redisReply *reply = hash();
    health_read(test.health, reply, now_ms + MESH_HEALTH_MS_MAX + 1, &out);
    freeReplyObject(reply);
    assert_true(health_append_prune(test.health, test.context));
    finish();
    reply = hash();
    assert_int_equal(reply->elements, 0);
    freeReplyObject(reply);
    mesh_buffer_done(&out);
}

static void test_feeders_cannot_fill_the_memory(void **state)
{
    (void)state;
    for (int i = 0; i < 3 * HEALTH_PROGRAMS_MAX; i++) {
        char *name = mesh_format("pod:%d", i);
        health_hear(test.health, mesh_bytes_of_text("api"), mesh_bytes_of_text(name), true);
        free(name);
    }
    health_append_write(test.health, test.context, true, mesh_clock_wall_ms());
    finish();
    redisReply *reply = hash();
    assert_int_equal(reply->elements, 2 * (HEALTH_PROGRAMS_MAX + 1));
    freeReplyObject(reply);
    /* Who was silent for long is not told of again. */
    health_append_write(test.health, test.context, true, mesh_clock_wall_ms() + 60000);
    health_hear(NULL, mesh_bytes_of_text("api"), mesh_bytes_of_text("x"), true);
    finish();
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries_that_are_not_as_they_should_be_are_none),
        cmocka_unit_test(test_programs_are_shown_in_order_and_old_ones_are_not),
        CASE(test_own_and_heard_health_is_written),
        CASE(test_what_was_heard_is_told_once),
        CASE(test_who_is_gone_is_removed),
        CASE(test_feeders_cannot_fill_the_memory),
    };
#undef CASE
    return cmocka_run_group_tests(tests, NULL, NULL);
}
