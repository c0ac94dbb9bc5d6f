/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: every request gets the right answer, in order, once, also while api stops.
 * Method: the whole of api but main(), real sockets, a gRPC server in this process.
 */
#include "cmocka_all.h"
#include "http_fixture.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_requests_and_their_answers(void **state)
{
    static const struct {
        const char *head;
        const char *body;
        int status;
        const char *text;
    } cases[] = {
        {JSON, GOOD, 202, "\"partition\":"},
        {JSON, "[" GOOD "]", 202, "\"accepted\":1"},
        {JSON, "[" GOOD ",1]", 207, "\"index\":1"},
        {JSON, "[1,2]", 422, "\"pointer\":\"/1\""},
        {JSON, "7", 422, "must be an object"},
        {JSON, "[]", 422, "at least one event"},
        {JSON, "", 400, "empty-body"},
        {JSON, "{", 400, "not-json"},
        {JSON, "{\"text\":\"\xFF\"}", 400, "not-utf8"},
        {"Content-Type: application/x-ndjson\r\n", GOOD "\n" GOOD, 202, "\"accepted\":2"},
        {"Content-Type: application/ndjson\r\n", GOOD "\n{", 400, "line 2"},
        {"Content-Type: text/plain\r\n", GOOD, 415, "unsupported-type"},
        {"", GOOD, 415, "unsupported-type"},
        {JSON "Content-Encoding: br\r\n", GOOD, 415, "unsupported-encoding"},
        {JSON "Content-Encoding: gzip\r\n", GOOD, 400, "bad-gzip"},
        {JSON "Idempotency-Key: a b\r\n", GOOD, 400, "bad-idempotency-key"},
        {JSON "Idempotency-Key: k\r\n", GOOD, 202, NULL},
        {JSON "Expect: 100-continue\r\n", GOOD, 202, NULL},
    };
    for (size_t i = 0; i < MESH_COUNT_OF(cases); i++) {
        http_expect_to(*state, "/input", cases[i].head, cases[i].body, cases[i].status,
                       cases[i].text);
    }
}

static void test_other_paths_and_methods(void **state)
{
    struct http_fixture *f = *state;
    static const struct {
        const char *line;
        int status;
        const char *text;
    } cases[] = {
        {"GET / HTTP/1.1", 200, "\"path\":\"/input\""},
        {"GET /openapi.json HTTP/1.1", 200, "\"openapi\":\"3.1.0\""},
        {"GET /nothing HTTP/1.1", 404, NULL},
        {"POST /input/ HTTP/1.1", 404, NULL},
        {"GET /input HTTP/1.1", 405, "\r\nAllow: POST\r\n"},
        {"DELETE /input HTTP/1.1", 405, "\r\nAllow: POST\r\n"},
        {"POST / HTTP/1.1", 405, "\r\nAllow: GET, HEAD\r\n"},
    };
    struct http_client client;
    http_client_connect(&client, f->port); /* one connection for all: refusals keep it */
    for (size_t i = 0; i < MESH_COUNT_OF(cases); i++) {
        http_client_send_text(&client, cases[i].line);
        http_client_send_text(&client, "\r\nHost: test\r\nContent-Length: 2\r\n\r\nxy");
        http_expect(&client, cases[i].status, cases[i].text);
    }
    http_client_close(&client);
}

static void test_the_same_key_gives_the_same_id(void **state)
{
    struct http_fixture *f = *state;
    struct http_client client;
    char ids[2][37];
    http_client_connect(&client, f->port);
    for (size_t i = 0; i < 2; i++) {
        http_client_post(&client, "/input", JSON "Idempotency-Key: once\r\n", GOOD);
        struct http_reply reply = http_client_reply(&client);
        assert_int_equal(reply.status, 202);
        snprintf(ids[i], sizeof(ids[i]), "%s", reply.body + strlen("{\"id\":\""));
        http_reply_done(&reply);
    }
    assert_string_equal(ids[0], ids[1]);
    assert_int_equal(ingest_server_seen(f->server, ids[0]), 2);
    http_client_close(&client);
}

/* Spans are off in this program. */
static void test_the_callers_trace_goes_on_as_it_is_or_none_does(void **state)
{
#define TRACE_IDS "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-"
    static const struct {
        const char *head;
        const char *traceparent;
    } cases[] = {
        {JSON "traceparent: " TRACE_IDS "01\r\n", TRACE_IDS "01"},
        {JSON "traceparent: " TRACE_IDS "00\r\n", TRACE_IDS "00"},
        {JSON "traceparent: " TRACE_IDS "0x\r\n", ""},
        {JSON, ""},
    };
    struct http_fixture *f = *state;
    for (size_t i = 0; i < MESH_COUNT_OF(cases); i++) {
        http_expect_to(f, "/input", cases[i].head, GOOD, 202, NULL);
        char *payload;
        char *traceparent;
        ingest_server_last(f->server, &payload, &traceparent);
        assert_string_equal(payload, "{\"text\":\"rain\",\"country\":\"Guatemala\"}");
        assert_string_equal(traceparent, cases[i].traceparent);
        free(payload);
        free(traceparent);
    }
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
    struct http_fixture *f = *state;
    struct http_client client;
    http_client_connect(&client, f->port);
    for (size_t i = 0; i < 20; i++) {
        http_client_post(&client, "/input", JSON, i % 2 == 0 ? GOOD : "{");
    }
    for (size_t i = 0; i < 20; i++) {
        http_expect(&client, i % 2 == 0 ? 202 : 400, NULL);
    }
    http_client_close(&client);
}

static void test_chunked_bodies(void **state)
{
    struct http_fixture *f = *state;
    struct http_client client;
    http_client_connect(&client, f->port);
    http_client_send_text(&client, "POST /input HTTP/1.1\r\nHost: t\r\n" JSON
                                   "Transfer-Encoding: chunked\r\n\r\n"
                                   "8\r\n{\"text\":\r\n17\r\n\"rain\",\"country\":\"gt\"} \r\n"
                                   "0\r\n\r\n");
    http_expect(&client, 202, NULL);
    http_client_close(&client);
}

static void test_storage_that_fails_is_told(void **state)
{
    struct http_fixture *f = *state;
    ingest_server_set_mode(f->server, INGEST_FAILS);
    ingest_server_fail_with(f->server, 14);
    http_expect_to(f, "/input", JSON, GOOD, 503, "Retry-After: 1");
    ingest_server_fail_with(f->server, 4);
    http_expect_to(f, "/input", JSON, GOOD, 504, "Idempotency-Key");
    ingest_server_set_mode(f->server, INGEST_NO_OFFSETS);
    http_expect_to(f, "/input", JSON, GOOD, 202, "\"offset\":null");
}

static void test_a_client_that_leaves_is_forgotten(void **state)
{
    struct http_fixture *f = *state;
    struct http_client client;
    ingest_server_set_mode(f->server, INGEST_REVERSES);
    http_client_connect(&client, f->port);
    http_client_post(&client, "/input", JSON, GOOD);
    support_wait(http_fixture_event_came, f->server);
    http_client_close(&client);
    http_expect_to(f, "/input", JSON, GOOD, 202, NULL);
    support_wait(http_fixture_nothing_in_flight, f);
}

static bool two_came(void *arg)
{
    return ingest_server_events(arg) >= 2;
}

static bool five_came(void *arg)
{
    return ingest_server_events(arg) >= 5;
}

static void test_a_stop_finishes_requests_and_closes_idle_connections(void **state)
{
    struct http_fixture *f = *state;
    struct http_client idle;
    struct http_client busy;
    http_client_connect(&idle, f->port);
    http_client_post(&idle, "/input", JSON, GOOD);
    http_expect(&idle, 202, NULL);
    ingest_server_set_mode(f->server, INGEST_REVERSES);
    http_client_connect(&busy, f->port);
    http_client_post(&busy, "/input", JSON, GOOD);
    support_wait(two_came, f->server);
    http_close_connections(f->http);
    http_client_post(&idle, "/input", JSON, GOOD); /* the second of the pair */
    http_expect(&idle, 202, "Connection: close");
    http_expect(&busy, 202, "Connection: close");
    assert_true(http_client_ended(&idle));
    http_client_close(&idle);
    http_client_close(&busy);

    http_client_connect(&idle, f->port);
    http_client_connect(&busy, f->port);
    ingest_server_set_mode(f->server, INGEST_HOLDS);
    assert_int_equal(ingest_server_events(f->server), 3);
    http_client_post(&busy, "/input", JSON, "[" GOOD "," GOOD "]");
    support_wait(five_came, f->server);
    http_free(f->http, 0); /* no time: what is sent is unknown */
    f->http = NULL;
    http_expect(&busy, 504, NULL);
    assert_true(http_client_ended(&idle));
    http_client_close(&idle);
    http_client_close(&busy);
}

#define PATIENT(test)                                                                              \
    cmocka_unit_test_setup_teardown(test, http_fixture_patient, http_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PATIENT(test_requests_and_their_answers),
        PATIENT(test_other_paths_and_methods),
        PATIENT(test_the_same_key_gives_the_same_id),
        PATIENT(test_the_callers_trace_goes_on_as_it_is_or_none_does),
        PATIENT(test_pipelined_requests_are_answered_in_order),
        PATIENT(test_chunked_bodies),
        PATIENT(test_storage_that_fails_is_told),
        PATIENT(test_a_client_that_leaves_is_forgotten),
        PATIENT(test_a_stop_finishes_requests_and_closes_idle_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
