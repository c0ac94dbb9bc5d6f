/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the function library is loaded where it is missing or old, a newer one stays, and several
 * programs may load it at once.
 * Method: a real redis-server with other versions of the library.
 */
#include "cmocka_all.h"
#include "counters_fixture.h"
#include "mesh/alloc.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static long long library_version(void)
{
    redisReply *reply = redis_ask("FCALL_RO tweetmesh_version 0");
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
    redis_run("FUNCTION LOAD REPLACE %s", text);
    free(text);
}

static void test_missing_library_is_loaded_by_the_call(void **state)
{
    (void)state;
    redis_run("FUNCTION FLUSH");
    assert_int_equal(counters_apply(0, "01").counted, 2);
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
    redis_run("FUNCTION FLUSH");
}

static void test_library_without_version_is_replaced(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    redis_run("FUNCTION LOAD REPLACE %s", "#!lua name=tweetmesh\nredis.register_function("
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
        redis_run("FUNCTION FLUSH");
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
#define CASE(name) cmocka_unit_test_setup(name, counters_empty)
    const struct CMUnitTest tests[] = {
        CASE(test_missing_library_is_loaded_by_the_call),
        CASE(test_older_library_is_replaced_and_newer_stays),
        CASE(test_library_without_version_is_replaced),
        CASE(test_many_loaders_at_once_do_no_harm),
    };
#undef CASE
    return cmocka_run_group_tests(tests, counters_start, counters_stop);
}
