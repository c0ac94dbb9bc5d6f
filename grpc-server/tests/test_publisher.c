/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: every event gets one truthful code, whatever the brokers do: "certainly not stored" is
 * never said of a stored event, and offsets are never told wrong. Method: the publisher against
 * librdkafka's mock broker, which is made slow, silent, absent or wrong; records are read back with
 * a consumer of librdkafka.
 */
#include "cmocka_all.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/log.h"
#include "mesh/metrics.h"
#include "mock_kafka.h"
#include "publisher.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_MAX = 256, LONG_MS = 30000 };

static const char value[] = "{\"text\":\"hello\"}";

struct fixture {
    struct mock_kafka mock;
    struct mesh_streams *streams;
    struct publisher *publisher;
};

struct sent_batch {
    struct publication_batch batch;
    struct publication publications[BATCH_MAX];
    atomic_bool done;
};

static int set_up(void **state)
{
    struct fixture *fixture = mesh_new(struct fixture);
    struct mesh_error err = {0};

    mock_kafka_start(&fixture->mock);
    fixture->streams = mesh_streams_load("streams", &err);
    assert_non_null(fixture->streams);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    publisher_free(fixture->publisher, 0);
    mock_kafka_stop(&fixture->mock);
    mesh_streams_free(fixture->streams);
    mesh_metrics_done();
    free(fixture);
    return 0;
}

static bool is_ready(void *publisher)
{
    struct mesh_buffer reason = {0};
    bool ready = publisher_ready(publisher, &reason);

    mesh_buffer_done(&reason);
    return ready;
}

static bool is_not_ready(void *publisher)
{
    return !is_ready(publisher);
}

struct limits {
    uint32_t delivery_ms_max;
    uint32_t queue_len_max;
    uint32_t linger_us;
};

static void publisher_begin(struct fixture *fixture, const char *brokers, struct limits limits)
{
    struct mesh_error err = {0};

    fixture->publisher = publisher_new(
        &(struct publisher_options){
            .brokers = brokers,
            .streams = fixture->streams,
            .delivery_ms_max = limits.delivery_ms_max,
            .queue_len_max = limits.queue_len_max,
            .queue_kb_max = 1024,
            .linger_us = limits.linger_us,
        },
        &err);
    assert_non_null(fixture->publisher);
}

static void publisher_begin_ready(struct fixture *fixture, struct limits limits)
{
    publisher_begin(fixture, fixture->mock.brokers, limits);
    assert_true(wait_until(is_ready, fixture->publisher, LONG_MS));
}

static void on_done(void *arg)
{
    struct sent_batch *sent = arg;

    assert_false(atomic_exchange(&sent->done, true)); /* once */
}

static bool is_done(void *arg)
{
    struct sent_batch *sent = arg;

    return atomic_load(&sent->done);
}

static void batch_send(struct fixture *fixture, struct sent_batch *sent, size_t count)
{
    assert_true(count <= BATCH_MAX);
    memset(sent, 0, sizeof *sent);
    sent->batch = (struct publication_batch){
        .at = sent->publications, .count = count, .done = on_done, .arg = sent};
    for (size_t i = 0; i < count; i++) {
        sent->publications[i] = (struct publication){
            .value = mesh_bytes_of_text(value),
            .received_at_ms = mesh_clock_wall_ms(),
            .id = mesh_id_new(mesh_clock_wall_ms()),
            .trace = mesh_trace_new(),
        };
    }
    if (!publisher_send(fixture->publisher, &sent->batch)) {
        atomic_store(&sent->done, true);
    }
}

static void batch_finish(struct sent_batch *sent)
{
    assert_true(wait_until(is_done, sent, LONG_MS));
}

static size_t count_code(const struct sent_batch *sent, enum mesh_code code)
{
    size_t count = 0;

    for (size_t i = 0; i < sent->batch.count; i++) {
        count += sent->publications[i].code == code;
    }
    return count;
}

static void test_without_a_broker_events_are_refused_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct sent_batch sent;
    struct mesh_buffer reason = {0};

    /* Port 1 of the loopback: nobody listens. */
    publisher_begin(fixture, "127.0.0.1:1", (struct limits){10000, 100, 0});
    batch_send(fixture, &sent, 3);
    assert_true(is_done(&sent));
    assert_int_equal(count_code(&sent, MESH_UNAVAILABLE), 3);
    assert_int_equal(sent.publications[0].partition, -1);
    assert_false(publisher_ready(fixture->publisher, &reason));
    assert_string_equal(reason.data, "no Kafka broker answers");
    mesh_buffer_done(&reason);
}

static bool says_topic_is_missing(void *publisher)
{
    struct mesh_buffer reason = {0};
    bool said = !publisher_ready(publisher, &reason) &&
                strcmp(reason.data, "topic messages is missing") == 0;

    mesh_buffer_done(&reason);
    return said;
}

static void test_a_missing_topic_is_named_and_its_events_refused(void **state)
{
    struct fixture *fixture = *state;
    struct sent_batch sent;

    rd_kafka_mock_topic_set_error(fixture->mock.cluster, "messages",
                                  RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    publisher_begin(fixture, fixture->mock.brokers, (struct limits){10000, 100, 0});
    assert_true(wait_until(says_topic_is_missing, fixture->publisher, LONG_MS));
    batch_send(fixture, &sent, 2);
    assert_true(is_done(&sent));
    assert_int_equal(count_code(&sent, MESH_UNAVAILABLE), 2);

    rd_kafka_mock_topic_set_error(fixture->mock.cluster, "messages", RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_true(wait_until(is_ready, fixture->publisher, LONG_MS));
}

static void test_a_full_queue_refuses_what_does_not_fit(void **state)
{
    struct fixture *fixture = *state;
    struct sent_batch sent;

    publisher_begin_ready(fixture, (struct limits){20000, 10, 0});
    mock_kafka_slow(&fixture->mock, 300);
    batch_send(fixture, &sent, 100);
    assert_int_equal(count_code(&sent, MESH_RESOURCE_EXHAUSTED), 90);
    assert_false(is_ready(fixture->publisher));
    mock_kafka_slow(&fixture->mock, 0);
    batch_finish(&sent);
    assert_int_equal(count_code(&sent, MESH_OK), 10);
    assert_int_equal(count_code(&sent, MESH_RESOURCE_EXHAUSTED), 90);
}

static void test_what_is_not_acknowledged_in_time_is_unknown(void **state)
{
    struct fixture *fixture = *state;
    struct sent_batch first;
    struct sent_batch sent;

    publisher_begin_ready(fixture, (struct limits){1500, 100, 0});
    batch_send(fixture, &first, 1); /* the producer has its id, and the connection is there */
    batch_finish(&first);
    assert_int_equal(count_code(&first, MESH_OK), 1);
    mock_kafka_slow(&fixture->mock, 5000);
    batch_send(fixture, &sent, 4);
    batch_finish(&sent);
    assert_int_equal(count_code(&sent, MESH_DEADLINE_EXCEEDED), 4);
    assert_int_equal(sent.publications[0].offset, -1);
}

static void test_what_the_broker_refuses_is_not_stored(void **state)
{
    struct fixture *fixture = *state;
    struct sent_batch sent;

    publisher_begin_ready(fixture, (struct limits){10000, 100, 0});
    rd_kafka_mock_push_request_errors(fixture->mock.cluster, PRODUCE_REQUEST, 1,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    batch_send(fixture, &sent, 1);
    batch_finish(&sent);
    assert_int_equal(sent.publications[0].code, MESH_UNAVAILABLE);
}

static void test_a_duplicate_sequence_is_stored_at_an_unknown_offset(void **state)
{
    struct fixture *fixture = *state;
    struct sent_batch sent;

    /* They wait for each other, and so are one request to Kafka. */
    publisher_begin_ready(fixture, (struct limits){10000, 100, 100000});
    rd_kafka_mock_push_request_errors(fixture->mock.cluster, PRODUCE_REQUEST, 1,
                                      RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER);
    batch_send(fixture, &sent, 3);
    batch_finish(&sent);
    assert_int_equal(count_code(&sent, MESH_OK), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(sent.publications[i].offset, -1);
    }
}

static void test_refusal_while_brokers_are_down_ends_when_they_are_back(void **state)
{
    struct fixture *fixture = *state;
    struct sent_batch during;
    struct sent_batch later;
    struct sent_batch after;

    publisher_begin_ready(fixture, (struct limits){6000, 100, 0});
    assert_int_equal(rd_kafka_mock_broker_set_down(fixture->mock.cluster, -1),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    batch_send(fixture, &during, 5);
    assert_true(wait_until(is_not_ready, fixture->publisher, LONG_MS));
    batch_send(fixture, &later, 5);
    assert_true(is_done(&later));
    assert_int_equal(count_code(&later, MESH_UNAVAILABLE), 5);

    assert_int_equal(rd_kafka_mock_broker_set_up(fixture->mock.cluster, -1),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_true(wait_until(is_ready, fixture->publisher, LONG_MS));
    batch_send(fixture, &after, 5);
    batch_finish(&after);
    assert_int_equal(count_code(&after, MESH_OK), 5);
    batch_finish(&during); /* stored late, or refused when its time was over */
}

static bool is_restarted(void *publisher)
{
    (void)publisher;
    return mesh_metric_value(mesh_counter("tweetmesh_producer_restarts_total", NULL, "")) == 1;
}

static void test_a_fatal_error_fails_what_is_under_way_and_a_new_producer_goes_on(void **state)
{
    struct fixture *fixture = *state;
    struct sent_batch first;
    struct sent_batch during;
    struct sent_batch after;

    publisher_begin_ready(fixture, (struct limits){10000, 100, 0});
    batch_send(fixture, &first, 1);
    batch_finish(&first);
    int64_t last = first.publications[0].offset;
    mock_kafka_slow(&fixture->mock, 400);
    batch_send(fixture, &during, 5);
    assert_int_equal(
        rd_kafka_test_fatal_error(producer_handle(publisher_producer(fixture->publisher)),
                                  RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "a test"),
        RD_KAFKA_RESP_ERR_NO_ERROR);
    batch_finish(&during);
    for (size_t i = 0; i < 5; i++) {
        enum mesh_code code = during.publications[i].code;
        assert_true(code == MESH_OK || code == MESH_UNAVAILABLE || code == MESH_DEADLINE_EXCEEDED);
    }
    assert_true(wait_until(is_restarted, NULL, LONG_MS));
    mock_kafka_slow(&fixture->mock, 0);
    batch_send(fixture, &after, 5);
    batch_finish(&after);
    assert_int_equal(count_code(&after, MESH_OK), 5);
    assert_true(after.publications[0].offset >= 0);
    assert_true(after.publications[0].partition != first.publications[0].partition ||
                after.publications[0].offset > last);
}

static void test_the_end_reports_what_is_still_under_way(void **state)
{
    struct fixture *fixture = *state;
    struct sent_batch sent;

    publisher_begin_ready(fixture, (struct limits){60000, 100, 0});
    mock_kafka_slow(&fixture->mock, 20000);
    batch_send(fixture, &sent, 7);
    assert_false(is_done(&sent));
    publisher_free(fixture->publisher, 1);
    fixture->publisher = NULL;
    assert_true(is_done(&sent));
    assert_int_equal(count_code(&sent, MESH_OK), 0);
}

static void test_refused_events_are_left_alone_and_the_others_go_on(void **state)
{
    struct fixture *fixture = *state;
    struct sent_batch sent;

    publisher_begin_ready(fixture, (struct limits){10000, 100, 0});
    memset(&sent, 0, sizeof sent);
    sent.batch = (struct publication_batch){
        .at = sent.publications, .count = 2, .done = on_done, .arg = &sent};
    sent.publications[0].code = MESH_INVALID_ARGUMENT;
    sent.publications[1] = (struct publication){.value = mesh_bytes_of_text(value),
                                                .id = mesh_id_new(1),
                                                .received_at_ms = mesh_clock_wall_ms(),
                                                .trace = mesh_trace_new()};
    assert_true(publisher_send(fixture->publisher, &sent.batch));
    batch_finish(&sent);
    assert_int_equal(sent.publications[0].code, MESH_INVALID_ARGUMENT);
    assert_int_equal(sent.publications[1].code, MESH_OK);
}

static rd_kafka_t *consumer_of(const struct mock_kafka *mock, const struct publication *publication)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    assert_int_equal(rd_kafka_conf_set(conf, "bootstrap.servers", mock->brokers, text, sizeof text),
                     RD_KAFKA_CONF_OK);
    assert_int_equal(rd_kafka_conf_set(conf, "group.id", "test", text, sizeof text),
                     RD_KAFKA_CONF_OK);
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    assert_non_null(consumer);
    rd_kafka_poll_set_consumer(consumer);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, "messages", publication->partition)->offset =
        publication->offset;
    assert_int_equal(rd_kafka_assign(consumer, list), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
    return consumer;
}

static void check_header(const rd_kafka_headers_t *headers, const char *name, const char *text)
{
    const void *bytes = NULL;
    size_t size = 0;

    assert_int_equal(rd_kafka_header_get_last(headers, name, &bytes, &size),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(bytes, text, size);
}

static void test_a_record_is_where_the_report_says_with_its_headers(void **state)
{
    struct fixture *fixture = *state;
    struct sent_batch sent;

    publisher_begin_ready(fixture, (struct limits){10000, 1000, 0});
    batch_send(fixture, &sent, 200);
    batch_finish(&sent);
    assert_int_equal(count_code(&sent, MESH_OK), 200);
    const struct publication *last = &sent.publications[199];
    assert_true(last->offset >= 0);

    rd_kafka_t *consumer = consumer_of(&fixture->mock, last);
    rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, LONG_MS);
    assert_non_null(message);
    assert_int_equal(message->err, RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(message->offset, last->offset);
    assert_int_equal(message->key_len, 0);
    assert_int_equal(message->len, strlen(value));
    assert_memory_equal(message->payload, value, message->len);
    assert_int_equal(rd_kafka_message_timestamp(message, NULL), last->received_at_ms);
    rd_kafka_headers_t *headers = NULL;
    assert_int_equal(rd_kafka_message_headers(message, &headers), RD_KAFKA_RESP_ERR_NO_ERROR);
    check_header(headers, "id", last->id.text);
    check_header(headers, "traceparent", last->trace.traceparent);
    check_header(headers, "content-type", "application/json");
    rd_kafka_message_destroy(message);
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_without_a_broker_events_are_refused_at_once),
        CASE(test_a_missing_topic_is_named_and_its_events_refused),
        CASE(test_a_full_queue_refuses_what_does_not_fit),
        CASE(test_what_is_not_acknowledged_in_time_is_unknown),
        CASE(test_what_the_broker_refuses_is_not_stored),
        CASE(test_a_duplicate_sequence_is_stored_at_an_unknown_offset),
        CASE(test_refusal_while_brokers_are_down_ends_when_they_are_back),
        CASE(test_a_fatal_error_fails_what_is_under_way_and_a_new_producer_goes_on),
        CASE(test_the_end_reports_what_is_still_under_way),
        CASE(test_refused_events_are_left_alone_and_the_others_go_on),
        CASE(test_a_record_is_where_the_report_says_with_its_headers),
    };
#undef CASE

    mesh_log_start("test", MESH_LOG_ERROR);
    return cmocka_run_group_tests_name("publisher", tests, NULL, NULL);
}
