/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: over real gRPC, every request is answered for every event, and bad ones are refused without
 * harm to others.
 * Method: the server as main() builds it, in this process, in front of librdkafka's mock broker; a
 * client of the C core over the loopback. Leaks are found by AddressSanitizer.
 */
#include "cmocka_all.h"
#include "ingest_fixture.h"
#include "mesh/alloc.h"
#include "mesh/event.h"
#include "mesh/log.h"
#include "request.h"

#include <stdlib.h>
#include <string.h>

static void test_malformed_bytes_are_refused(void **state)
{
    assert_int_equal(ingest_unary_status(*state, mesh_bytes_of("\xff\xff\xff", 3),
                                         "the message is not a PublishRequest"),
                     GRPC_STATUS_INVALID_ARGUMENT);
}

static void test_no_event_and_too_many_are_refused(void **state)
{
    struct mesh_buffer none = ingest_request(1, 0, ingest_good_event);
    struct mesh_buffer many = ingest_request(1, MESH_EVENT_COUNT_MAX + 1, ingest_good_event);

    assert_int_equal(
        ingest_unary_status(*state, mesh_buffer_bytes(&none), "the request holds no event"),
        GRPC_STATUS_INVALID_ARGUMENT);
    assert_int_equal(ingest_unary_status(*state, mesh_buffer_bytes(&many),
                                         "the request holds more than 1000 events"),
                     GRPC_STATUS_INVALID_ARGUMENT);
    mesh_buffer_done(&none);
    mesh_buffer_done(&many);
}

static void test_a_message_larger_than_the_limit_is_refused(void **state)
{
    struct ingest_fixture *fixture = *state;
    struct client_call call;
    struct mesh_buffer reply = {0};
    size_t size = REQUEST_BYTES_MAX + 1;
    uint8_t *bytes = mesh_alloc_zeroed(size, 1);

    assert_false(client_unary(&call, &fixture->client, ingest_publish_path,
                              mesh_bytes_of(bytes, size), &reply));
    assert_int_equal(call.status, GRPC_STATUS_RESOURCE_EXHAUSTED);
    free(bytes);
}

static void test_an_unknown_method_is_unimplemented(void **state)
{
    struct ingest_fixture *fixture = *state;
    struct client_call call;
    struct mesh_buffer reply = {0};

    assert_false(client_unary(&call, &fixture->client, "/tweetmesh.v1.Ingest/Nothing",
                              mesh_bytes_of("", 0), &reply));
    assert_int_equal(call.status, GRPC_STATUS_UNIMPLEMENTED);
}

static void test_a_call_without_a_message_is_refused(void **state)
{
    struct ingest_fixture *fixture = *state;
    struct client_call call;

    client_call_begin(&call, &fixture->client, ingest_publish_path);
    client_send_end(&call);
    client_call_end(&call);
    assert_int_equal(call.status, GRPC_STATUS_INVALID_ARGUMENT);
}

static void test_more_calls_than_allowed_are_refused(void **state)
{
    struct ingest_fixture *fixture = *state;
    struct client_call open[CALLS_MAX];
    struct mesh_buffer request = ingest_request(1, 1, ingest_good_event);
    struct mesh_buffer reply = {0};

    for (size_t i = 0; i < CALLS_MAX; i++) {
        client_call_begin(&open[i], &fixture->client, ingest_stream_path);
        ingest_stream_send(&open[i], 1, 1);
        assert_true(client_receive(&open[i], &reply)); /* so it is counted by now */
    }
    assert_int_equal(
        ingest_unary_status(fixture, mesh_buffer_bytes(&request), "RESOURCE_EXHAUSTED"),
        GRPC_STATUS_RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < CALLS_MAX; i++) {
        client_send_end(&open[i]);
        client_call_end(&open[i]);
        assert_int_equal(open[i].status, GRPC_STATUS_OK);
    }
    mesh_buffer_done(&request);
    mesh_buffer_done(&reply);
}

static void test_a_bad_event_is_refused_with_its_problems_and_the_others_are_stored(void **state)
{
    struct ingest_fixture *fixture = *state;
    struct client_call call;
    struct mesh_buffer reply = {0};
    Tweetmesh__V1__PublishRequest request = TWEETMESH__V1__PUBLISH_REQUEST__INIT;
    Tweetmesh__V1__Event at[5];
    Tweetmesh__V1__Event *events[5];
    static const char bad[] = "{\"text\":7,\"country\":\"GT\"}";
    uint8_t bytes[1024];

    for (size_t i = 0; i < 5; i++) {
        tweetmesh__v1__event__init(&at[i]);
        events[i] = &at[i];
        at[i].stream = (char *)"tweets";
        at[i].payload = (ProtobufCBinaryData){.data = (uint8_t *)ingest_good_event,
                                              .len = strlen(ingest_good_event)};
    }
    at[1].stream = (char *)"none";
    at[2].id = (char *)"NOT-A-UUID";
    at[3].payload = (ProtobufCBinaryData){.data = (uint8_t *)bad, .len = sizeof bad - 1};
    at[4].stream = (char *)"";
    request.events = events;
    request.n_events = 5;
    size_t size = tweetmesh__v1__publish_request__pack(&request, bytes);
    assert_true(client_unary(&call, &fixture->client, ingest_publish_path,
                             mesh_bytes_of(bytes, size), &reply));
    Tweetmesh__V1__PublishReply *read = ingest_reply(&reply);
    assert_int_equal(read->n_codes, 5);
    assert_int_equal(read->codes[0], MESH_OK);
    assert_true(read->offsets[0] >= 0);
    for (size_t i = 1; i < 5; i++) {
        assert_int_equal(read->codes[i], MESH_INVALID_ARGUMENT);
        assert_int_equal(read->partitions[i], -1);
        assert_int_equal(read->offsets[i], -1);
        assert_int_equal(read->problems[i - 1]->index, i);
    }
    assert_string_equal(read->problems[2]->pointer, "/text");
    assert_int_equal(read->n_ids, 5);
    assert_int_equal(strlen(read->ids[0]), MESH_ID_LENGTH);
    tweetmesh__v1__publish_reply__free_unpacked(read, NULL);
    mesh_buffer_done(&reply);
}

static void test_events_that_do_not_fit_the_queue_are_refused_at_once(void **state)
{
    struct ingest_fixture *fixture = *state;
    struct client_call call;
    struct mesh_buffer reply = {0};
    size_t refused = 0;

    mock_kafka_slow(&fixture->mock, 300);
    client_call_begin(&call, &fixture->client, ingest_stream_path);
    for (uint64_t i = 0; i < 3; i++) { /* 3,000 into a queue of 2,000 */
        ingest_stream_send(&call, i, MESH_EVENT_COUNT_MAX);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_true(client_receive(&call, &reply));
        Tweetmesh__V1__PublishReply *read = ingest_reply(&reply);
        for (size_t j = 0; j < read->n_codes; j++) {
            refused += read->codes[j] == MESH_RESOURCE_EXHAUSTED;
        }
        tweetmesh__v1__publish_reply__free_unpacked(read, NULL);
    }
    assert_true(refused > 0 && refused <= 1000);
    client_send_end(&call);
    client_call_end(&call);
    assert_int_equal(call.status, GRPC_STATUS_OK);
    mesh_buffer_done(&reply);
}

static void test_a_stream_answers_every_request_once(void **state)
{
    struct ingest_fixture *fixture = *state;
    struct client_call call;
    struct mesh_buffer reply = {0};
    enum { REQUESTS = 200, EVENTS = 7 };
    bool seen[REQUESTS] = {false};

    client_call_begin(&call, &fixture->client, ingest_stream_path);
    for (uint64_t i = 0; i < REQUESTS; i++) {
        ingest_stream_send(&call, i, EVENTS);
        if (i + 1 < CALL_REQUESTS_MAX) {
            continue; /* several under way */
        }
        assert_true(client_receive(&call, &reply));
        Tweetmesh__V1__PublishReply *read = ingest_reply(&reply);
        assert_true(read->sequence < REQUESTS && !seen[read->sequence]);
        seen[read->sequence] = true;
        assert_int_equal(read->n_codes, EVENTS);
        for (size_t j = 0; j < EVENTS; j++) {
            assert_int_equal(read->codes[j], MESH_OK);
            assert_true(read->offsets[j] >= 0);
        }
        tweetmesh__v1__publish_reply__free_unpacked(read, NULL);
    }
    client_send_end(&call);
    for (size_t i = 0; i + 1 < CALL_REQUESTS_MAX; i++) {
        assert_true(client_receive(&call, &reply));
    }
    assert_false(client_receive(&call, &reply));
    client_call_end(&call);
    assert_int_equal(call.status, GRPC_STATUS_OK);
    mesh_buffer_done(&reply);
}

int main(void)
{
#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, ingest_fixture_set_up, ingest_fixture_tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_malformed_bytes_are_refused),
        CASE(test_no_event_and_too_many_are_refused),
        CASE(test_a_message_larger_than_the_limit_is_refused),
        CASE(test_an_unknown_method_is_unimplemented),
        CASE(test_a_call_without_a_message_is_refused),
        CASE(test_more_calls_than_allowed_are_refused),
        CASE(test_a_bad_event_is_refused_with_its_problems_and_the_others_are_stored),
        CASE(test_events_that_do_not_fit_the_queue_are_refused_at_once),
        CASE(test_a_stream_answers_every_request_once),
    };
#undef CASE

    mesh_log_start("test", MESH_LOG_ERROR);
    return cmocka_run_group_tests_name("ingest", tests, NULL, NULL);
}
