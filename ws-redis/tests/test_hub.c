/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: feeders' events are counted exactly, viewers get the newest message, browsers get the page,
 * and at the end all are told, in the right order.
 * Method: the real hub on a free port with a real redis-server; the viewers' messages come from a
 * live of the test's own, so that it decides when.
 */
#include "cmocka_all.h"
#include "hub_fixture.h"
#include "mesh/macros.h"
#include "stream_fixture.h"
#include "ws_client.h"

#include <string.h>
#include <unistd.h>

#define DRAIN_MS 20000

static void test_port_in_use_is_an_error(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    assert_null(hub_new(
        &(struct hub_options){
            .host = "127.0.0.1",
            .port = hub_test.port,
            .feeders_max = 1,
            .viewers_max = 1,
            .viewer_ms_max = 100,
            .counts = hub_test.counts,
            .live = hub_test.redis_live,
        },
        &err));
    assert_int_equal(err.code, MESH_UNAVAILABLE);
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
        {"GET /world.js HTTP/1.1\r\nHost: x\r\n\r\n", 200, "text/javascript"},
        {"GET /icon.svg HTTP/1.1\r\nHost: x\r\n\r\n", 200, "image/svg+xml"},
    };
    struct mesh_buffer head = {0};
    for (size_t i = 0; i < MESH_COUNT_OF(cases); i++) {
        int fd = ws_dial(hub_test.port, 0);
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
    assert_int_equal(ws_open(hub_test.port, COUNTS, "http://test:1", &fd), 101);
    (void)close(fd);
}

static void test_thousands_of_frames_are_counted_exactly(void **state)
{
    (void)state;
    const int64_t frames = 5000;
    int fd = hub_fixture_open(COUNTS);
    for (uint64_t i = 0; i < (uint64_t)frames; i++) {
        hub_fixture_send(fd, i * 3, "012"); /* the third is of a group that nobody knows */
    }
    hub_fixture_wait_counter("tweetmesh_hint_events_total", NULL, frames * 2);
    assert_true(counts_drain(hub_test.counts, DRAIN_MS));
    assert_int_equal(hub_fixture_total(), frames * 2);
    (void)close(fd);
}

static void test_fragments_make_one_frame_with_a_ping_between(void **state)
{
    (void)state;
    struct mesh_buffer payload = {0};
    int fd = hub_fixture_open(COUNTS);
    stream_fixture_frame(0, 0, "0101010101", &hub_test.frame);
    const struct mesh_bytes all = mesh_buffer_bytes(&hub_test.frame);
    ws_send(fd, WS_BINARY, mesh_bytes_of(all.data, 5));
    ws_send(fd, WS_FINAL | WS_PING, mesh_bytes_of_text("alive?"));
    ws_send(fd, WS_CONTINUATION, mesh_bytes_of(all.data + 5, 7));
    ws_send(fd, WS_FINAL | WS_CONTINUATION, mesh_bytes_of(all.data + 12, all.size - 12));
    assert_int_equal(ws_read(fd, &payload), WS_PONG);
    assert_true(mesh_bytes_equal_text(mesh_buffer_bytes(&payload), "alive?"));
    hub_fixture_wait_counter("tweetmesh_hint_events_total", NULL, 10);
    (void)close(fd);
    mesh_buffer_done(&payload);
}

static void test_all_viewers_get_the_newest_message(void **state)
{
    (void)state;
    struct mesh_buffer payload = {0};
    int fds[VIEWERS_MAX];
    live_publish(hub_test.live, false);
    for (size_t i = 0; i < VIEWERS_MAX; i++) {
        fds[i] = hub_fixture_open(LIVE);
        assert_int_equal(ws_read(fds[i], &payload), WS_TEXT); /* at once, the last known */
        assert_non_null(strstr(payload.data, "\"live\":false"));
    }
    live_publish(hub_test.live, true);
    for (size_t i = 0; i < VIEWERS_MAX; i++) {
        assert_int_equal(ws_read(fds[i], &payload), WS_TEXT);
        assert_non_null(strstr(payload.data, "\"live\":true"));
        (void)close(fds[i]);
    }
    mesh_buffer_done(&payload);
}

static void test_who_begins_to_watch_gets_the_history_too(void **state)
{
    (void)state;
    struct mesh_buffer payload = {0};
    struct rates *rates = live_rates(hub_test.live, 0);
    rates_note(rates, 0, 100);
    rates_note(rates, 7, 101);
    rates_note(rates, 7, 102);
    live_publish(hub_test.live, true);
    for (int i = 0; i < VIEWERS_MAX; i++) {
        int fd = hub_fixture_open(LIVE);
        assert_int_equal(ws_read(fd, &payload), WS_TEXT);
        assert_non_null(strstr(payload.data, "\"live\":true"));
        assert_int_equal(ws_read(fd, &payload), WS_TEXT);
        assert_non_null(
            strstr(payload.data, "\"history\":{\"test\":{\"to\":101,\"accepted\":[0,7]}}"));
        (void)close(fd);
    }
    mesh_buffer_done(&payload);
}

static void test_the_last_numbers_reach_viewers_before_the_end(void **state)
{
    (void)state;
    struct mesh_buffer payload = {0};
    int fd = hub_fixture_open(LIVE);
    hub_fixture_wait_gauge("tweetmesh_viewers", 1); /* it is told of the handshake first */
    live_publish(hub_test.live, false);
    live_publish(hub_test.live, true);
    hub_free(hub_test.hub, 1000);
    hub_test.hub = NULL;
    do {
        assert_int_equal(ws_read(fd, &payload), WS_TEXT);
    } while (strstr(payload.data, "\"live\":true") == NULL);
    assert_int_equal(ws_read_close(fd), 1001);
    (void)close(fd);
    mesh_buffer_done(&payload);
}

static void test_the_end_is_told_to_feeders_then_to_viewers(void **state)
{
    (void)state;
    int feeder = hub_fixture_open(COUNTS);
    int viewer = hub_fixture_open(LIVE);
    hub_fixture_send(feeder, 0, "01");
    hub_fixture_wait_counter("tweetmesh_hint_events_total", NULL, 2);

    hub_drain(hub_test.hub, 1000);
    assert_int_equal(ws_read_close(feeder), 1001);
    int fd = ws_dial(hub_test.port, 0);
    ws_send_text(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(ws_read_head(fd, NULL), 0); /* no new ones */
    (void)close(fd);
    assert_true(counts_drain(hub_test.counts, DRAIN_MS));
    assert_int_equal(hub_fixture_total(), 2);

    hub_free(hub_test.hub, 1000);
    hub_test.hub = NULL;
    assert_int_equal(ws_read_close(viewer), 1001);
    (void)close(feeder);
    (void)close(viewer);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, hub_fixture_start, hub_fixture_stop)
    const struct CMUnitTest tests[] = {
        CASE(test_port_in_use_is_an_error),
        CASE(test_plain_requests_get_the_page_or_404),
        CASE(test_same_origin_may_feed),
        CASE(test_thousands_of_frames_are_counted_exactly),
        CASE(test_fragments_make_one_frame_with_a_ping_between),
        CASE(test_all_viewers_get_the_newest_message),
        CASE(test_who_begins_to_watch_gets_the_history_too),
        CASE(test_the_last_numbers_reach_viewers_before_the_end),
        CASE(test_the_end_is_told_to_feeders_then_to_viewers),
    };
#undef CASE
    return cmocka_run_group_tests(tests, NULL, NULL);
}
