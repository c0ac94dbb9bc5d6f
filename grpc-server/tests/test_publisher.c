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
    assert_int_equal(batch_count(&sent, MESH_RESOURCE_EXHAUSTED), 90);
    assert_false(publisher_is_ready(fixture->publisher));
    mock_kafka_slow(&fixture->mock, 0);
    batch_finish(&sent);
    assert_int_equal(batch_count(&sent, MESH_OK), 10);
    assert_int_equal(batch_count(&sent, MESH_RESOURCE_EXHAUSTED), 90);
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
    check_header(headers, "id", last->id.text);
    check_header(headers, "traceparent", last->trace.traceparent);
    check_header(headers, "content-type", "application/json");
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
        CASE(test_the_end_reports_what_is_still_under_way),
        CASE(test_refused_events_are_left_alone_and_the_others_go_on),
        CASE(test_a_record_is_where_the_report_says_with_its_headers),
    };
#undef CASE

    mesh_log_start("test", MESH_LOG_ERROR);
    return cmocka_run_group_tests_name("publisher", tests, NULL, NULL);
}
