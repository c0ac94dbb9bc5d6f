/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a request is either given up, and then nothing of it may be worked on, or worked on, and
 * then not given up; a client is not blamed for what lies unread on our side.
 * Method: connections on pairs of sockets, with the real wheel and short limits.
 */
#include "cmocka_all.h"
#include "connection.h"
#include "mesh/clock.h"
#include "mesh/metrics.h"
#include "support.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BODY_US = 30000 };

static struct {
    struct connection_desk desk;
    struct connection *connection;
    int client;
    int server;
} test;

static int make(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    struct mesh_error err = {0};
    memset(&test, 0, sizeof(test));
    test.desk.deadlines = deadlines_new(&err);
    assert_non_null(test.desk.deadlines);
    test.desk.limits = (struct connection_limits){
        .head_us = INT64_C(60000000), .body_us = BODY_US, .request_us = INT64_C(60000000)};
    connection_desk_init(&test.desk);
    test.client = pair[0];
    test.server = pair[1];
    test.connection = connection_new(&test.desk, test.server);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    connection_free(test.connection);
    connection_desk_done(&test.desk);
    deadlines_free(test.desk.deadlines);
    close(test.client);
    close(test.server);
    mesh_metrics_done();
    return 0;
}

/* The answer to the client, once there is one. */
static bool is_answered(void *arg)
{
    (void)arg;
    char byte = 0;
    return recv(test.client, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

static bool is_late(void *arg)
{
    const int64_t *until_us = arg;
    return mesh_clock_mono_us() > *until_us;
}

/* Lets the deadline thread look a few times after the body's time is over. */
static void let_time_pass(void)
{
    int64_t until_us = mesh_clock_mono_us() + INT64_C(8) * BODY_US;
    support_wait(is_late, &until_us);
}

static void test_given_up_is_not_worked_on(void **state)
{
    (void)state;
    assert_true(connection_head_done(test.connection, mesh_clock_mono_us()));
    support_wait(is_answered, NULL);
    assert_false(connection_body_done(test.connection));
}

static void test_worked_on_is_not_given_up(void **state)
{
    (void)state;
    assert_true(connection_head_done(test.connection, mesh_clock_mono_us()));
    assert_true(connection_body_done(test.connection));
    let_time_pass();
    assert_false(is_answered(NULL));
    assert_true(connection_answers(test.connection, 0));
}

static void test_what_lies_unread_is_not_late(void **state)
{
    (void)state;
    char byte = 0;
    assert_int_equal(send(test.client, "x", 1, 0), 1);
    assert_true(connection_head_done(test.connection, mesh_clock_mono_us()));
    let_time_pass();
    assert_false(is_answered(NULL));
    assert_int_equal(recv(test.server, &byte, 1, 0), 1);
    support_wait(is_answered, NULL); /* now it is the client that is late */
    assert_false(connection_body_done(test.connection));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_given_up_is_not_worked_on),
        CASE(test_worked_on_is_not_given_up),
        CASE(test_what_lies_unread_is_not_late),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
