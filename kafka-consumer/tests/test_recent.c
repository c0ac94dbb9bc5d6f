/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: off means off; the list holds the newest events, newest first, and never more than asked
 * for. Method: a real redis-server.
 */
#include "cmocka_all.h"
#include "mesh/alloc.h"
#include "recent.h"
#include "redis_fixture.h"

#include <stdlib.h>
#include <string.h>

static struct {
    struct redis_fixture *redis;
    redisContext *context;
    struct recent recent;
} test;

static int start(void **state)
{
    (void)state;
    test.redis = redis_fixture_new(&(struct redis_fixture_options){0});
    test.context = redis_fixture_connect(test.redis);
    test.recent = (struct recent){.max = 3};
    return 0;
}

static int stop(void **state)
{
    (void)state;
    recent_done(&test.recent);
    redisFree(test.context);
    redis_fixture_free(test.redis);
    return 0;
}

static void add(const char *text)
{
    recent_add(&test.recent, mesh_bytes_of_text(text));
}

static void send_all(size_t commands)
{
    assert_int_equal(recent_append(&test.recent, "test", test.context), commands);
    for (size_t i = 0; i < commands; i++) {
        void *reply = NULL;
        assert_int_equal(redisGetReply(test.context, &reply), REDIS_OK);
        assert_int_not_equal(((redisReply *)reply)->type, REDIS_REPLY_ERROR);
        freeReplyObject(reply);
    }
}

static void assert_list(const char *wanted)
{
    struct mesh_buffer all = {0};
    redisReply *reply = redisCommand(test.context, "LRANGE {test}:recent 0 -1");
    assert_non_null(reply);
    for (size_t i = 0; i < reply->elements; i++) {
        mesh_buffer_add_format(&all, "%s|", reply->element[i]->str);
    }
    freeReplyObject(reply);
    assert_string_equal(all.data == NULL ? "" : all.data, wanted);
    mesh_buffer_done(&all);
}

static void test_off_is_off(void **state)
{
    (void)state;
    test.recent.max = 0;
    add("a");
    send_all(0);
    assert_list("");
}

static void test_the_newest_are_kept_newest_first(void **state)
{
    (void)state;
    add("a");
    add("b");
    send_all(2);
    assert_list("b|a|");
    send_all(0); /* nothing new */
    for (const char *text = "cdefg"; *text != '\0'; text++) {
        recent_add(&test.recent, mesh_bytes_of(text, 1));
    }
    send_all(2);
    assert_list("g|f|e|");
    add("h");
    send_all(2);
    assert_list("h|g|f|");
}

static void test_what_is_too_large_is_left_out(void **state)
{
    (void)state;
    char *large = mesh_alloc(RECENT_BYTES_MAX + 1);
    memset(large, 'x', RECENT_BYTES_MAX + 1);
    recent_add(&test.recent, mesh_bytes_of(large, RECENT_BYTES_MAX + 1));
    recent_add(&test.recent, mesh_bytes_of("a\0b", 3));
    send_all(0);
    recent_add(&test.recent, mesh_bytes_of(large, RECENT_BYTES_MAX));
    send_all(2);
    free(large);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        CASE(test_off_is_off),
        CASE(test_the_newest_are_kept_newest_first),
        CASE(test_what_is_too_large_is_left_out),
    };
#undef CASE
    return cmocka_run_group_tests(tests, NULL, NULL);
}
