/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: whatever comes over the WebSocket port, the hub answers or hangs up with the right code,
 * keeps its limits, and goes on serving.
 * Method: the real hub on a free port with a real redis-server; a client that misbehaves byte by
 * byte. The viewers' messages come from a live of the test's own, so that it decides when.
 */
#include "cmocka_all.h"
#include "hub_fixture.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/macros.h"
#include "mesh/metrics.h"
#include "ws_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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
        assert_int_equal(ws_open(hub_test.port, cases[i].protocol, cases[i].origin, &fd),
                         cases[i].status);
    }
    assert_hub_serves(0);
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
        int fd = ws_dial(hub_test.port, 0);
        ws_send_text(fd, garbage[i]);
        int status = ws_read_head(fd, NULL);
        assert_true(status == 0 || status >= 400);
        (void)close(fd);
    }
    char *long_head = mesh_alloc_zeroed(1, 100001);
    memset(long_head, 'a', 100000);
    (void)snprintf(long_head, 6, "GET /");
    long_head[5] = 'a';
    int fd = ws_dial(hub_test.port, 0);
    ws_send_text(fd, long_head);
    int status = ws_read_head(fd, NULL);
    assert_true(status == 0 || status >= 400);
    (void)close(fd);
    free(long_head);
    assert_hub_serves(0);
}

static void test_slow_head_is_hung_up_on(void **state)
{
    (void)state;
    int fd = ws_dial(hub_test.port, 0);
    ws_send_text(fd, "GET / HTTP/1.1\r\nHost: x\r\n");
    assert_int_equal(ws_read_head(fd, NULL), 0); /* well before the client's own time-out */
    (void)close(fd);
}

static void test_bad_messages_end_in_their_close_code(void **state)
{
    (void)state;
    static uint8_t big[FRAME_BYTES_MAX + 1];
    int fd = hub_fixture_open(COUNTS);
    ws_send(fd, WS_FINAL | WS_TEXT, mesh_bytes_of_text("text"));
    assert_int_equal(ws_read_close(fd), 1003);
    (void)close(fd);

    fd = hub_fixture_open(COUNTS);
    ws_send(fd, WS_FINAL | WS_BINARY, mesh_bytes_of_text("\x0d\x01"));
    assert_int_equal(ws_read_close(fd), 1007);
    (void)close(fd);

    fd = hub_fixture_open(COUNTS);
    ws_send(fd, WS_FINAL | WS_BINARY, mesh_bytes_of(big, sizeof(big)));
    assert_int_equal(ws_read_close(fd), 1009);
    (void)close(fd);

    fd = hub_fixture_open(COUNTS); /* fragments without end */
    ws_send(fd, WS_BINARY, mesh_bytes_of(big, 40000));
    ws_send(fd, WS_CONTINUATION, mesh_bytes_of(big, 40000));
    assert_int_equal(ws_read_close(fd), 1009);
    (void)close(fd);

    fd = hub_fixture_open(LIVE); /* viewers only listen */
    ws_send(fd, WS_FINAL | WS_TEXT, mesh_bytes_of_text("hello"));
    assert_int_equal(ws_read_close(fd), 1008);
    (void)close(fd);
    assert_hub_serves(0);
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
        int fd = hub_fixture_open(COUNTS);
        ws_send_text(fd, broken[i]);
        /* A second message, for which a broken connection has no use. */
        hub_fixture_send(fd, 100 + i, "0");
        (void)shutdown(fd, SHUT_WR);
        (void)ws_read_close(fd);
        (void)close(fd);
    }
    hub_fixture_wait_gauge("tweetmesh_feeders", 0);
    assert_hub_serves(0);
}

static void test_too_many_peers_are_answered_503(void **state)
{
    (void)state;
    int feeders[FEEDERS_MAX];
    int viewers[VIEWERS_MAX];
    int fd = -1;
    for (size_t i = 0; i < FEEDERS_MAX; i++) {
        feeders[i] = hub_fixture_open(COUNTS);
    }
    for (size_t i = 0; i < VIEWERS_MAX; i++) {
        viewers[i] = hub_fixture_open(LIVE);
    }
    assert_int_equal(ws_open(hub_test.port, COUNTS, NULL, &fd), 503);
    assert_int_equal(ws_open(hub_test.port, LIVE, NULL, &fd), 503);
    for (size_t i = 0; i < FEEDERS_MAX; i++) {
        (void)close(feeders[i]);
    }
    for (size_t i = 0; i < VIEWERS_MAX; i++) {
        (void)close(viewers[i]);
    }
    hub_fixture_wait_gauge("tweetmesh_feeders", 0);
    hub_fixture_wait_gauge("tweetmesh_viewers", 0);
    assert_hub_serves(0);
}

/* Makes the messages of hub_test.live as long as they get. */
static void make_message_long(void)
{
    redisContext *redis = redis_fixture_connect(hub_test.redis);
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
    live_update(hub_test.live, 0, reply, reply, mesh_clock_mono_us());
    freeReplyObject(reply);
    redisFree(redis);
}

static void test_viewer_that_does_not_read_is_dropped(void **state)
{
    (void)state;
    const int64_t deadline_us = mesh_clock_mono_us() + WAIT_US;
    const struct mesh_metric *dropped =
        mesh_counter("tweetmesh_viewers_dropped_total", "reason=\"slow\"", "");
    bool even = true;
    make_message_long();
    int fd = hub_fixture_open(LIVE);
    while (mesh_metric_value(dropped) == 0) {
        assert_true(mesh_clock_mono_us() < deadline_us);
        live_publish(hub_test.live, even);
        even = !even;      /* what says the same is put out once only */
        (void)usleep(500); /* lets the hub run; the deadline decides */
    }
    hub_fixture_wait_gauge("tweetmesh_viewers", 0);
    (void)close(fd);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, hub_fixture_start, hub_fixture_stop)
    const struct CMUnitTest tests[] = {
        CASE(test_wrong_handshakes_are_refused),
        CASE(test_bytes_that_are_no_http_are_hung_up_on),
        CASE(test_slow_head_is_hung_up_on),
        CASE(test_bad_messages_end_in_their_close_code),
        CASE(test_broken_framing_is_hung_up_on),
        CASE(test_too_many_peers_are_answered_503),
        CASE(test_viewer_that_does_not_read_is_dropped),
    };
#undef CASE
    return cmocka_run_group_tests(tests, NULL, NULL);
}
