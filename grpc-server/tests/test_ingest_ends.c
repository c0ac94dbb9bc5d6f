/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: however a call ends (by a bad message, cancelled, with its client, with the server), events
 * that were taken are stored and answered where somebody still listens, and nothing leaks.
 * Method: as in test_ingest.c, with a slow broker, so that events are under way when the call ends.
 */
#include "cmocka_all.h"
#include "ingest_fixture.h"
#include "mesh/log.h"
#include "mesh/metrics.h"

#include <pthread.h>

static void test_a_bad_message_ends_the_stream_after_the_answers_under_way(void **state)
{
    struct ingest_fixture *fixture = *state;
    struct client_call call;
    struct mesh_buffer reply = {0};

    mock_kafka_slow(&fixture->mock, 200);
    client_call_begin(&call, &fixture->client, ingest_stream_path);
    ingest_stream_send(&call, 11, 2);
    (void)client_send(&call, mesh_bytes_of("\xff", 1));
    assert_true(client_receive(&call, &reply));
    Tweetmesh__V1__PublishReply *read = ingest_reply(&reply);
    assert_int_equal(read->sequence, 11);
    assert_int_equal(read->codes[0], MESH_OK);
    tweetmesh__v1__publish_reply__free_unpacked(read, NULL);
    assert_false(client_receive(&call, &reply));
    client_call_end(&call);
    assert_int_equal(call.status, GRPC_STATUS_INVALID_ARGUMENT);
    mesh_buffer_done(&reply);
}

enum { UNDER_WAY = 40 };

static bool is_stored(void *metric)
{
    return mesh_metric_value(metric) == UNDER_WAY;
}

static void test_events_of_a_cancelled_call_are_stored_all_the_same(void **state)
{
    struct ingest_fixture *fixture = *state;
    struct client_call call;
    struct mesh_metric *stored =
        mesh_counter("tweetmesh_events_total", "stream=\"tweets\",code=\"OK\"", "");

    mock_kafka_slow(&fixture->mock, 500);
    client_call_begin(&call, &fixture->client, ingest_stream_path);
    for (uint64_t i = 0; i < CALL_REQUESTS_MAX; i++) {
        ingest_stream_send(&call, i, UNDER_WAY / CALL_REQUESTS_MAX);
    }
    ingest_await_under_way(fixture, UNDER_WAY);
    client_cancel(&call);
    client_call_end(&call);
    assert_int_equal(call.status, GRPC_STATUS_CANCELLED);
    assert_true(wait_until(is_stored, stored, INGEST_WAIT_MS));

    struct mesh_buffer request = ingest_request(1, 1, ingest_good_event);
    assert_int_equal(ingest_unary_status(fixture, mesh_buffer_bytes(&request), ""), GRPC_STATUS_OK);
    mesh_buffer_done(&request);
}

static bool is_gone(void *calls)
{
    return mesh_metric_value(calls) == 0;
}

static void test_a_client_that_goes_away_is_forgotten(void **state)
{
    struct ingest_fixture *fixture = *state;
    struct client second;
    struct client_call call;
    struct mesh_metric *calls = mesh_gauge("tweetmesh_grpc_calls", NULL, "");

    mock_kafka_slow(&fixture->mock, 100);
    client_open(&second, server_port(fixture->server, 0));
    client_call_begin(&call, &second, ingest_stream_path);
    ingest_stream_send(&call, 1, 100);
    client_cancel(&call);
    client_call_end(&call);
    client_close(&second);
    assert_true(wait_until(is_gone, calls, INGEST_WAIT_MS));
}

/* A refusal would reach a client of api as a 503, though others could take the event. */
static void test_draining_takes_what_comes_until_the_stream_ends(void **state)
{
    struct ingest_fixture *fixture = *state;
    struct client_call call;
    struct mesh_buffer reply = {0};
    size_t answered = 0;

    client_call_begin(&call, &fixture->client, ingest_stream_path);
    ingest_stream_send(&call, 0, 1);
    assert_true(client_receive(&call, &reply)); /* the server has the call */
    mock_kafka_slow(&fixture->mock, 1000);
    ingest_stream_send(&call, 1, UNDER_WAY);
    ingest_await_under_way(fixture, UNDER_WAY);
    pthread_t drain = ingest_drain_begin(fixture);
    ingest_stream_send(&call, 2, 5);
    while (client_receive(&call, &reply)) {
        Tweetmesh__V1__PublishReply *read = ingest_reply(&reply);
        assert_int_equal(read->codes[0], MESH_OK);
        answered++;
        tweetmesh__v1__publish_reply__free_unpacked(read, NULL);
    }
    client_call_end(&call);
    assert_int_equal(call.status, GRPC_STATUS_UNAVAILABLE);
    assert_int_equal(answered, 2);
    assert_int_equal(pthread_join(drain, NULL), 0);
    mesh_buffer_done(&reply);
}

static void test_the_end_of_the_server_does_not_wait_for_reports(void **state)
{
    struct ingest_fixture *fixture = *state;
    struct client_call call;

    mock_kafka_slow(&fixture->mock, 15000);
    client_call_begin(&call, &fixture->client, ingest_stream_path);
    ingest_stream_send(&call, 1, 50);
    server_drain(fixture->server, 1);
    client_call_end(&call);
    assert_true(call.status == GRPC_STATUS_UNAVAILABLE || call.status == GRPC_STATUS_CANCELLED);
}

int main(void)
{
#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, ingest_fixture_set_up, ingest_fixture_tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_a_bad_message_ends_the_stream_after_the_answers_under_way),
        CASE(test_events_of_a_cancelled_call_are_stored_all_the_same),
        CASE(test_a_client_that_goes_away_is_forgotten),
        CASE(test_draining_takes_what_comes_until_the_stream_ends),
        CASE(test_the_end_of_the_server_does_not_wait_for_reports),
    };
#undef CASE

    mesh_log_start("test", MESH_LOG_ERROR);
    return cmocka_run_group_tests_name("ingest_ends", tests, NULL, NULL);
}
