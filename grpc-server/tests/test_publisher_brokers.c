/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: whatever the brokers do, "certainly not stored" is never said of a stored event, offsets
 * are never told wrong, and the publisher goes on when they do. Method: the publisher against
 * librdkafka's mock broker, which is made absent, silent, wrong, and well again.
 */
#include "cmocka_all.h"
#include "mesh/log.h"
#include "mesh/metrics.h"
#include "publisher_fixture.h"

#include <string.h>

static void test_without_a_broker_events_are_refused_at_once(void **state)
{
    struct publisher_fixture *fixture = *state;
    struct sent_batch sent;
    struct mesh_buffer reason = {0};

    /* Port 1 of the loopback: nobody listens. */
    publisher_begin(fixture, "127.0.0.1:1", (struct publisher_limits){10000, 100, 0});
    batch_send(fixture, &sent, 3);
    assert_true(batch_is_done(&sent));
    assert_int_equal(batch_count(&sent, MESH_UNAVAILABLE), 3);
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
    struct publisher_fixture *fixture = *state;
    struct sent_batch sent;

    rd_kafka_mock_topic_set_error(fixture->mock.cluster, "messages",
                                  RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    publisher_begin(fixture, fixture->mock.brokers, (struct publisher_limits){10000, 100, 0});
    assert_true(wait_until(says_topic_is_missing, fixture->publisher, LONG_MS));
    batch_send(fixture, &sent, 2);
    assert_true(batch_is_done(&sent));
    assert_int_equal(batch_count(&sent, MESH_UNAVAILABLE), 2);

    rd_kafka_mock_topic_set_error(fixture->mock.cluster, "messages", RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_true(wait_until(publisher_is_ready, fixture->publisher, LONG_MS));
}

static void test_what_is_not_acknowledged_in_time_is_unknown(void **state)
{
    struct publisher_fixture *fixture = *state;
    struct sent_batch first;
    struct sent_batch sent;

    publisher_begin_ready(fixture, (struct publisher_limits){1500, 100, 0});
    batch_send(fixture, &first, 1); /* the producer has its id, and the connection is there */
    batch_finish(&first);
    assert_int_equal(batch_count(&first, MESH_OK), 1);
    mock_kafka_slow(&fixture->mock, 5000);
    batch_send(fixture, &sent, 4);
    batch_finish(&sent);
    assert_int_equal(batch_count(&sent, MESH_DEADLINE_EXCEEDED), 4);
    assert_int_equal(sent.publications[0].offset, -1);
}

static void test_what_the_broker_refuses_is_not_stored(void **state)
{
    struct publisher_fixture *fixture = *state;
    struct sent_batch sent;

    publisher_begin_ready(fixture, (struct publisher_limits){10000, 100, 0});
    rd_kafka_mock_push_request_errors(fixture->mock.cluster, PRODUCE_REQUEST, 1,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    batch_send(fixture, &sent, 1);
    batch_finish(&sent);
    assert_int_equal(sent.publications[0].code, MESH_UNAVAILABLE);
}

static void test_a_duplicate_sequence_is_stored_at_an_unknown_offset(void **state)
{
    struct publisher_fixture *fixture = *state;
    struct sent_batch sent;

    /* One batch is one request to Kafka. */
    publisher_begin_ready(fixture, (struct publisher_limits){10000, 100, 0});
    rd_kafka_mock_push_request_errors(fixture->mock.cluster, PRODUCE_REQUEST, 1,
                                      RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER);
    batch_send(fixture, &sent, 3);
    batch_finish(&sent);
    assert_int_equal(batch_count(&sent, MESH_OK), 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(sent.publications[i].offset, -1);
    }
}

static void test_refusal_while_brokers_are_down_ends_when_they_are_back(void **state)
{
    struct publisher_fixture *fixture = *state;
    struct sent_batch during;
    struct sent_batch later;
    struct sent_batch after;

    publisher_begin_ready(fixture, (struct publisher_limits){6000, 100, 0});
    assert_int_equal(rd_kafka_mock_broker_set_down(fixture->mock.cluster, -1),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    batch_send(fixture, &during, 5);
    assert_true(wait_until(publisher_is_not_ready, fixture->publisher, LONG_MS));
    batch_send(fixture, &later, 5);
    assert_true(batch_is_done(&later));
    assert_int_equal(batch_count(&later, MESH_UNAVAILABLE), 5);

    assert_int_equal(rd_kafka_mock_broker_set_up(fixture->mock.cluster, -1),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_true(wait_until(publisher_is_ready, fixture->publisher, LONG_MS));
    batch_send(fixture, &after, 5);
    batch_finish(&after);
    assert_int_equal(batch_count(&after, MESH_OK), 5);
    batch_finish(&during); /* stored late, or refused when its time was over */
}

static bool is_restarted(void *publisher)
{
    (void)publisher;
    return mesh_metric_value(mesh_counter("tweetmesh_producer_restarts_total", NULL, "")) == 1;
}

static void test_a_fatal_error_fails_what_is_under_way_and_a_new_producer_goes_on(void **state)
{
    struct publisher_fixture *fixture = *state;
    struct sent_batch first;
    struct sent_batch during;
    struct sent_batch after;

    publisher_begin_ready(fixture, (struct publisher_limits){10000, 100, 0});
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
    assert_int_equal(batch_count(&after, MESH_OK), 5);
    assert_true(after.publications[0].offset >= 0);
    assert_true(after.publications[0].partition != first.publications[0].partition ||
                after.publications[0].offset > last);
}

int main(void)
{
#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, publisher_fixture_set_up, publisher_fixture_tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_without_a_broker_events_are_refused_at_once),
        CASE(test_a_missing_topic_is_named_and_its_events_refused),
        CASE(test_what_is_not_acknowledged_in_time_is_unknown),
        CASE(test_what_the_broker_refuses_is_not_stored),
        CASE(test_a_duplicate_sequence_is_stored_at_an_unknown_offset),
        CASE(test_refusal_while_brokers_are_down_ends_when_they_are_back),
        CASE(test_a_fatal_error_fails_what_is_under_way_and_a_new_producer_goes_on),
    };
#undef CASE

    mesh_log_start("test", MESH_LOG_ERROR);
    return cmocka_run_group_tests_name("publisher_brokers", tests, NULL, NULL);
}
