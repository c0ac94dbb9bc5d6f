/* SPDX-License-Identifier: Apache-2.0 */
#include "hub_fixture.h"

#include "cmocka_all.h"
#include "mesh/clock.h"
#include "mesh/metrics.h"
#include "stream_fixture.h"
#include "ws_client.h"

#include <stdlib.h>
#include <unistd.h>

struct hub_fixture hub_test;

int hub_fixture_start(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    hub_test.redis = redis_fixture_new(&(struct redis_fixture_options){0});
    hub_test.streams = stream_fixture_new();
    hub_test.redis_live = live_new(hub_test.streams);
    hub_test.live = live_new(hub_test.streams);
    hub_test.counts = counts_new(
        &(struct counts_options){
            .redis_url = redis_fixture_url(hub_test.redis),
            .redis_ms_max = 2000,
            .queue_len_max = 1024,
            .streams = hub_test.streams,
            .live = hub_test.redis_live,
        },
        &err);
    assert_non_null(hub_test.counts);
    hub_test.hub = hub_new(
        &(struct hub_options){
            .host = "127.0.0.1",
            .feeders_max = FEEDERS_MAX,
            .viewers_max = VIEWERS_MAX,
            .viewer_ms_max = VIEWER_MS_MAX,
            .update_ms_min = 1,
            .counts = hub_test.counts,
            .live = hub_test.live,
        },
        &err);
    if (hub_test.hub == NULL) {
        fail_msg("%s", err.text);
    }
    hub_test.port = hub_port(hub_test.hub);
    return 0;
}

int hub_fixture_stop(void **state)
{
    (void)state;
    hub_free(hub_test.hub, 100);
    counts_free(hub_test.counts);
    live_free(hub_test.live);
    live_free(hub_test.redis_live);
    mesh_streams_free(hub_test.streams);
    redis_fixture_free(hub_test.redis);
    mesh_buffer_done(&hub_test.frame);
    mesh_metrics_done();
    return 0;
}

int hub_fixture_open(const char *protocol)
{
    int fd = -1;
    assert_int_equal(ws_open(hub_test.port, protocol, NULL, &fd), 101);
    return fd;
}

void hub_fixture_wait_counter(const char *name, const char *labels, int64_t at_least)
{
    const int64_t deadline_us = mesh_clock_mono_us() + WAIT_US;
    while (mesh_metric_value(mesh_counter(name, labels, "")) < at_least) {
        if (mesh_clock_mono_us() > deadline_us) {
            fail_msg("%s does not reach %lld", name, (long long)at_least);
        }
        (void)usleep(2000); /* polls; the deadline decides */
    }
}

void hub_fixture_wait_gauge(const char *name, int64_t value)
{
    const int64_t deadline_us = mesh_clock_mono_us() + WAIT_US;
    while (mesh_metric_value(mesh_gauge(name, NULL, "")) != value) {
        assert_true(mesh_clock_mono_us() < deadline_us);
        (void)usleep(2000); /* polls; the deadline decides */
    }
}

void hub_fixture_send(int fd, uint64_t first, const char *groups)
{
    stream_fixture_frame(0, first, groups, &hub_test.frame);
    ws_send(fd, WS_FINAL | WS_BINARY, mesh_buffer_bytes(&hub_test.frame));
}

long long hub_fixture_total(void)
{
    redisContext *redis = redis_fixture_connect(hub_test.redis);
    redisReply *reply = redisCommand(redis, "HGET {test}:state total");
    assert_non_null(reply);
    long long value = reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10) : 0;
    freeReplyObject(reply);
    redisFree(redis);
    return value;
}

void assert_hub_serves(uint64_t first)
{
    const long long before = hub_fixture_total();
    const int64_t deadline_us = mesh_clock_mono_us() + WAIT_US;
    int fd = hub_fixture_open(COUNTS);
    hub_fixture_send(fd, first, "01");
    while (hub_fixture_total() < before + 2) {
        assert_true(mesh_clock_mono_us() < deadline_us);
        (void)usleep(2000); /* polls; the deadline decides */
    }
    (void)close(fd);
    hub_fixture_wait_gauge("tweetmesh_feeders", 0);
}
