/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what FAILPOINTS may say and may not; a failpoint kills at its pass and no sooner, and slows
 * from its pass on.
 * Method: failpoint.c compiled with failpoints, whatever the preset; children that are to die.
 */
#include "cmocka_all.h"
#include "mesh/clock.h"
#include "mesh/failpoint.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, PASSES = 1000 };

static void assert_refused(const char *setting, const char *reason)
{
    struct mesh_buffer problems = {0};
    (void)setenv("FAILPOINTS", setting, 1);
    mesh_failpoints_load(&problems);
    assert_true(problems.size > 0);
    assert_non_null(strstr(problems.data, reason));
    mesh_buffer_done(&problems);
}

static void load(const char *setting)
{
    struct mesh_buffer problems = {0};
    (void)setenv("FAILPOINTS", setting, 1);
    mesh_failpoints_load(&problems);
    assert_int_equal(problems.size, 0);
}

static void test_unknown_names_are_refused(void **state)
{
    (void)state;
    assert_refused("api_before_lunch=kill@1", "no failpoint \"api_before_lunch\"");
    assert_refused("api_before_sen=kill@1", "no failpoint \"api_before_sen\"");
    assert_refused("api_before_send=kill@1,", "no failpoint \"\"");
    assert_refused("=kill@1", "no failpoint \"\"");
}

static void test_bad_syntax_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "=",
                                      "=kill",
                                      "=kill@",
                                      "=kill@0",
                                      "=kill@-1",
                                      "=kill@1x",
                                      "=kill@1 ",
                                      "=kill 1",
                                      "=die@1",
                                      "=sleep@1",
                                      "=sleep()@1",
                                      "=sleep(5)",
                                      "=sleep(0)@1",
                                      "=sleep(5@1",
                                      "=sleep(5ms)@1",
                                      "=sleep(+5)@1",
                                      "=sleep(5)@0",
                                      "=killer@1",
                                      "=kill@1=2",
                                      "=kill@1e3",
                                      "=kill@0x10",
                                      "=sleep(5)@@1",
                                      "=KILL@1",
                                      "=kill@1000000001",
                                      "=sleep(600001)@1",
                                      "=kill@99999999999999999999"};
    for (size_t i = 0; i < MESH_COUNT_OF(bad); i++) {
        char setting[64];
        (void)snprintf(setting, sizeof(setting), "api_before_send%s", bad[i]);
        assert_refused(setting, "api_before_send needs kill@N or sleep(MS)@N");
    }
}

static void test_everything_wrong_is_reported_at_once(void **state)
{
    (void)state;
    assert_refused("nowhere=kill@1,api_after_send=stop", "api_after_send needs");
    assert_refused("nowhere=kill@1,api_after_send=stop", "no failpoint \"nowhere\"");
    char many[1024] = "";
    for (int i = 0; i <= MESH_FAILPOINT_ACTIONS_MAX; i++) {
        (void)strncat(many, i == 0 ? "api_after_send=kill@1" : ",api_after_send=kill@1",
                      sizeof(many) - strlen(many) - 1);
    }
    assert_refused(many, "at most 16 actions");
}

static void *pass_often(void *arg)
{
    for (int i = 0; i < PASSES; i++) {
        mesh_failpoint_pass(arg);
    }
    return NULL;
}

/* Whether a child that passes `name` so often from several threads is killed. */
static bool dies(const char *name)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(STDOUT_FILENO); /* where it says that it acts */
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++) {
            if (pthread_create(&threads[i], NULL, pass_often, (void *)name) != 0) {
                _exit(1);
            }
        }
        for (int i = 0; i < THREADS; i++) {
            (void)pthread_join(threads[i], NULL);
        }
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return true;
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    return false;
}

static void test_the_nth_pass_of_all_threads_kills_and_no_earlier_one(void **state)
{
    (void)state;
    load("ws_redis_after_apply=kill@4000");
    assert_true(dies("ws_redis_after_apply"));
    load("ws_redis_after_apply=kill@4001");
    assert_false(dies("ws_redis_after_apply"));
    assert_false(dies("ws_redis_before_apply"));
    load("ws_redis_before_apply=sleep(1)@4001,ws_redis_after_apply=kill@1");
    assert_false(dies("ws_redis_before_apply"));
    assert_true(dies("ws_redis_after_apply"));
}

static int64_t pass_us(const char *name)
{
    int64_t from_us = mesh_clock_mono_us();
    mesh_failpoint_pass(name);
    return mesh_clock_mono_us() - from_us;
}

static void test_a_sleep_holds_from_its_pass_on(void **state)
{
    (void)state;
    load("api_before_send=sleep(600000)@4,consumer_in_restore=sleep(20)@2");
    for (int i = 0; i < 3; i++) {
        mesh_failpoint_pass("api_before_send"); /* ends, or the test's time is over */
    }
    mesh_failpoint_pass("consumer_in_restore");
    assert_true(pass_us("consumer_in_restore") >= 20000);
    assert_true(pass_us("consumer_in_restore") >= 20000);
}

static void test_nothing_acts_when_nothing_is_set(void **state)
{
    (void)state;
    load("api_before_send=kill@1");
    load("");
    assert_false(dies("api_before_send"));
    load("api_before_send=kill@1");
    (void)unsetenv("FAILPOINTS");
    struct mesh_buffer problems = {0};
    mesh_failpoints_load(&problems);
    assert_int_equal(problems.size, 0);
    assert_false(dies("api_before_send"));
}

static void test_help_lists_the_names(void **state)
{
    (void)state;
    struct mesh_buffer out = {0};
    mesh_failpoints_list(&out);
    assert_non_null(strstr(out.data, "  api_before_send\n"));
    assert_non_null(strstr(out.data, "  consumer_in_restore\n"));
    mesh_buffer_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_names_are_refused),
        cmocka_unit_test(test_bad_syntax_is_refused),
        cmocka_unit_test(test_everything_wrong_is_reported_at_once),
        cmocka_unit_test(test_the_nth_pass_of_all_threads_kills_and_no_earlier_one),
        cmocka_unit_test(test_a_sleep_holds_from_its_pass_on),
        cmocka_unit_test(test_nothing_acts_when_nothing_is_set),
        cmocka_unit_test(test_help_lists_the_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
