/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a client that says how many messages it sends before a reply is served so: all are
 * answered, in order, whether it keeps to it or not, and the end of the server reaches it at once.
 * Method: as in test_ingest.c.
 */
#include "cmocka_all.h"
#include "ingest_fixture.h"
#include "mesh/log.h"

#include <pthread.h>
#include <string.h>

static void expect_reply(struct client_call *call, uint64_t sequence)
{
    struct mesh_buffer reply = {0};

    assert_true(client_receive(call, &reply));
    Tweetmesh__V1__PublishReply *read = ingest_reply(&reply);
    assert_int_equal(read->sequence, sequence);
    assert_int_equal(read->codes[0], MESH_OK);
    tweetmesh__v1__publish_reply__free_unpacked(read, NULL);
    mesh_buffer_done(&reply);
}

static void expect_end(struct client_call *call, grpc_status_code status)
{
    struct mesh_buffer reply = {0};

    assert_false(client_receive(call, &reply));
    client_call_end(call);
    assert_int_equal(call->status, status);
    mesh_buffer_done(&reply);
}

static void test_a_client_in_step_is_answered_each_time(void **state)
{
    struct ingest_fixture *fixture = *state;
    struct client_call call;

    client_call_begin_windowed(&call, &fixture->client, ingest_stream_path, "1");
    for (uint64_t i = 1; i <= 50; i++) {
        ingest_stream_send(&call, i, 3);
        expect_reply(&call, i);
    }
    client_send_end(&call);
    expect_end(&call, GRPC_STATUS_OK);
}

static void test_messages_beyond_the_window_wait_their_turn(void **state)
{
    static const char *const windows[] = {"1", "2", "100"};
    struct ingest_fixture *fixture = *state;
    struct client_call call;

    for (size_t i = 0; i < MESH_COUNT_OF(windows); i++) {
        client_call_begin_windowed(&call, &fixture->client, ingest_stream_path, windows[i]);
        for (uint64_t sequence = 1; sequence <= 10; sequence++) {
            ingest_stream_send(&call, sequence, 1);
        }
        for (uint64_t sequence = 1; sequence <= 10; sequence++) {
            expect_reply(&call, sequence);
        }
        client_send_end(&call);
        expect_end(&call, GRPC_STATUS_OK);
    }
}

static void test_a_client_in_step_hears_of_the_end_at_once(void **state)
{
    struct ingest_fixture *fixture = *state;
    struct client_call call;

    client_call_begin_windowed(&call, &fixture->client, ingest_stream_path, "1");
    ingest_stream_send(&call, 1, 1);
    expect_reply(&call, 1); /* from now on the server waits for a message */
    pthread_t drain = ingest_drain_begin(fixture);
    expect_end(&call, GRPC_STATUS_UNAVAILABLE);
    assert_int_equal(pthread_join(drain, NULL), 0);
    assert_non_null(strstr(call.text, "shutting down"));
}

static void test_a_client_in_step_has_its_reply_before_the_end(void **state)
{
    struct ingest_fixture *fixture = *state;
    struct client_call call;

    client_call_begin_windowed(&call, &fixture->client, ingest_stream_path, "1");
    ingest_stream_send(&call, 1, 1);
    expect_reply(&call, 1);
    mock_kafka_slow(&fixture->mock, 1000);
    ingest_stream_send(&call, 2, 1);
    ingest_await_under_way(fixture,
                           1); /* a message that the server has not read yet has no reply */
    pthread_t drain = ingest_drain_begin(fixture);
    expect_reply(&call, 2);
    expect_end(&call, GRPC_STATUS_UNAVAILABLE);
    assert_int_equal(pthread_join(drain, NULL), 0);
}

static void test_a_window_that_is_none_is_refused(void **state)
{
    static const char *const windows[] = {"0", "-1", "", "1x", "one", "99999999999999999999x"};
    struct ingest_fixture *fixture = *state;
    struct client_call call;

    for (size_t i = 0; i < MESH_COUNT_OF(windows); i++) {
        client_call_begin_windowed(&call, &fixture->client, ingest_stream_path, windows[i]);
        expect_end(&call, GRPC_STATUS_INVALID_ARGUMENT);
    }
}

int main(void)
{
#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, ingest_fixture_set_up, ingest_fixture_tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_a_client_in_step_is_answered_each_time),
        CASE(test_messages_beyond_the_window_wait_their_turn),
        CASE(test_a_client_in_step_hears_of_the_end_at_once),
        CASE(test_a_client_in_step_has_its_reply_before_the_end),
        CASE(test_a_window_that_is_none_is_refused),
    };
#undef CASE

    mesh_log_start("test", MESH_LOG_ERROR);
    return cmocka_run_group_tests_name("call_window", tests, NULL, NULL);
}
