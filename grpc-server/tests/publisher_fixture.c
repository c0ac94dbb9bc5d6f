/* SPDX-License-Identifier: Apache-2.0 */
#include "publisher_fixture.h"

#include "cmocka_all.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/metrics.h"

#include <stdlib.h>
#include <string.h>

const char publisher_fixture_value[] = "{\"text\":\"hello\"}";

static int set_up(void **state, int broker_count)
{
    struct publisher_fixture *fixture = mesh_new(struct publisher_fixture);
    struct mesh_error err = {0};

    mock_kafka_start(&fixture->mock, broker_count);
    fixture->streams = mesh_streams_load("streams", &err);
    assert_non_null(fixture->streams);
    *state = fixture;
    return 0;
}

int publisher_fixture_set_up(void **state)
{
    return set_up(state, 1);
}

int publisher_fixture_set_up_two(void **state)
{
    return set_up(state, 2);
}

int publisher_fixture_tear_down(void **state)
{
    struct publisher_fixture *fixture = *state;

    publisher_free(fixture->publisher, 0);
    mock_kafka_stop(&fixture->mock);
    mesh_streams_free(fixture->streams);
    mesh_metrics_done();
    free(fixture);
    return 0;
}

bool publisher_is_ready(void *publisher)
{
    struct mesh_buffer reason = {0};
    bool ready = publisher_ready(publisher, &reason);

    mesh_buffer_done(&reason);
    return ready;
}

bool publisher_is_not_ready(void *publisher)
{
    return !publisher_is_ready(publisher);
}

void publisher_begin(struct publisher_fixture *fixture, const char *brokers,
                     struct publisher_limits limits)
{
    struct mesh_error err = {0};

    fixture->publisher = publisher_new(
        &(struct publisher_options){
            .brokers = brokers,
            .compression = "lz4",
            .streams = fixture->streams,
            .delivery_ms_max = limits.delivery_ms_max,
            .queue_len_max = limits.queue_len_max,
            .queue_kb_max = 1024,
            .linger_us = limits.linger_us,
        },
        &err);
    assert_non_null(fixture->publisher);
}

void publisher_begin_ready(struct publisher_fixture *fixture, struct publisher_limits limits)
{
    publisher_begin(fixture, fixture->mock.brokers, limits);
    assert_true(wait_until(publisher_is_ready, fixture->publisher, LONG_MS));
}

void batch_on_done(void *arg)
{
    struct sent_batch *sent = arg;

    assert_false(atomic_exchange(&sent->done, true)); /* once */
}

void batch_send(struct publisher_fixture *fixture, struct sent_batch *sent, size_t count)
{
    assert_true(count <= BATCH_MAX);
    memset(sent, 0, sizeof *sent);
    sent->batch = (struct publication_batch){
        .at = sent->publications, .count = count, .done = batch_on_done, .arg = sent};
    for (size_t i = 0; i < count; i++) {
        sent->publications[i] = (struct publication){
            .value = mesh_bytes_of_text(publisher_fixture_value),
            .received_at_ms = mesh_clock_wall_ms(),
            .id = mesh_id_new(mesh_clock_wall_ms()),
            .trace = i % 2 == 0 ? mesh_trace_new() : (struct mesh_trace){.traceparent = ""},
        };
    }
    if (!publisher_send(fixture->publisher, &sent->batch)) {
        atomic_store(&sent->done, true);
    }
}

bool batch_is_done(void *arg)
{
    struct sent_batch *sent = arg;

    return atomic_load(&sent->done);
}

void batch_finish(struct sent_batch *sent)
{
    assert_true(wait_until(batch_is_done, sent, LONG_MS));
}

size_t batch_count(const struct sent_batch *sent, enum mesh_code code)
{
    size_t count = 0;

    for (size_t i = 0; i < sent->batch.count; i++) {
        count += sent->publications[i].code == code;
    }
    return count;
}
