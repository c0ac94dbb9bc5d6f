/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a Redis URL is understood or refused with a reason that holds no secret, and what Redis or
 * the network answer becomes the right code.
 * Method: a table of URLs; a real redis-server with a password, over TCP and a socket file.
 */
#include "cmocka_all.h"
#include "mesh/alloc.h"
#include "mesh/redis.h"
#include "redis_fixture.h"

#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 5000

static void test_bad_urls_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "redis",
        "http://127.0.0.1:6379",
        "redis://",
        "redis://:6379",
        "redis://host:",
        "redis://host:0",
        "redis://host:65536",
        "redis://host:6379x",
        "redis://host:6379/x",
        "redis://host:6379/65536",
        "redis://host:6379/-1",
        "redis://[::1:6379",
        "redis://[]:6379",
        "redis://secret@host",
        "redis://user:%zz@host",
        "redis://user:%0@host",
        "redis://user:%00@host",
        "redis://ho st",
        "unix://",
        "unix:///",
        "unix://relative",
        "unix:///socket?password=secret",
        "unix:///socket?db=x",
    };
    for (size_t i = 0; i < MESH_COUNT_OF(bad); i++) {
        struct mesh_error err = {0};
        if (mesh_redis_url_valid(bad[i], &err)) {
            fail_msg("taken: %s", bad[i]);
        }
        assert_int_equal(err.code, MESH_INVALID_ARGUMENT);
        assert_null(strstr(err.text, "secret"));
        assert_null(mesh_redis_connect(bad[i], TIMEOUT_MS, &err));
    }
}

static void test_overlong_url_is_refused(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    char url[2000];
    memset(url, 'h', sizeof(url));
    memcpy(url, "redis://", 8);
    url[sizeof(url) - 1] = '\0';
    assert_false(mesh_redis_url_valid(url, &err));
}

static void test_good_urls_are_taken(void **state)
{
    (void)state;
    static const char *const good[] = {
        "redis://host",
        "redis://host:1/0",
        "redis://host/",
        "redis://[::1]:6379/15",
        "redis://[::1]",
        "rediss://user:p%40ss@host.example:6380/2",
        "redis://:pass:word@host",
        "unix:///run/redis.sock",
        "unix://user:pass@/run/redis.sock?db=3",
    };
    for (size_t i = 0; i < MESH_COUNT_OF(good); i++) {
        struct mesh_error err = {0};
        if (!mesh_redis_url_valid(good[i], &err)) {
            fail_msg("refused: %s: %s", good[i], err.text);
        }
    }
}

static void test_nobody_listening_is_unavailable(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    assert_null(mesh_redis_connect("redis://127.0.0.1:1", TIMEOUT_MS, &err));
    assert_int_equal(err.code, MESH_UNAVAILABLE);
    assert_non_null(strstr(err.text, "127.0.0.1:1"));
    assert_null(mesh_redis_connect("unix:///nowhere/socket", TIMEOUT_MS, &err));
    assert_int_equal(err.code, MESH_UNAVAILABLE);
}

static void test_wrong_login_is_refused_without_telling_it(void **state)
{
    struct redis_fixture *fixture = *state;
    const char *path = redis_fixture_url(fixture) + strlen("unix://");
    char *url = mesh_format("unix://:not-the-secret@%s", path);
    struct mesh_error err = {0};
    assert_null(mesh_redis_connect(url, TIMEOUT_MS, &err));
    assert_int_equal(err.code, MESH_UNAUTHENTICATED);
    assert_null(strstr(err.text, "not-the-secret"));
    free(url);
}

static void test_plain_server_does_not_pass_for_tls(void **state)
{
    struct redis_fixture *fixture = *state;
    char *url = mesh_format("rediss://%s", redis_fixture_tcp_url(fixture) + strlen("redis://"));
    struct mesh_error err = {0};
    assert_null(mesh_redis_connect(url, 500, &err));
    assert_int_equal(err.code, MESH_UNAVAILABLE);
    free(url);
}

static void test_database_that_is_not_there_is_refused(void **state)
{
    struct redis_fixture *fixture = *state;
    const char *path = redis_fixture_url(fixture) + strlen("unix://");
    char *url = mesh_format("unix://:s%%3Acret@%s?db=999", path);
    struct mesh_error err = {0};
    assert_null(mesh_redis_connect(url, TIMEOUT_MS, &err));
    assert_int_equal(err.code, MESH_INTERNAL);
    free(url);
}

static void test_late_answer_is_deadline_exceeded(void **state)
{
    struct redis_fixture *fixture = *state;
    char *url =
        mesh_format("redis://:s%%3Acret@%s", redis_fixture_tcp_url(fixture) + strlen("redis://"));
    struct mesh_error err = {0};
    redisContext *redis = mesh_redis_connect(url, 50, &err);
    assert_non_null(redis);
    assert_null(redisCommand(redis, "BLPOP nothing 0"));
    assert_false(mesh_redis_fail(redis, NULL, &err));
    assert_int_equal(err.code, MESH_DEADLINE_EXCEEDED);
    redisFree(redis);
    free(url);
}

static void test_login_and_database_are_used(void **state)
{
    struct redis_fixture *fixture = *state;
    const char *tcp = redis_fixture_tcp_url(fixture) + strlen("redis://");
    const char *path = redis_fixture_url(fixture) + strlen("unix://");
    char *urls[] = {
        mesh_format("redis://:s%%3Acret@%s/2", tcp),
        mesh_format("redis://default:s%%3acret@%s/2", tcp),
        mesh_format("unix://:s:cret@%s?db=2", path),
    };
    for (size_t i = 0; i < MESH_COUNT_OF(urls); i++) {
        struct mesh_error err = {0};
        redisContext *redis = mesh_redis_connect(urls[i], TIMEOUT_MS, &err);
        if (redis == NULL) {
            fail_msg("%s", err.text);
        }
        redisReply *reply = redisCommand(redis, "INCR shared");
        assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
        assert_int_equal(reply->integer, (long long)i + 1);
        freeReplyObject(reply);
        reply = redisCommand(redis, "HGET shared field");
        assert_false(mesh_redis_fail(redis, reply, &err));
        assert_int_equal(err.code, MESH_FAILED_PRECONDITION);
        freeReplyObject(reply);
        redisFree(redis);
        free(urls[i]);
    }
}

static int start_redis(void **state)
{
    *state = redis_fixture_new(&(struct redis_fixture_options){.password = "s:cret"});
    return 0;
}

static int stop_redis(void **state)
{
    redis_fixture_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_urls_are_refused),
        cmocka_unit_test(test_overlong_url_is_refused),
        cmocka_unit_test(test_nobody_listening_is_unavailable),
        cmocka_unit_test(test_wrong_login_is_refused_without_telling_it),
        cmocka_unit_test(test_plain_server_does_not_pass_for_tls),
        cmocka_unit_test(test_database_that_is_not_there_is_refused),
        cmocka_unit_test(test_late_answer_is_deadline_exceeded),
        cmocka_unit_test(test_good_urls_are_taken),
        cmocka_unit_test(test_login_and_database_are_used),
    };
    return cmocka_run_group_tests(tests, start_redis, stop_redis);
}
