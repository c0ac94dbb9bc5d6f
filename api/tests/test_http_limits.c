/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what is too large, too slow or too much is refused with the right answer, which also
 * clients get that go on sending; nobody keeps a connection or memory for ever. Method: the whole
 * of api but main(), raw sockets, a gRPC server in this process; deadlines of fractions of a second
 * where they are to be reached.
 */
#include "cmocka_all.h"
#include "http_fixture.h"
#include "mesh/alloc.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <zlib.h>

static void test_too_large_is_refused_before_it_is_read(void **state)
{
    struct http_fixture *f = *state;
    struct http_client client;
    http_client_connect(&client, f->port);
    http_client_send_text(&client, "POST /input HTTP/1.1\r\nHost: t\r\n" JSON
                                   "Content-Length: 1048577\r\n\r\n");
    http_expect(&client, 413, "Connection: close");
    http_client_close(&client);
}

/* What a proxy in front may read in another way than libmicrohttpd. */
static void test_heads_that_can_be_read_in_two_ways_are_refused(void **state)
{
    static const char *const heads[] = {
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: 2\r\nContent-Length: 2\r\n",
        "Content-Length: 2\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\n",
    };
    struct http_fixture *f = *state;
    for (size_t i = 0; i < MESH_COUNT_OF(heads); i++) {
        struct http_client client;
        char head[256];
        http_client_connect(&client, f->port);
        snprintf(head, sizeof(head), "POST /input HTTP/1.1\r\nHost: t\r\n" JSON "%s\r\n{}",
                 heads[i]);
        http_client_send_text(&client, head);
        http_expect(&client, 400, "Connection: close");
        http_client_close(&client);
    }
    assert_int_equal(ingest_server_events(f->server), 0);

    /* A length beside chunks: libmicrohttpd's own refusal. */
    struct http_client client;
    http_client_connect(&client, f->port);
    http_client_send_text(&client, "POST /input HTTP/1.1\r\nHost: t\r\n" JSON
                                   "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n");
    struct http_reply reply = http_client_reply(&client);
    assert_int_equal(reply.status, 400);
    http_reply_done(&reply);
    http_client_close(&client);
}

/* The client sends all before it reads: the answer must not be lost. */
static void test_too_large_is_told_to_clients_that_go_on_sending(void **state)
{
    struct http_fixture *f = *state;
    size_t size = 8388608;
    char *spaces = mesh_alloc(size);
    memset(spaces, ' ', size);
    struct http_client client;
    http_client_connect(&client, f->port);
    http_client_send_text(&client, "POST /input HTTP/1.1\r\nHost: t\r\n" JSON
                                   "Content-Length: 8388608\r\n\r\n");
    http_client_send(&client, spaces, size);
    http_expect(&client, 413, NULL);
    http_client_close(&client);

    http_client_connect(&client, f->port);
    http_client_send_text(&client, "POST /input HTTP/1.1\r\nHost: t\r\n" JSON
                                   "Transfer-Encoding: chunked\r\n\r\n800000\r\n");
    http_client_send(&client, spaces, size);
    http_expect(&client, 413, "Connection: close");
    http_client_close(&client);
    free(spaces);
}

static void test_too_long_heads_are_refused(void **state)
{
    char long_text[10001];
    memset(long_text, 'a', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    struct http_fixture *f = *state;
    struct http_client client;
    http_client_connect(&client, f->port);
    http_client_send_text(&client, "GET / HTTP/1.1\r\nHost: t\r\nX-Long: ");
    http_client_send_text(&client, long_text);
    http_client_send_text(&client, "\r\n\r\n");
    http_expect(&client, 431, "head-too-large");
    http_client_send_text(&client, "GET /");
    http_client_send(&client, long_text, 3000);
    http_client_send_text(&client, " HTTP/1.1\r\nHost: t\r\n\r\n");
    http_expect(&client, 414, "path-too-long");
    http_client_close(&client);
}

static void test_a_gzip_bomb_is_refused(void **state)
{
    struct http_fixture *f = *state;
    uLong size = 64194304;
    uint8_t *zeros = mesh_alloc_zeroed(1, size);
    z_stream zlib = {.next_in = zeros, .avail_in = (uInt)size};
    deflateInit2(&zlib, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY);
    uLong room = deflateBound(&zlib, size);
    uint8_t *packed = mesh_alloc(room);
    zlib.next_out = packed;
    zlib.avail_out = (uInt)room;
    assert_int_equal(deflate(&zlib, Z_FINISH), Z_STREAM_END);

    struct http_client client;
    char head[256];
    http_client_connect(&client, f->port);
    snprintf(head, sizeof(head),
             "POST /input HTTP/1.1\r\nHost: t\r\n" JSON
             "Content-Encoding: gzip\r\nContent-Length: %lu\r\n\r\n",
             zlib.total_out);
    http_client_send_text(&client, head);
    http_client_send(&client, packed, zlib.total_out);
    http_expect(&client, 413, "too-large");
    http_client_close(&client);
    deflateEnd(&zlib);
    free(packed);
    free(zeros);
}

static void test_too_many_events_in_flight_are_refused_at_once(void **state)
{
    struct http_fixture *f = *state;
    struct http_client held;
    struct mesh_buffer json = {0};
    for (size_t i = 0; i < 1000; i++) {
        mesh_buffer_add_text(&json, i == 0 ? "[" : ",");
        mesh_buffer_add_text(&json, GOOD);
    }
    mesh_buffer_add_text(&json, "]");
    atomic_fetch_add(&f->requests.events, 1000); /* as if another thousand were on their way */
    ingest_server_set_mode(f->server, INGEST_HOLDS);
    http_client_connect(&held, f->port);
    http_client_post(&held, "/input", JSON, json.data);
    support_wait(http_fixture_event_came, f->server);
    http_expect_to(f, "/input", JSON, GOOD, 503, "overloaded");
    atomic_fetch_sub(&f->requests.events, 1000);
    ingest_server_set_mode(f->server, INGEST_BREAKS);
    struct http_client other;
    http_client_connect(&other, f->port);
    http_client_post(&other, "/input", JSON, GOOD);
    support_wait(http_fixture_broken, f->server); /* it broke, and all is sent again */
    ingest_server_set_mode(f->server, INGEST_STORES);
    http_expect(&other, 202, NULL);
    http_expect(&held, 202, "\"accepted\":1000");
    http_client_close(&other);
    http_client_close(&held);
    mesh_buffer_done(&json);
}

static bool few_are_let_in(void *requests)
{
    struct request_desk *desk = requests;
    return atomic_load(&desk->admission.limit) == ADMISSION_EVENTS_MIN;
}

static bool all_are_let_in(void *requests)
{
    struct request_desk *desk = requests;
    return atomic_load(&desk->admission.limit) == desk->events_max;
}

/* Also when far fewer events are in flight than there may be. */
static void test_a_queue_that_stands_still_is_not_joined(void **state)
{
    struct http_fixture *f = *state;
    struct http_client held;
    struct mesh_buffer json = {0};
    for (size_t i = 0; i < ADMISSION_EVENTS_MIN; i++) {
        mesh_buffer_add_text(&json, i == 0 ? "[" GOOD : "," GOOD);
    }
    mesh_buffer_add_text(&json, "]");
    ingest_server_set_mode(f->server, INGEST_HOLDS);
    http_client_connect(&held, f->port);
    http_client_post(&held, "/input", JSON, json.data);
    support_wait(few_are_let_in, &f->requests);
    http_expect_to(f, "/input", JSON, GOOD, 503, "events wait too long");
    http_expect_to(f, "/input", JSON, GOOD, 503, "Retry-After: ");
    assert_int_equal(mesh_metric_value(f->requests.limit_wait), 2);
    ingest_server_set_mode(f->server, INGEST_STORES);
    http_expect(&held, 202, "\"accepted\":100");
    support_wait(all_are_let_in, &f->requests);
    http_expect_to(f, "/input", JSON, GOOD, 202, NULL);
    http_client_close(&held);
    mesh_buffer_done(&json);
}

static void test_a_slow_head_is_refused(void **state)
{
    struct http_fixture *f = *state;
    struct http_client client;
    http_client_connect(&client, f->port);
    http_client_send_text(&client, "POST /input HTTP/1.1\r\nHost: t\r\nX-Slow: ");
    http_expect(&client, 408, "head");
    assert_true(http_client_ended(&client));
    http_client_close(&client);

    http_client_connect(&client, f->port);
    http_client_post(&client, "/input", JSON, GOOD);
    http_expect(&client, 202, NULL);
    http_client_send_text(&client, "POST /in");
    http_expect(&client, 408, "head");
    http_client_close(&client);
}

static void test_a_connection_that_sends_nothing_is_closed(void **state)
{
    struct http_fixture *f = *state;
    struct http_client client;
    http_client_connect(&client, f->port);
    assert_true(http_client_ended(&client));
    http_client_close(&client);
}

static void test_a_slow_body_is_refused_though_it_never_pauses(void **state)
{
    struct http_fixture *f = *state;
    struct http_client client;
    http_client_connect(&client, f->port);
    http_client_send_text(&client, "POST /input HTTP/1.1\r\nHost: t\r\n" JSON
                                   "Content-Length: 1000000\r\n\r\n");
    struct timeval soon = {.tv_usec = 10000};
    setsockopt(client.socket, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
    int64_t tries = SUPPORT_WAIT_MS / 10;
    char first;
    while (recv(client.socket, &first, 1, MSG_PEEK) < 0 && tries-- > 0) {
        http_client_send_text(&client, " ");
    }
    http_expect(&client, 408, "body");
    http_client_close(&client);
}

static void test_no_answer_in_time_is_unknown(void **state)
{
    struct http_fixture *f = *state;
    ingest_server_set_mode(f->server, INGEST_HOLDS);
    struct http_client client;
    http_client_connect(&client, f->port);
    http_client_post(&client, "/input", JSON, "[" GOOD "," GOOD "]");
    http_expect(&client, 504, "outcome-unknown");
    ingest_server_set_mode(f->server, INGEST_STORES);
    http_client_post(&client, "/input", JSON, GOOD);
    http_expect(&client, 202, NULL);
    http_client_close(&client);
    support_wait(http_fixture_nothing_in_flight, f); /* the stream that never answered was left */
}

#define PATIENT(test)                                                                              \
    cmocka_unit_test_setup_teardown(test, http_fixture_patient, http_fixture_teardown)
#define CROWDED(test)                                                                              \
    cmocka_unit_test_setup_teardown(test, http_fixture_crowded, http_fixture_teardown)
#define IMPATIENT(test)                                                                            \
    cmocka_unit_test_setup_teardown(test, http_fixture_impatient, http_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PATIENT(test_too_large_is_refused_before_it_is_read),
        PATIENT(test_too_large_is_told_to_clients_that_go_on_sending),
        PATIENT(test_heads_that_can_be_read_in_two_ways_are_refused),
        PATIENT(test_too_long_heads_are_refused),
        PATIENT(test_a_gzip_bomb_is_refused),
        PATIENT(test_too_many_events_in_flight_are_refused_at_once),
        CROWDED(test_a_queue_that_stands_still_is_not_joined),
        IMPATIENT(test_a_slow_head_is_refused),
        IMPATIENT(test_a_connection_that_sends_nothing_is_closed),
        IMPATIENT(test_a_slow_body_is_refused_though_it_never_pauses),
        IMPATIENT(test_no_answer_in_time_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
