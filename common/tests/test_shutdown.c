/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a signal or a request ends the wait with the right exit code, and cuts a delay short.
 * Method: child processes, since a process is stopped once.
 */
#include "cmocka_all.h"
#include "mesh/clock.h"
#include "mesh/shutdown.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void *request_seven(void *arg)
{
    mesh_shutdown_request(7);
    return arg;
}

static int child_by_request(void)
{
    mesh_shutdown_catch_signals();
    pthread_t thread;
    if (pthread_create(&thread, NULL, request_seven, NULL) != 0) {
        return 99;
    }
    int code = mesh_shutdown_wait();
    (void)pthread_join(thread, NULL);
    return code;
}

static int child_by_signal(void)
{
    mesh_shutdown_catch_signals();
    (void)kill(getpid(), SIGINT);
    int code = mesh_shutdown_wait();
    (void)kill(getpid(), SIGPIPE); /* ignored */
    (void)kill(getpid(), SIGTERM);
    int64_t from = mesh_clock_mono_us();
    mesh_shutdown_delay(600000);
    return mesh_clock_mono_us() - from < 60000000 ? code : 98;
}

static int exit_code_of(int (*child)(void))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(child());
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_a_request_from_another_thread_ends_the_wait_with_its_code(void **state)
{
    (void)state;
    assert_int_equal(exit_code_of(child_by_request), 7);
}

static void test_signals_end_the_wait_with_success_and_cut_delays(void **state)
{
    (void)state;
    assert_int_equal(exit_code_of(child_by_signal), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_from_another_thread_ends_the_wait_with_its_code),
        cmocka_unit_test(test_signals_end_the_wait_with_success_and_cut_delays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
