/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: however many requests wait, however long, each is answered once; of those whose clients go
 * away meanwhile every outcome is counted, they are late like others, and hold nothing up.
 * Method: the whole of api but main(), real sockets, a gRPC server in this process that answers
 * when it is told to.
 */
#include "cmocka_all.h"
#include "http_fixture.h"
#include "support.h"

#include <stdlib.h>
#include <sys/socket.h>

/* More than a loop keeps in line, on each of the two. */
#define CLIENT_COUNT 180
#define LEAVING_COUNT 20

static size_t events_wanted;

static bool all_came(void *arg)
{
    return ingest_server_events(arg) >= events_wanted;
}

/* Clients whose second request waits: libmicrohttpd has the kernel watch a connection only once it
 * was idle. */
static void post_all(struct http_fixture *f, struct http_client *clients, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        http_client_connect(&clients[i], f->port);
        http_client_post(&clients[i], "/input", JSON, GOOD);
        http_expect(&clients[i], 202, NULL);
    }
    ingest_server_set_mode(f->server, INGEST_HOLDS);
    events_wanted = ingest_server_events(f->server) + count;
    for (size_t i = 0; i < count; i++) {
        http_client_post(&clients[i], "/input", JSON, GOOD);
    }
    support_wait(all_came, f->server);
}

/* Has everything sent again, to be stored. */
static void let_go(struct http_fixture *f)
{
    struct http_client breaker;
    ingest_server_set_mode(f->server, INGEST_BREAKS);
    http_client_connect(&breaker, f->port);
    http_client_post(&breaker, "/input", JSON, GOOD);
    support_wait(http_fixture_broken, f->server);
    ingest_server_set_mode(f->server, INGEST_STORES);
    http_expect(&breaker, 202, NULL);
    http_client_close(&breaker);
}

/* The server learns at once that nobody is there any more. */
static void reset(struct http_client *client)
{
    struct linger now = {.l_onoff = 1};
    setsockopt(client->socket, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    http_client_close(client);
}

static void test_many_wait_long(void **state)
{
    struct http_fixture *f = *state;
    struct http_client clients[CLIENT_COUNT];
    post_all(f, clients, CLIENT_COUNT);
    let_go(f);
    for (size_t i = 0; i < CLIENT_COUNT; i++) {
        http_expect(&clients[i], 202, NULL);
        http_client_post(&clients[i], "/input", JSON, GOOD);
        http_expect(&clients[i], 202, NULL);
        http_client_close(&clients[i]);
    }
}

static void test_what_comes_while_another_waits_is_served(void **state)
{
    struct http_fixture *f = *state;
    struct http_client waiting;
    post_all(f, &waiting, 1);
    http_client_send_text(&waiting, "GET / HTTP/1.1\r\nHost: t\r\n\r\n");
    for (size_t i = 0; i < 20; i++) {
        http_expect_to(f, "/input", JSON, "{", 400, "not-json");
    }
    let_go(f);
    http_expect(&waiting, 202, NULL);
    http_expect(&waiting, 200, "\"path\":\"/input\"");
    http_client_close(&waiting);
}

static void test_who_leaves_while_it_waits_is_counted(void **state)
{
    struct http_fixture *f = *state;
    struct http_client clients[LEAVING_COUNT];
    post_all(f, clients, LEAVING_COUNT);
    for (size_t i = 0; i < LEAVING_COUNT; i++) {
        reset(&clients[i]);
    }
    let_go(f);
    support_wait(http_fixture_nothing_in_flight, f);
    assert_int_equal(atomic_load(&f->requests.stored), 2 * LEAVING_COUNT + 1);
}

static void test_who_leaves_while_it_waits_is_late_like_others(void **state)
{
    struct http_fixture *f = *state;
    struct http_client client;
    post_all(f, &client, 1);
    reset(&client);
    support_wait(http_fixture_nothing_in_flight, f);
    assert_int_equal(atomic_load(&f->requests.stored), 1);
}

static void test_who_leaves_while_it_waits_does_not_hold_up_a_stop(void **state)
{
    struct http_fixture *f = *state;
    struct http_client client;
    post_all(f, &client, 1);
    reset(&client);
    http_free(f->http, 0);
    f->http = NULL;
}

static void expect_idle(const struct http_client *client)
{
    struct timeval longer_than_a_head = {.tv_usec = 900000};
    char byte = 0;
    setsockopt(client->socket, SOL_SOCKET, SO_RCVTIMEO, &longer_than_a_head,
               sizeof(longer_than_a_head));
    assert_int_equal(recv(client->socket, &byte, 1, 0), -1); /* neither a 408 nor an end */
    struct timeval long_enough = {.tv_sec = SUPPORT_WAIT_MS / 1000};
    setsockopt(client->socket, SOL_SOCKET, SO_RCVTIMEO, &long_enough, sizeof(long_enough));
}

/* If its bytes were counted wrongly, it would be taken for one that sends its head slowly. */
static void test_a_kept_connection_may_be_idle(void **state)
{
    struct http_fixture *f = *state;
    struct http_client client;
    http_client_connect(&client, f->port);
    for (size_t i = 0; i < 2; i++) {
        http_client_post(&client, "/input", JSON, GOOD);
        http_expect(&client, 202, NULL);
        http_client_send_text(&client, "GET / HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\nxy");
        http_expect(&client, 200, NULL);
        expect_idle(&client);
        http_client_send_text(&client, "POST /input HTTP/1.1\r\nHost: t\r\n" JSON
                                       "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n\r\n");
        http_expect(&client, 400, "not-json");
        expect_idle(&client);
    }
    http_client_send_text(&client, "POST /in");
    http_expect(&client, 408, "head");
    http_client_close(&client);
}

#define PATIENT(test)                                                                              \
    cmocka_unit_test_setup_teardown(test, http_fixture_patient, http_fixture_teardown)
#define IMPATIENT(test)                                                                            \
    cmocka_unit_test_setup_teardown(test, http_fixture_impatient, http_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PATIENT(test_many_wait_long),
        PATIENT(test_what_comes_while_another_waits_is_served),
        PATIENT(test_who_leaves_while_it_waits_is_counted),
        IMPATIENT(test_who_leaves_while_it_waits_is_late_like_others),
        PATIENT(test_who_leaves_while_it_waits_does_not_hold_up_a_stop),
        IMPATIENT(test_a_kept_connection_may_be_idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
