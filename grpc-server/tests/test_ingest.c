/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: over real gRPC, every request is answered for every event, bad ones are refused without
 * harm to others, and neither a cancelled call nor the end of the server leaks or loses anything.
 * Method: the server as main() builds it, in this process, in front of librdkafka's mock broker; a
 * client of the C core over the loopback. Leaks are found by AddressSanitizer.
 */
#include "client.h"
#include "cmocka_all.h"
#include "health.h"
#include "ingest.h"
#include "mesh/alloc.h"
#include "mesh/event.h"
#include "mesh/log.h"
#include "mesh/metrics.h"
#include "mock_kafka.h"
#include "request.h"
#include "server.h"
#include "tweetmesh/v1/ingest.pb-c.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const char publish_path[] = "/tweetmesh.v1.Ingest/Publish";
static const char stream_path[] = "/tweetmesh.v1.Ingest/PublishStream";
static const char good[] = "{\"text\":\"hello\",\"country\":\"GT\"}";

enum { CALL_REQUESTS_MAX = 4, CALLS_MAX = 3, LONG_MS = 30000 };

struct fixture {
    struct mock_kafka mock;
    struct mesh_streams *streams;
    struct publisher *publisher;
    struct ingest *ingest;
    struct server *server;
    struct method methods[INGEST_METHOD_COUNT];
    struct client client;
};

static bool is_ready(void *publisher)
{
    struct mesh_buffer reason = {0};
    bool ready = publisher_ready(publisher, &reason);

    mesh_buffer_done(&reason);
    return ready;
}

static void server_begin(struct fixture *fixture)
{
    struct mesh_error err = {0};

    ingest_methods(fixture->ingest, fixture->methods);
    fixture->server = server_new(&(struct server_options){.listen = "127.0.0.1:0",
                                                          .methods = fixture->methods,
                                                          .method_count = INGEST_METHOD_COUNT,
                                                          .threads = 2,
                                                          .calls_max = CALLS_MAX,
                                                          .call_requests_max = CALL_REQUESTS_MAX,
                                                          .message_bytes_max = REQUEST_BYTES_MAX,
                                                          .memory_kb_max = 65536,
                                                          .connection_grace_ms = 1000,
                                                          .ping_ms_min = 1000},
                                 &err);
    assert_non_null(fixture->server);
}

static int set_up(void **state)
{
    struct fixture *fixture = mesh_new(struct fixture);
    struct mesh_error err = {0};

    mock_kafka_start(&fixture->mock);
    fixture->streams = mesh_streams_load("streams", &err);
    assert_non_null(fixture->streams);
    fixture->publisher = publisher_new(&(struct publisher_options){.brokers = fixture->mock.brokers,
                                                                   .streams = fixture->streams,
                                                                   .delivery_ms_max = 20000,
                                                                   .queue_len_max = 2000,
                                                                   .queue_kb_max = 4096},
                                       &err);
    assert_non_null(fixture->publisher);
    assert_true(wait_until(is_ready, fixture->publisher, LONG_MS));
    fixture->ingest = ingest_new(fixture->streams, fixture->publisher);
    server_begin(fixture);
    client_open(&fixture->client, server_port(fixture->server, 0));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    client_close(&fixture->client);
    server_free(fixture->server);
    publisher_free(fixture->publisher, 0);
    ingest_free(fixture->ingest);
    mesh_streams_free(fixture->streams);
    mock_kafka_stop(&fixture->mock);
    mesh_metrics_done();
    free(fixture);
    return 0;
}

/* A request of `count` events with this payload. The caller is done with it. */
static struct mesh_buffer request_of(uint64_t sequence, size_t count, const char *payload)
{
    Tweetmesh__V1__PublishRequest request = TWEETMESH__V1__PUBLISH_REQUEST__INIT;
    Tweetmesh__V1__Event event = TWEETMESH__V1__EVENT__INIT;
    struct mesh_buffer buffer = {0};

    event.stream = (char *)"tweets";
    event.payload.data = (uint8_t *)payload;
    event.payload.len = strlen(payload);
    request.sequence = sequence;
    request.n_events = count;
    request.events = mesh_new_array(Tweetmesh__V1__Event *, count + 1);
    for (size_t i = 0; i < count; i++) {
        request.events[i] = &event;
    }
    size_t size = tweetmesh__v1__publish_request__get_packed_size(&request);
    uint8_t *bytes = mesh_alloc(size + 1);
    (void)tweetmesh__v1__publish_request__pack(&request, bytes);
    mesh_buffer_add(&buffer, mesh_bytes_of(bytes, size));
    free(bytes);
    free(request.events);
    return buffer;
}

static Tweetmesh__V1__PublishReply *reply_of(const struct mesh_buffer *buffer)
{
    Tweetmesh__V1__PublishReply *reply =
        tweetmesh__v1__publish_reply__unpack(NULL, buffer->size, (const uint8_t *)buffer->data);

    assert_non_null(reply);
    return reply;
}

static void stream_send(struct client_call *call, uint64_t sequence, size_t count)
{
    struct mesh_buffer request = request_of(sequence, count, good);

    assert_true(client_send(call, mesh_buffer_bytes(&request)));
    mesh_buffer_done(&request);
}

static grpc_status_code unary_status(struct fixture *fixture, struct mesh_bytes message,
                                     const char *text)
{
    struct client_call call;
    struct mesh_buffer reply = {0};

    bool answered = client_unary(&call, &fixture->client, publish_path, message, &reply);
    assert_int_equal(answered, call.status == GRPC_STATUS_OK);
    assert_string_equal(call.text, text);
    mesh_buffer_done(&reply);
    return call.status;
}

static void test_malformed_bytes_are_refused(void **state)
{
    assert_int_equal(unary_status(*state, mesh_bytes_of("\xff\xff\xff", 3),
                                  "the message is not a PublishRequest"),
                     GRPC_STATUS_INVALID_ARGUMENT);
}

static void test_no_event_and_too_many_are_refused(void **state)
{
    struct mesh_buffer none = request_of(1, 0, good);
    struct mesh_buffer many = request_of(1, MESH_EVENT_COUNT_MAX + 1, good);

    assert_int_equal(unary_status(*state, mesh_buffer_bytes(&none), "the request holds no event"),
                     GRPC_STATUS_INVALID_ARGUMENT);
    assert_int_equal(
        unary_status(*state, mesh_buffer_bytes(&many), "the request holds more than 1000 events"),
        GRPC_STATUS_INVALID_ARGUMENT);
    mesh_buffer_done(&none);
    mesh_buffer_done(&many);
}

static void test_a_message_larger_than_the_limit_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct client_call call;
    struct mesh_buffer reply = {0};
    size_t size = REQUEST_BYTES_MAX + 1;
    uint8_t *bytes = mesh_alloc_zeroed(size, 1);

    assert_false(
        client_unary(&call, &fixture->client, publish_path, mesh_bytes_of(bytes, size), &reply));
    assert_int_equal(call.status, GRPC_STATUS_RESOURCE_EXHAUSTED);
    free(bytes);
}

static void test_an_unknown_method_is_unimplemented(void **state)
{
    struct fixture *fixture = *state;
    struct client_call call;
    struct mesh_buffer reply = {0};

    assert_false(client_unary(&call, &fixture->client, "/tweetmesh.v1.Ingest/Nothing",
                              mesh_bytes_of("", 0), &reply));
    assert_int_equal(call.status, GRPC_STATUS_UNIMPLEMENTED);
}

static void test_a_call_without_a_message_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct client_call call;

    client_call_begin(&call, &fixture->client, publish_path);
    client_send_end(&call);
    client_call_end(&call);
    assert_int_equal(call.status, GRPC_STATUS_INVALID_ARGUMENT);
}

static void test_more_calls_than_allowed_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct client_call open[CALLS_MAX];
    struct mesh_buffer request = request_of(1, 1, good);
    struct mesh_buffer reply = {0};

    for (size_t i = 0; i < CALLS_MAX; i++) {
        client_call_begin(&open[i], &fixture->client, stream_path);
        stream_send(&open[i], 1, 1);
        assert_true(client_receive(&open[i], &reply)); /* so it is counted by now */
    }
    assert_int_equal(unary_status(fixture, mesh_buffer_bytes(&request), "RESOURCE_EXHAUSTED"),
                     GRPC_STATUS_RESOURCE_EXHAUSTED);
    for (size_t i = 0; i < CALLS_MAX; i++) {
        client_send_end(&open[i]);
        client_call_end(&open[i]);
        assert_int_equal(open[i].status, GRPC_STATUS_OK);
    }
    mesh_buffer_done(&request);
    mesh_buffer_done(&reply);
}

static void test_a_bad_message_ends_the_stream_after_the_answers_under_way(void **state)
{
    struct fixture *fixture = *state;
    struct client_call call;
    struct mesh_buffer reply = {0};

    mock_kafka_slow(&fixture->mock, 200);
    client_call_begin(&call, &fixture->client, stream_path);
    stream_send(&call, 11, 2);
    (void)client_send(&call, mesh_bytes_of("\xff", 1));
    assert_true(client_receive(&call, &reply));
    Tweetmesh__V1__PublishReply *read = reply_of(&reply);
    assert_int_equal(read->sequence, 11);
    assert_int_equal(read->codes[0], MESH_OK);
    tweetmesh__v1__publish_reply__free_unpacked(read, NULL);
    assert_false(client_receive(&call, &reply));
    client_call_end(&call);
    assert_int_equal(call.status, GRPC_STATUS_INVALID_ARGUMENT);
    mesh_buffer_done(&reply);
}

static void test_a_bad_event_is_refused_with_its_problems_and_the_others_are_stored(void **state)
{
    struct fixture *fixture = *state;
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
        at[i].payload = (ProtobufCBinaryData){.data = (uint8_t *)good, .len = sizeof good - 1};
    }
    at[1].stream = (char *)"none";
    at[2].id = (char *)"NOT-A-UUID";
    at[3].payload = (ProtobufCBinaryData){.data = (uint8_t *)bad, .len = sizeof bad - 1};
    at[4].received_at = UINT64_MAX;
    request.events = events;
    request.n_events = 5;
    size_t size = tweetmesh__v1__publish_request__pack(&request, bytes);
    assert_true(
        client_unary(&call, &fixture->client, publish_path, mesh_bytes_of(bytes, size), &reply));
    Tweetmesh__V1__PublishReply *read = reply_of(&reply);
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
    struct fixture *fixture = *state;
    struct client_call call;
    struct mesh_buffer reply = {0};
    size_t refused = 0;

    mock_kafka_slow(&fixture->mock, 300);
    client_call_begin(&call, &fixture->client, stream_path);
    for (uint64_t i = 0; i < 3; i++) { /* 3,000 into a queue of 2,000 */
        stream_send(&call, i, MESH_EVENT_COUNT_MAX);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_true(client_receive(&call, &reply));
        Tweetmesh__V1__PublishReply *read = reply_of(&reply);
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

enum { UNDER_WAY = 40 };

static bool is_under_way(void *publisher)
{
    return producer_len(publisher_producer(publisher)) >= UNDER_WAY;
}

static bool is_stored(void *metric)
{
    return mesh_metric_value(metric) == UNDER_WAY;
}

static void test_events_of_a_cancelled_call_are_stored_all_the_same(void **state)
{
    struct fixture *fixture = *state;
    struct client_call call;
    struct mesh_metric *stored =
        mesh_counter("tweetmesh_events_total", "stream=\"tweets\",code=\"OK\"", "");

    mock_kafka_slow(&fixture->mock, 500);
    client_call_begin(&call, &fixture->client, stream_path);
    for (uint64_t i = 0; i < CALL_REQUESTS_MAX; i++) {
        stream_send(&call, i, UNDER_WAY / CALL_REQUESTS_MAX);
    }
    assert_true(wait_until(is_under_way, fixture->publisher, LONG_MS));
    client_cancel(&call);
    client_call_end(&call);
    assert_int_equal(call.status, GRPC_STATUS_CANCELLED);
    assert_true(wait_until(is_stored, stored, LONG_MS));

    struct mesh_buffer request = request_of(1, 1, good);
    assert_int_equal(unary_status(fixture, mesh_buffer_bytes(&request), ""), GRPC_STATUS_OK);
    mesh_buffer_done(&request);
}

static bool is_gone(void *calls)
{
    return mesh_metric_value(calls) == 0;
}

static void test_a_client_that_goes_away_is_forgotten(void **state)
{
    struct fixture *fixture = *state;
    struct client second;
    struct client_call call;
    struct mesh_metric *calls = mesh_gauge("tweetmesh_grpc_calls", NULL, "");

    mock_kafka_slow(&fixture->mock, 100);
    client_open(&second, server_port(fixture->server, 0));
    client_call_begin(&call, &second, stream_path);
    stream_send(&call, 1, 100);
    client_cancel(&call);
    client_call_end(&call);
    client_close(&second);
    assert_true(wait_until(is_gone, calls, LONG_MS));
}

static void *drain_run(void *arg)
{
    server_drain(((struct fixture *)arg)->server, LONG_MS);
    return NULL;
}

static void test_draining_answers_what_is_under_way_and_ends_the_stream(void **state)
{
    struct fixture *fixture = *state;
    struct client_call call;
    struct mesh_buffer reply = {0};
    pthread_t drain;
    size_t answered = 0;

    client_call_begin(&call, &fixture->client, stream_path);
    stream_send(&call, 0, 1);
    assert_true(client_receive(&call, &reply)); /* the server has the call */
    mock_kafka_slow(&fixture->mock, 300);
    stream_send(&call, 1, 5);
    stream_send(&call, 2, 5);
    assert_int_equal(pthread_create(&drain, NULL, drain_run, fixture), 0);
    while (client_receive(&call, &reply)) {
        Tweetmesh__V1__PublishReply *read = reply_of(&reply);
        assert_true(read->codes[0] == MESH_OK || read->codes[0] == MESH_UNAVAILABLE);
        answered++;
        tweetmesh__v1__publish_reply__free_unpacked(read, NULL);
    }
    client_call_end(&call);
    assert_int_equal(call.status, GRPC_STATUS_UNAVAILABLE);
    assert_true(answered <= 2);
    assert_int_equal(pthread_join(drain, NULL), 0);
    mesh_buffer_done(&reply);
}

static void test_the_end_of_the_server_does_not_wait_for_reports(void **state)
{
    struct fixture *fixture = *state;
    struct client_call call;

    mock_kafka_slow(&fixture->mock, 15000);
    client_call_begin(&call, &fixture->client, stream_path);
    stream_send(&call, 1, 50);
    server_drain(fixture->server, 1);
    client_call_end(&call);
    assert_true(call.status == GRPC_STATUS_UNAVAILABLE || call.status == GRPC_STATUS_CANCELLED);
}

static void test_a_stream_answers_every_request_once(void **state)
{
    struct fixture *fixture = *state;
    struct client_call call;
    struct mesh_buffer reply = {0};
    enum { REQUESTS = 200, EVENTS = 7 };
    bool seen[REQUESTS] = {false};

    client_call_begin(&call, &fixture->client, stream_path);
    for (uint64_t i = 0; i < REQUESTS; i++) {
        stream_send(&call, i, EVENTS);
        if (i + 1 < CALL_REQUESTS_MAX) {
            continue; /* several under way */
        }
        assert_true(client_receive(&call, &reply));
        Tweetmesh__V1__PublishReply *read = reply_of(&reply);
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
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_malformed_bytes_are_refused),
        CASE(test_no_event_and_too_many_are_refused),
        CASE(test_a_message_larger_than_the_limit_is_refused),
        CASE(test_an_unknown_method_is_unimplemented),
        CASE(test_a_call_without_a_message_is_refused),
        CASE(test_more_calls_than_allowed_are_refused),
        CASE(test_a_bad_message_ends_the_stream_after_the_answers_under_way),
        CASE(test_a_bad_event_is_refused_with_its_problems_and_the_others_are_stored),
        CASE(test_events_that_do_not_fit_the_queue_are_refused_at_once),
        CASE(test_events_of_a_cancelled_call_are_stored_all_the_same),
        CASE(test_a_client_that_goes_away_is_forgotten),
        CASE(test_draining_answers_what_is_under_way_and_ends_the_stream),
        CASE(test_the_end_of_the_server_does_not_wait_for_reports),
        CASE(test_a_stream_answers_every_request_once),
    };
#undef CASE

    mesh_log_start("test", MESH_LOG_ERROR);
    return cmocka_run_group_tests_name("ingest", tests, NULL, NULL);
}
