/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: every client gets the right answer, also the slow, the rude and the broken one, and nobody
 * keeps a connection or memory for ever.
 * Method: the whole of api but main(), real sockets, a gRPC server in this process.
 */
#include "cmocka_all.h"
#include "http.h"
#include "http_client.h"
#include "ingest_server.h"
#include "mesh/alloc.h"
#include "openapi.h"
#include "support.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <zlib.h>

#define GOOD "{\"text\":\"rain\",\"country\":\"gt\"}"
#define JSON "Content-Type: application/json\r\n"

struct fixture {
    struct mesh_streams *streams;
    struct ingest_server *server;
    struct publish *publish;
    struct deadlines *deadlines;
    struct request_desk requests;
    struct mesh_buffer openapi;
    struct http *http;
    uint16_t port;
};

static bool is_ready(void *arg)
{
    return publish_ready(arg);
}

static bool has_come(void *arg)
{
    return ingest_server_events(arg) > 0;
}

static bool two_streams(void *arg)
{
    return ingest_server_streams(arg) >= 2;
}

static bool nothing_in_flight(void *arg)
{
    struct fixture *fixture = arg;
    return atomic_load(&fixture->requests.bytes) == 0 &&
           atomic_load(&fixture->requests.events) == 0;
}

static int start(void **state, struct connection_limits limits, uint32_t reply_ms_max)
{
    struct mesh_error err = {0};
    struct fixture *f = mesh_new(struct fixture);
    f->streams = support_streams();
    f->server = ingest_server_new(0);
    char target[64];
    snprintf(target, sizeof(target), "127.0.0.1:%u", (unsigned)ingest_server_port(f->server));
    f->publish = publish_new(&(struct publish_options){.target = target,
                                                       .down_ms_max = 2000,
                                                       .reply_ms_max = reply_ms_max},
                             &err);
    assert_non_null(f->publish);
    support_wait(is_ready, f->publish);
    f->deadlines = deadlines_new(&err);
    f->requests = (struct request_desk){.publish = f->publish,
                                        .bytes_max = 4 * 1024 * 1024,
                                        .events_max = 2000,
                                        .streams = f->streams};
    request_desk_init(&f->requests);
    openapi_write(f->streams, &f->openapi);
    f->http = http_new(&(struct http_options){.host = "127.0.0.1",
                                              .threads = 2,
                                              .connections_max = 100,
                                              .idle_s_max = 30,
                                              .limits = limits,
                                              .streams = f->streams,
                                              .requests = &f->requests,
                                              .deadlines = f->deadlines,
                                              .openapi = mesh_buffer_bytes(&f->openapi)},
                       &err);
    assert_non_null(f->http);
    f->port = http_port(f->http);
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return start(state,
                 (struct connection_limits){
                     .head_us = 600000000, .body_us = 600000000, .request_us = 600000000},
                 60000);
}

static int setup_impatient(void **state)
{
    return start(
        state,
        (struct connection_limits){.head_us = 300000, .body_us = 300000, .request_us = 500000},
        1000);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    http_free(f->http, SUPPORT_WAIT_MS);
    publish_free(f->publish);
    assert_true(nothing_in_flight(f));
    request_desk_done(&f->requests);
    deadlines_free(f->deadlines);
    ingest_server_free(f->server);
    mesh_buffer_done(&f->openapi);
    mesh_streams_free(f->streams);
    free(f);
    return 0;
}

/* Reads a reply and compares; text is part of head or body. Every refusal must be a problem. */
static void expect(struct http_client *client, int status, const char *text)
{
    struct http_reply reply = http_client_reply(client);
    assert_int_equal(reply.status, status);
    if (status >= 400) {
        assert_non_null(strstr(reply.head, "Content-Type: application/problem+json\r\n"));
        assert_non_null(strstr(reply.body, "\"type\":\"urn:tweetmesh:problem:"));
    }
    if (text != NULL && strstr(reply.body, text) == NULL && strstr(reply.head, text) == NULL) {
        fail_msg("%s not in %s%s", text, reply.head, reply.body);
    }
    http_reply_done(&reply);
}

static void expect_to(struct fixture *f, const char *path, const char *head, const char *body,
                      int status, const char *text)
{
    struct http_client client;
    http_client_connect(&client, f->port);
    http_client_post(&client, path, head, body);
    expect(&client, status, text);
    http_client_close(&client);
}

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
        expect_to(*state, "/input", cases[i].head, cases[i].body, cases[i].status, cases[i].text);
    }
}

static void test_other_paths_and_methods(void **state)
{
    struct fixture *f = *state;
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
        expect(&client, cases[i].status, cases[i].text);
    }
    http_client_close(&client);
}

static void test_the_same_key_gives_the_same_id(void **state)
{
    struct fixture *f = *state;
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

static void test_the_trace_goes_on(void **state)
{
    struct fixture *f = *state;
    const char *trace = "0af7651916cd43dd8448eb211c80319c";
    expect_to(f, "/input",
              JSON "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n", GOOD,
              202, NULL);
    char *payload;
    char *traceparent;
    ingest_server_last(f->server, &payload, &traceparent);
    assert_string_equal(payload, "{\"text\":\"rain\",\"country\":\"Guatemala\"}");
    assert_memory_equal(traceparent + 3, trace, strlen(trace));
    assert_null(strstr(traceparent, "b7ad6b7169203331"));
    free(payload);
    free(traceparent);
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
    struct fixture *f = *state;
    struct http_client client;
    http_client_connect(&client, f->port);
    for (size_t i = 0; i < 20; i++) {
        http_client_post(&client, "/input", JSON, i % 2 == 0 ? GOOD : "{");
    }
    for (size_t i = 0; i < 20; i++) {
        expect(&client, i % 2 == 0 ? 202 : 400, NULL);
    }
    http_client_close(&client);
}

static void test_chunked_bodies(void **state)
{
    struct fixture *f = *state;
    struct http_client client;
    http_client_connect(&client, f->port);
    http_client_send_text(&client, "POST /input HTTP/1.1\r\nHost: t\r\n" JSON
                                   "Transfer-Encoding: chunked\r\n\r\n"
                                   "8\r\n{\"text\":\r\n17\r\n\"rain\",\"country\":\"gt\"} \r\n"
                                   "0\r\n\r\n");
    expect(&client, 202, NULL);
    http_client_close(&client);
}

static void test_too_large_is_refused_before_it_is_read(void **state)
{
    struct fixture *f = *state;
    struct http_client client;
    http_client_connect(&client, f->port);
    http_client_send_text(&client, "POST /input HTTP/1.1\r\nHost: t\r\n" JSON
                                   "Content-Length: 1048577\r\n\r\n");
    expect(&client, 413, "Connection: close");
    http_client_close(&client);
}

/* The client sends all before it reads: the answer must not be lost. */
static void test_too_large_is_told_to_clients_that_go_on_sending(void **state)
{
    struct fixture *f = *state;
    size_t size = 8 * 1024 * 1024;
    char *spaces = mesh_alloc(size);
    memset(spaces, ' ', size);
    struct http_client client;
    http_client_connect(&client, f->port);
    http_client_send_text(&client, "POST /input HTTP/1.1\r\nHost: t\r\n" JSON
                                   "Content-Length: 8388608\r\n\r\n");
    http_client_send(&client, spaces, size);
    expect(&client, 413, NULL);
    http_client_close(&client);

    http_client_connect(&client, f->port);
    http_client_send_text(&client, "POST /input HTTP/1.1\r\nHost: t\r\n" JSON
                                   "Transfer-Encoding: chunked\r\n\r\n800000\r\n");
    http_client_send(&client, spaces, size);
    expect(&client, 413, "Connection: close");
    http_client_close(&client);
    free(spaces);
}

static void test_too_long_heads_are_refused(void **state)
{
    char long_text[10001];
    memset(long_text, 'a', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    struct fixture *f = *state;
    struct http_client client;
    http_client_connect(&client, f->port);
    http_client_send_text(&client, "GET / HTTP/1.1\r\nHost: t\r\nX-Long: ");
    http_client_send_text(&client, long_text);
    http_client_send_text(&client, "\r\n\r\n");
    expect(&client, 431, "head-too-large");
    http_client_send_text(&client, "GET /");
    http_client_send(&client, long_text, 3000);
    http_client_send_text(&client, " HTTP/1.1\r\nHost: t\r\n\r\n");
    expect(&client, 414, "path-too-long");
    http_client_close(&client);
}

static void test_a_gzip_bomb_is_refused(void **state)
{
    struct fixture *f = *state;
    uLong size = 64 * 1024 * 1024;
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
    expect(&client, 413, "too-large");
    http_client_close(&client);
    deflateEnd(&zlib);
    free(packed);
    free(zeros);
}

static void test_storage_that_fails_is_told(void **state)
{
    struct fixture *f = *state;
    ingest_server_set_mode(f->server, INGEST_FAILS);
    ingest_server_fail_with(f->server, 14);
    expect_to(f, "/input", JSON, GOOD, 503, "Retry-After: 1");
    ingest_server_fail_with(f->server, 4);
    expect_to(f, "/input", JSON, GOOD, 504, "Idempotency-Key");
    ingest_server_set_mode(f->server, INGEST_NO_OFFSETS);
    expect_to(f, "/input", JSON, GOOD, 202, "\"offset\":null");
}

static void test_too_many_events_in_flight_are_refused_at_once(void **state)
{
    struct fixture *f = *state;
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
    support_wait(has_come, f->server);
    expect_to(f, "/input", JSON, GOOD, 503, "overloaded");
    atomic_fetch_sub(&f->requests.events, 1000);
    ingest_server_set_mode(f->server, INGEST_BREAKS);
    struct http_client other;
    http_client_connect(&other, f->port);
    http_client_post(&other, "/input", JSON, GOOD);
    support_wait(two_streams, f->server); /* it broke, and all is sent again */
    ingest_server_set_mode(f->server, INGEST_STORES);
    expect(&other, 202, NULL);
    expect(&held, 202, "\"accepted\":1000");
    http_client_close(&other);
    http_client_close(&held);
    mesh_buffer_done(&json);
}

static void test_a_client_that_leaves_is_forgotten(void **state)
{
    struct fixture *f = *state;
    struct http_client client;
    ingest_server_set_mode(f->server, INGEST_REVERSES);
    http_client_connect(&client, f->port);
    http_client_post(&client, "/input", JSON, GOOD);
    support_wait(has_come, f->server);
    http_client_close(&client);
    expect_to(f, "/input", JSON, GOOD, 202, NULL);
    support_wait(nothing_in_flight, f);
}

static void test_a_slow_head_is_refused(void **state)
{
    struct fixture *f = *state;
    struct http_client client;
    http_client_connect(&client, f->port);
    http_client_send_text(&client, "POST /input HTTP/1.1\r\nHost: t\r\nX-Slow: ");
    expect(&client, 408, "head");
    assert_true(http_client_ended(&client));
    http_client_close(&client);

    http_client_connect(&client, f->port);
    http_client_post(&client, "/input", JSON, GOOD);
    expect(&client, 202, NULL);
    http_client_send_text(&client, "POST /in");
    struct http_reply reply = http_client_reply(&client);
    assert_true(reply.status == 408 || reply.status == 0); /* 0: came before the first look */
    http_reply_done(&reply);
    http_client_close(&client);
}

static void test_a_connection_that_sends_nothing_is_closed(void **state)
{
    struct fixture *f = *state;
    struct http_client client;
    http_client_connect(&client, f->port);
    assert_true(http_client_ended(&client));
    http_client_close(&client);
}

static void test_a_slow_body_is_refused_though_it_never_pauses(void **state)
{
    struct fixture *f = *state;
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
    expect(&client, 408, "body");
    http_client_close(&client);
}

static void test_no_answer_in_time_is_unknown(void **state)
{
    struct fixture *f = *state;
    ingest_server_set_mode(f->server, INGEST_HOLDS);
    struct http_client client;
    http_client_connect(&client, f->port);
    http_client_post(&client, "/input", JSON, "[" GOOD "," GOOD "]");
    expect(&client, 504, "outcome-unknown");
    ingest_server_set_mode(f->server, INGEST_STORES);
    http_client_post(&client, "/input", JSON, GOOD);
    expect(&client, 202, NULL);
    http_client_close(&client);
    support_wait(nothing_in_flight, f); /* the stream that never answered was left */
}

static void test_a_stop_finishes_requests_and_closes_idle_connections(void **state)
{
    struct fixture *f = *state;
    struct http_client idle;
    struct http_client busy;
    http_client_connect(&idle, f->port);
    http_client_post(&idle, "/input", JSON, GOOD);
    expect(&idle, 202, NULL);
    ingest_server_set_mode(f->server, INGEST_REVERSES);
    http_client_connect(&busy, f->port);
    http_client_post(&busy, "/input", JSON, GOOD);
    support_wait(has_come, f->server);
    http_close_connections(f->http);
    http_client_post(&idle, "/input", JSON, GOOD); /* the second of the pair */
    expect(&idle, 202, "Connection: close");
    expect(&busy, 202, "Connection: close");
    assert_true(http_client_ended(&idle));
    http_client_close(&idle);
    http_client_close(&busy);

    http_client_connect(&idle, f->port);
    http_client_connect(&busy, f->port);
    ingest_server_set_mode(f->server, INGEST_HOLDS);
    size_t seen = ingest_server_events(f->server);
    assert_int_equal(seen, 3);
    http_client_post(&busy, "/input", JSON, "[" GOOD "," GOOD "]");
    while (ingest_server_events(f->server) == seen) {
    }
    http_free(f->http, 0); /* no time: what is sent is unknown */
    f->http = NULL;
    expect(&busy, 504, NULL);
    assert_true(http_client_ended(&idle));
    http_client_close(&idle);
    http_client_close(&busy);
}

#define PATIENT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define IMPATIENT(test) cmocka_unit_test_setup_teardown(test, setup_impatient, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PATIENT(test_requests_and_their_answers),
        PATIENT(test_other_paths_and_methods),
        PATIENT(test_the_same_key_gives_the_same_id),
        PATIENT(test_the_trace_goes_on),
        PATIENT(test_pipelined_requests_are_answered_in_order),
        PATIENT(test_chunked_bodies),
        PATIENT(test_too_large_is_refused_before_it_is_read),
        PATIENT(test_too_large_is_told_to_clients_that_go_on_sending),
        PATIENT(test_too_long_heads_are_refused),
        PATIENT(test_a_gzip_bomb_is_refused),
        PATIENT(test_storage_that_fails_is_told),
        PATIENT(test_too_many_events_in_flight_are_refused_at_once),
        PATIENT(test_a_client_that_leaves_is_forgotten),
        IMPATIENT(test_a_slow_head_is_refused),
        IMPATIENT(test_a_connection_that_sends_nothing_is_closed),
        IMPATIENT(test_a_slow_body_is_refused_though_it_never_pauses),
        IMPATIENT(test_no_answer_in_time_is_unknown),
        PATIENT(test_a_stop_finishes_requests_and_closes_idle_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
