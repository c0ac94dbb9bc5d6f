/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: whatever comes over the WebSocket port, the hub answers or hangs up with the right code,
 * keeps its limits, and goes on serving; then the happy path, the page, and the end.
 * Method: the real hub on a free port with a real redis-server; a client that misbehaves byte by
 * byte. The viewers' messages come from a live of the test's own, so that it decides when.
 */
#include "cmocka_all.h"
#include "hub.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/metrics.h"
#include "redis_fixture.h"
#include "stream_fixture.h"
#include "ws_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNTS "counts.v1"
#define LIVE "live.v1"
#define FEEDERS_MAX 3
#define VIEWERS_MAX 2
#define VIEWER_MS_MAX 200
#define WAIT_US INT64_C(20000000)
#define DRAIN_MS 20000

static struct {
    struct redis_fixture *redis;
    struct mesh_streams *streams;
    struct live *redis_live; /* counts puts its messages here, and nobody reads them */
    struct live *live;
    struct counts *counts;
    struct hub *hub;
    uint16_t port;
    struct mesh_buffer frame;
} test;

static int start(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    test.redis = redis_fixture_new(&(struct redis_fixture_options){0});
    test.streams = stream_fixture_new();
    test.redis_live = live_new(test.streams);
    test.live = live_new(test.streams);
    test.counts = counts_new(
        &(struct counts_options){
            .redis_url = redis_fixture_url(test.redis),
            .redis_ms_max = 2000,
            .queue_len_max = 1024,
            .streams = test.streams,
            .live = test.redis_live,
        },
        &err);
    assert_non_null(test.counts);
    test.hub = hub_new(
        &(struct hub_options){
            .host = "127.0.0.1",
            .feeders_max = FEEDERS_MAX,
            .viewers_max = VIEWERS_MAX,
            .viewer_ms_max = VIEWER_MS_MAX,
            .counts = test.counts,
            .live = test.live,
        },
        &err);
    if (test.hub == NULL) {
        fail_msg("%s", err.text);
    }
    test.port = hub_port(test.hub);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    hub_free(test.hub, 100);
    counts_free(test.counts);
    live_free(test.live);
    live_free(test.redis_live);
    mesh_streams_free(test.streams);
    redis_fixture_free(test.redis);
    mesh_buffer_done(&test.frame);
    mesh_metrics_done();
    return 0;
}

static int open_socket(const char *protocol)
{
    int fd = -1;
    assert_int_equal(ws_open(test.port, protocol, NULL, &fd), 101);
    return fd;
}

static void wait_value(const char *name, const char *labels, int64_t at_least)
{
    const int64_t deadline_us = mesh_clock_mono_us() + WAIT_US;
    while (mesh_metric_value(mesh_counter(name, labels, "")) < at_least) {
        if (mesh_clock_mono_us() > deadline_us) {
            fail_msg("%s does not reach %lld", name, (long long)at_least);
        }
        (void)usleep(2000); /* polls; the deadline decides */
    }
}

static void wait_gauge(const char *name, int64_t value)
{
    const int64_t deadline_us = mesh_clock_mono_us() + WAIT_US;
    while (mesh_metric_value(mesh_gauge(name, NULL, "")) != value) {
        assert_true(mesh_clock_mono_us() < deadline_us);
        (void)usleep(2000); /* polls; the deadline decides */
    }
}

static void send_frame(int fd, uint64_t first, const char *groups)
{
    stream_fixture_frame(0, first, groups, &test.frame);
    ws_send(fd, WS_FINAL | WS_BINARY, mesh_buffer_bytes(&test.frame));
}

static long long total(void)
{
    redisContext *redis = redis_fixture_connect(test.redis);
    redisReply *reply = redisCommand(redis, "HGET {test}:state total");
    assert_non_null(reply);
    long long value = reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10) : 0;
    freeReplyObject(reply);
    redisFree(redis);
    return value;
}

/* Frames must still be counted, on a new connection. */
static void assert_serving(uint64_t first)
{
    const long long before = total();
    const int64_t deadline_us = mesh_clock_mono_us() + WAIT_US;
    int fd = open_socket(COUNTS);
    send_frame(fd, first, "01");
    while (total() < before + 2) {
        assert_true(mesh_clock_mono_us() < deadline_us);
        (void)usleep(2000); /* polls; the deadline decides */
    }
    (void)close(fd);
    wait_gauge("tweetmesh_feeders", 0);
}

static void test_wrong_handshakes_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *protocol;
        const char *origin;
        int status;
    } cases[] = {
        {"http", NULL, 400},
        {"other.v1", NULL, 400},
        {"", NULL, 400},
        {"counts.v1, live.v1", NULL, 400},
        {COUNTS, "https://elsewhere.example", 403},
        {COUNTS, "null", 403},
    };
    int fd = -1;
    for (size_t i = 0; i < MESH_COUNT_OF(cases); i++) {
        assert_int_equal(ws_open(test.port, cases[i].protocol, cases[i].origin, &fd),
                         cases[i].status);
    }
    assert_serving(0);
}

static void test_bytes_that_are_no_http_are_hung_up_on(void **state)
{
    (void)state;
    static const char *const garbage[] = {
        "\x16\x03\x01\x02\x01\x01\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET\r\n\r\n",
        "\r\n\r\n\r\n\r\nx y z\r\n\r\n",
    };
    for (size_t i = 0; i < MESH_COUNT_OF(garbage); i++) {
        int fd = ws_dial(test.port, 0);
        ws_send_text(fd, garbage[i]);
        int status = ws_read_head(fd, NULL);
        assert_true(status == 0 || status >= 400);
        (void)close(fd);
    }
    char *long_head = mesh_alloc_zeroed(1, 100001);
    memset(long_head, 'a', 100000);
    (void)snprintf(long_head, 6, "GET /");
    long_head[5] = 'a';
    int fd = ws_dial(test.port, 0);
    ws_send_text(fd, long_head);
    int status = ws_read_head(fd, NULL);
    assert_true(status == 0 || status >= 400);
    (void)close(fd);
    free(long_head);
    assert_serving(0);
}

static void test_slow_head_is_hung_up_on(void **state)
{
    (void)state;
    int fd = ws_dial(test.port, 0);
    ws_send_text(fd, "GET / HTTP/1.1\r\nHost: x\r\n");
    assert_int_equal(ws_read_head(fd, NULL), 0); /* well before the client's own time-out */
    (void)close(fd);
}

static void test_bad_messages_end_in_their_close_code(void **state)
{
    (void)state;
    static uint8_t big[FRAME_BYTES_MAX + 1];
    int fd = open_socket(COUNTS);
    ws_send(fd, WS_FINAL | WS_TEXT, mesh_bytes_of_text("text"));
    assert_int_equal(ws_read_close(fd), 1003);
    (void)close(fd);

    fd = open_socket(COUNTS);
    ws_send(fd, WS_FINAL | WS_BINARY, mesh_bytes_of_text("\x0d\x01"));
    assert_int_equal(ws_read_close(fd), 1007);
    (void)close(fd);

    fd = open_socket(COUNTS);
    ws_send(fd, WS_FINAL | WS_BINARY, mesh_bytes_of(big, sizeof(big)));
    assert_int_equal(ws_read_close(fd), 1009);
    (void)close(fd);

    fd = open_socket(COUNTS); /* fragments without end */
    ws_send(fd, WS_BINARY, mesh_bytes_of(big, 40000));
    ws_send(fd, WS_CONTINUATION, mesh_bytes_of(big, 40000));
    assert_int_equal(ws_read_close(fd), 1009);
    (void)close(fd);

    fd = open_socket(LIVE); /* viewers only listen */
    ws_send(fd, WS_FINAL | WS_TEXT, mesh_bytes_of_text("hello"));
    assert_int_equal(ws_read_close(fd), 1008);
    (void)close(fd);
    assert_serving(0);
}

static void test_broken_framing_is_hung_up_on(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "\x82\x02xx",                /* not masked */
        "\xf2\x82\x01\x02\x03\x04",  /* reserved bits */
        "\x83\x81\x01\x02\x03\x04x", /* no such opcode */
        "\x80\x81\x01\x02\x03\x04x", /* continues nothing */
        "\x09\x81\x01\x02\x03\x04x", /* a ping in fragments */
    };
    for (size_t i = 0; i < MESH_COUNT_OF(broken); i++) {
        int fd = open_socket(COUNTS);
        ws_send_text(fd, broken[i]);
        /* A second message, for which a broken connection has no use. */
        send_frame(fd, 100 + i, "0");
        (void)shutdown(fd, SHUT_WR);
        (void)ws_read_close(fd);
        (void)close(fd);
    }
    wait_gauge("tweetmesh_feeders", 0);
    assert_serving(0);
}

static void test_too_many_peers_are_answered_503(void **state)
{
    (void)state;
    int feeders[FEEDERS_MAX];
    int viewers[VIEWERS_MAX];
    int fd = -1;
    for (size_t i = 0; i < FEEDERS_MAX; i++) {
        feeders[i] = open_socket(COUNTS);
    }
    for (size_t i = 0; i < VIEWERS_MAX; i++) {
        viewers[i] = open_socket(LIVE);
    }
    assert_int_equal(ws_open(test.port, COUNTS, NULL, &fd), 503);
    assert_int_equal(ws_open(test.port, LIVE, NULL, &fd), 503);
    for (size_t i = 0; i < FEEDERS_MAX; i++) {
        (void)close(feeders[i]);
    }
    for (size_t i = 0; i < VIEWERS_MAX; i++) {
        (void)close(viewers[i]);
    }
    wait_gauge("tweetmesh_feeders", 0);
    wait_gauge("tweetmesh_viewers", 0);
    assert_serving(0);
}

/* Makes the messages of test.live as long as they get. */
static void make_message_long(void)
{
    redisContext *redis = redis_fixture_connect(test.redis);
    char name[201];
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    for (int i = 0; i < 200; i++) {
        redisReply *set = redisCommand(redis, "HSET long %s%d 1", name, i);
        assert_non_null(set);
        freeReplyObject(set);
    }
    redisReply *reply = redisCommand(redis, "HGETALL long");
    assert_non_null(reply);
    live_update(test.live, 0, reply, reply, mesh_clock_mono_us());
    freeReplyObject(reply);
    redisFree(redis);
}

static void test_viewer_that_does_not_read_is_dropped(void **state)
{
    (void)state;
    const int64_t deadline_us = mesh_clock_mono_us() + WAIT_US;
    const struct mesh_metric *dropped =
        mesh_counter("tweetmesh_viewers_dropped_total", "reason=\"slow\"", "");
    make_message_long();
    int fd = open_socket(LIVE);
    while (mesh_metric_value(dropped) == 0) {
        assert_true(mesh_clock_mono_us() < deadline_us);
        live_publish(test.live, true);
        (void)usleep(500); /* lets the hub run; the deadline decides */
    }
    wait_gauge("tweetmesh_viewers", 0);
    (void)close(fd);
}

static void test_plain_requests_get_the_page_or_404(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        int status;
        const char *head;
    } cases[] = {
        {"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404,
         "content-security-policy: default-src 'self'"},
        {"GET /live.js/ HTTP/1.1\r\nHost: x\r\n\r\n", 404, "nosniff"},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 405, "allow: GET, HEAD"},
        {"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", 200, "text/html"},
        {"GET /?x=y HTTP/1.1\r\nHost: x\r\n\r\n", 200, "default-src 'self'"},
        {"GET /live.js HTTP/1.1\r\nHost: x\r\n\r\n", 200, "text/javascript"},
        {"GET /live.css HTTP/1.1\r\nHost: x\r\n\r\n", 200, "text/css"},
        {"GET /icon.svg HTTP/1.1\r\nHost: x\r\n\r\n", 200, "image/svg+xml"},
    };
    struct mesh_buffer head = {0};
    for (size_t i = 0; i < MESH_COUNT_OF(cases); i++) {
        int fd = ws_dial(test.port, 0);
        ws_send_text(fd, cases[i].request);
        assert_int_equal(ws_read_head(fd, &head), cases[i].status);
        assert_non_null(strstr(head.data, cases[i].head));
        (void)close(fd);
    }
    mesh_buffer_done(&head);
}

static void test_same_origin_may_feed(void **state)
{
    (void)state;
    int fd = -1;
    assert_int_equal(ws_open(test.port, COUNTS, "http://test:1", &fd), 101);
    (void)close(fd);
}

static void test_thousands_of_frames_are_counted_exactly(void **state)
{
    (void)state;
    const int64_t frames = 5000;
    int fd = open_socket(COUNTS);
    for (uint64_t i = 0; i < (uint64_t)frames; i++) {
        send_frame(fd, i * 3, "012"); /* the third is of a group that nobody knows */
    }
    wait_value("tweetmesh_hint_events_total", NULL, frames * 2);
    assert_true(counts_drain(test.counts, DRAIN_MS));
    assert_int_equal(total(), frames * 2);
    (void)close(fd);
}

static void test_fragments_make_one_frame_with_a_ping_between(void **state)
{
    (void)state;
    struct mesh_buffer payload = {0};
    int fd = open_socket(COUNTS);
    stream_fixture_frame(0, 0, "0101010101", &test.frame);
    const struct mesh_bytes all = mesh_buffer_bytes(&test.frame);
    ws_send(fd, WS_BINARY, mesh_bytes_of(all.data, 5));
    ws_send(fd, WS_FINAL | WS_PING, mesh_bytes_of_text("alive?"));
    ws_send(fd, WS_CONTINUATION, mesh_bytes_of(all.data + 5, 7));
    ws_send(fd, WS_FINAL | WS_CONTINUATION, mesh_bytes_of(all.data + 12, all.size - 12));
    assert_int_equal(ws_read(fd, &payload), WS_PONG);
    assert_true(mesh_bytes_equal_text(mesh_buffer_bytes(&payload), "alive?"));
    wait_value("tweetmesh_hint_events_total", NULL, 10);
    (void)close(fd);
    mesh_buffer_done(&payload);
}

static void test_all_viewers_get_the_newest_message(void **state)
{
    (void)state;
    struct mesh_buffer payload = {0};
    int fds[VIEWERS_MAX];
    live_publish(test.live, false);
    for (size_t i = 0; i < VIEWERS_MAX; i++) {
        fds[i] = open_socket(LIVE);
        assert_int_equal(ws_read(fds[i], &payload), WS_TEXT); /* at once, the last known */
        assert_non_null(strstr(payload.data, "\"live\":false"));
    }
    live_publish(test.live, true);
    for (size_t i = 0; i < VIEWERS_MAX; i++) {
        assert_int_equal(ws_read(fds[i], &payload), WS_TEXT);
        assert_non_null(strstr(payload.data, "\"live\":true"));
        (void)close(fds[i]);
    }
    mesh_buffer_done(&payload);
}

static void test_port_in_use_is_an_error(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    assert_null(hub_new(
        &(struct hub_options){
            .host = "127.0.0.1",
            .port = test.port,
            .feeders_max = 1,
            .viewers_max = 1,
            .viewer_ms_max = 100,
            .counts = test.counts,
            .live = test.redis_live,
        },
        &err));
    assert_int_equal(err.code, MESH_UNAVAILABLE);
}

static void test_the_end_is_told_to_feeders_then_to_viewers(void **state)
{
    (void)state;
    int feeder = open_socket(COUNTS);
    int viewer = open_socket(LIVE);
    send_frame(feeder, 0, "01");
    wait_value("tweetmesh_hint_events_total", NULL, 2);

    hub_drain(test.hub, 1000);
    assert_int_equal(ws_read_close(feeder), 1001);
    int fd = ws_dial(test.port, 0);
    ws_send_text(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(ws_read_head(fd, NULL), 0); /* no new ones */
    (void)close(fd);
    assert_true(counts_drain(test.counts, DRAIN_MS));
    assert_int_equal(total(), 2);

    hub_free(test.hub, 1000);
    test.hub = NULL;
    assert_int_equal(ws_read_close(viewer), 1001);
    (void)close(feeder);
    (void)close(viewer);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        CASE(test_wrong_handshakes_are_refused),
        CASE(test_bytes_that_are_no_http_are_hung_up_on),
        CASE(test_slow_head_is_hung_up_on),
        CASE(test_bad_messages_end_in_their_close_code),
        CASE(test_broken_framing_is_hung_up_on),
        CASE(test_too_many_peers_are_answered_503),
        CASE(test_viewer_that_does_not_read_is_dropped),
        CASE(test_port_in_use_is_an_error),
        CASE(test_plain_requests_get_the_page_or_404),
        CASE(test_same_origin_may_feed),
        CASE(test_thousands_of_frames_are_counted_exactly),
        CASE(test_fragments_make_one_frame_with_a_ping_between),
        CASE(test_all_viewers_get_the_newest_message),
        CASE(test_the_end_is_told_to_feeders_then_to_viewers),
    };
#undef CASE
    return cmocka_run_group_tests(tests, NULL, NULL);
}
