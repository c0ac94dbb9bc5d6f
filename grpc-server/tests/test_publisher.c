/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: every event that the publisher takes gets one truthful code, to the very end; its limit
 * holds; a stored record is where the report says, and is what was sent.
 * Method: the publisher against librdkafka's mock broker, slow where something must be under way;
 * records are read back with a consumer of librdkafka.
 */
#include "cmocka_all.h"
#include "mesh/clock.h"
#include "mesh/log.h"
#include "publisher_fixture.h"

#include <string.h>

static void test_a_full_queue_refuses_what_does_not_fit(void **state)
{
    struct publisher_fixture *fixture = *state;
    struct sent_batch sent;

    publisher_begin_ready(fixture, (struct publisher_limits){20000, 10, 0});
    mock_kafka_slow(&fixture->mock, 300);
    batch_send(fixture, &sent, 100);
    assert_true(wait_until(publisher_is_not_ready, fixture->publisher, LONG_MS));
    mock_kafka_slow(&fixture->mock, 0);
    batch_finish(&sent);
    assert_int_equal(batch_count(&sent, MESH_OK), 10);
    assert_int_equal(batch_count(&sent, MESH_RESOURCE_EXHAUSTED), 90);
}

static void test_what_waits_for_what_is_under_way_is_limited(void **state)
{
    struct publisher_fixture *fixture = *state;
    struct sent_batch sent[4];
    size_t stored = 0;
    size_t refused = 0;

    /* One batch is under way, or none yet; another fills the queue. */
    publisher_begin_ready(fixture, (struct publisher_limits){20000, 10, 0});
    mock_kafka_slow(&fixture->mock, 300);
    for (size_t i = 0; i < MESH_COUNT_OF(sent); i++) {
        batch_send(fixture, &sent[i], 10);
    }
    for (size_t i = 0; i < MESH_COUNT_OF(sent); i++) {
        batch_finish(&sent[i]);
        stored += batch_count(&sent[i], MESH_OK);
        refused += batch_count(&sent[i], MESH_RESOURCE_EXHAUSTED);
    }
    assert_int_equal(stored + refused, 40);
    assert_true(stored >= 10);
    assert_true(refused >= 20);
}

static size_t produce_requests(const struct mock_kafka *mock)
{
    size_t count = 0;
    size_t found = 0;
    rd_kafka_mock_request_t **requests = rd_kafka_mock_get_requests(mock->cluster, &count);

    for (size_t i = 0; i < count; i++) {
        found += rd_kafka_mock_request_api_key(requests[i]) == PRODUCE_REQUEST;
    }
    rd_kafka_mock_request_destroy_array(requests, count);
    return found;
}

static void test_what_comes_meanwhile_goes_together(void **state)
{
    enum { BATCHES = 50 };
    struct publisher_fixture *fixture = *state;
    static struct sent_batch sent[BATCHES];

    publisher_begin_ready(fixture, (struct publisher_limits){20000, 1000, 0});
    batch_send(fixture, &sent[0], 1); /* the producer has its id, and the connection is there */
    batch_finish(&sent[0]);
    rd_kafka_mock_start_request_tracking(fixture->mock.cluster);
    mock_kafka_slow(&fixture->mock, 50);
    for (size_t i = 0; i < BATCHES; i++) {
        batch_send(fixture, &sent[i], 2);
    }
    for (size_t i = 0; i < BATCHES; i++) {
        batch_finish(&sent[i]);
        assert_int_equal(batch_count(&sent[i], MESH_OK), 2);
    }
    /* The first ones, and all others; some more where this machine stops for a while. */
    assert_in_range(produce_requests(&fixture->mock), 1, 10);
    rd_kafka_mock_stop_request_tracking(fixture->mock.cluster);
}

static void test_the_end_reports_what_is_still_under_way(void **state)
{
    struct publisher_fixture *fixture = *state;
    struct sent_batch sent;

    publisher_begin_ready(fixture, (struct publisher_limits){60000, 100, 0});
    mock_kafka_slow(&fixture->mock, 20000);
    batch_send(fixture, &sent, 7);
    assert_false(batch_is_done(&sent));
    publisher_free(fixture->publisher, 1);
    fixture->publisher = NULL;
    assert_true(batch_is_done(&sent));
    assert_int_equal(batch_count(&sent, MESH_OK), 0);
}

static void test_refused_events_are_left_alone_and_the_others_go_on(void **state)
{
    struct publisher_fixture *fixture = *state;
    struct sent_batch sent;

    publisher_begin_ready(fixture, (struct publisher_limits){10000, 100, 0});
    memset(&sent, 0, sizeof sent);
    sent.batch = (struct publication_batch){
        .at = sent.publications, .count = 2, .done = batch_on_done, .arg = &sent};
    sent.publications[0].code = MESH_INVALID_ARGUMENT;
    sent.publications[1] =
        (struct publication){.value = mesh_bytes_of_text(publisher_fixture_value),
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
    struct publisher_fixture *fixture = *state;
    struct sent_batch sent;

    publisher_begin_ready(fixture, (struct publisher_limits){10000, 1000, 0});
    batch_send(fixture, &sent, 200);
    batch_finish(&sent);
    assert_int_equal(batch_count(&sent, MESH_OK), 200);
    const struct publication *last = &sent.publications[199];
    assert_true(last->offset >= 0);

    rd_kafka_t *consumer = consumer_of(&fixture->mock, last);
    rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, LONG_MS);
    assert_non_null(message);
    assert_int_equal(message->err, RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(message->offset, last->offset);
    assert_int_equal(message->key_len, 0);
    assert_int_equal(message->len, strlen(publisher_fixture_value));
    assert_memory_equal(message->payload, publisher_fixture_value, message->len);
    assert_int_equal(rd_kafka_message_timestamp(message, NULL), last->received_at_ms);
    rd_kafka_headers_t *headers = NULL;
    assert_int_equal(rd_kafka_message_headers(message, &headers), RD_KAFKA_RESP_ERR_NO_ERROR);
    check_header(headers, "traceparent", last->trace.traceparent);
    assert_int_equal(rd_kafka_header_cnt(headers), 1);
    rd_kafka_message_destroy(message);
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
}

int main(void)
{
#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, publisher_fixture_set_up, publisher_fixture_tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_a_full_queue_refuses_what_does_not_fit),
        CASE(test_what_waits_for_what_is_under_way_is_limited),
        CASE(test_what_comes_meanwhile_goes_together),
        CASE(test_the_end_reports_what_is_still_under_way),
        CASE(test_refused_events_are_left_alone_and_the_others_go_on),
        CASE(test_a_record_is_where_the_report_says_with_its_headers),
    };
#undef CASE

    mesh_log_start("test", MESH_LOG_ERROR);
    return cmocka_run_group_tests_name("publisher", tests, NULL, NULL);
}
