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

#include <sched.h>
#include <string.h>
#include <time.h>

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

static void test_what_comes_while_the_first_lingers_goes_with_it(void **state)
{
    enum { BATCHES = 10, LINGER_US = 100500 }; /* librdkafka would wait for whole milliseconds */
    struct publisher_fixture *fixture = *state;
    static struct sent_batch sent[BATCHES];
    const struct timespec pause = {.tv_nsec = 2000000}; /* longer than Kafka's answer takes */

    publisher_begin_ready(fixture, (struct publisher_limits){20000, 1000, LINGER_US});
    batch_send(fixture, &sent[0], 1); /* the producer has its id */
    batch_finish(&sent[0]);
    rd_kafka_mock_start_request_tracking(fixture->mock.cluster);
    int64_t began_us = mesh_clock_mono_us();
    for (size_t i = 0; i < BATCHES; i++) {
        batch_send(fixture, &sent[i], 1);
        nanosleep(&pause, NULL);
    }
    batch_finish(&sent[0]);
    assert_true(mesh_clock_mono_us() - began_us >= LINGER_US);
    for (size_t i = 1; i < BATCHES; i++) {
        batch_finish(&sent[i]);
    }
    /* More than one where this machine stops for a while. */
    assert_in_range(produce_requests(&fixture->mock), 1, 3);
    rd_kafka_mock_stop_request_tracking(fixture->mock.cluster);
}

/* What the sender relies on between its last look and its poll; librdkafka does not promise it. A
 * queue of its own, since errors may come to the main one. */
static void test_a_wake_up_before_the_poll_ends_the_poll(void **state)
{
    struct publisher_fixture *fixture = *state;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(fixture->mock.host);
    int64_t began_us = mesh_clock_mono_us();

    rd_kafka_queue_yield(queue);
    assert_int_equal(rd_kafka_queue_poll_callback(queue, LONG_MS), 0);
    assert_true(mesh_clock_mono_us() - began_us < LONG_MS * INT64_C(500));
    rd_kafka_queue_destroy(queue);
}

/* Whoever is answered sends at once or a moment later: while the thread comes back from Kafka's
 * answer, finds nothing more to do, or waits already. A wake-up that is lost is lost for good. */
static void test_a_lone_batch_goes_at_once_whatever_the_moment(void **state)
{
    enum { BATCHES = 2000, MOMENTS = 64, LINGER_US = 50000 };
    struct publisher_fixture *fixture = *state;
    struct sent_batch sent;
    size_t late = 0;

    publisher_begin_ready(fixture, (struct publisher_limits){20000, 1000, 0});
    for (size_t i = 0; i < BATCHES; i++) {
        int64_t began_us = mesh_clock_mono_us();
        batch_send(fixture, &sent, 1);
        while (!batch_is_done(&sent) && mesh_clock_mono_us() - began_us < LINGER_US) {
            sched_yield();
        }
        late += !batch_is_done(&sent);
        batch_finish(&sent);
        assert_int_equal(batch_count(&sent, MESH_OK), 1);
        const int64_t next_us = mesh_clock_mono_us() + (int64_t)(i % MOMENTS);
        while (mesh_clock_mono_us() < next_us) {
        }
    }
    /* The first one waits for the producer's id; others where this machine stops for a while. */
    assert_in_range(late, 0, BATCHES / 10);
}

static bool led_by_second(const struct sent_batch *sent)
{
    return mock_kafka_leader(sent->publications[0].partition, 2) == 2;
}

/* Half of the partitions are led by a broker that takes 1.5 s for each answer; which partition a
 * batch gets is librdkafka's choice. */
static void test_a_slow_broker_holds_up_the_others_events_for_moments_only(void **state)
{
    enum { BATCHES_MAX = 100, EACH = 4, SLOW_MS = 1500, SOON_MS = 1000 };
    struct publisher_fixture *fixture = *state;
    static struct sent_batch sent[BATCHES_MAX];
    const struct timespec pause = {.tv_nsec = 15000000}; /* a partition is kept for 10 ms */
    bool soon[BATCHES_MAX];
    size_t count = 0;
    size_t soon_count = 0;

    publisher_begin_ready(fixture, (struct publisher_limits){60000, 1000, 0});
    do { /* until its connection is there */
        nanosleep(&pause, NULL);
        batch_send(fixture, &sent[0], 1);
        batch_finish(&sent[0]);
    } while (!led_by_second(&sent[0]));
    assert_int_equal(rd_kafka_mock_broker_set_rtt(fixture->mock.cluster, 2, SLOW_MS),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    while (soon_count < EACH || count - soon_count < EACH) {
        assert_true(count < BATCHES_MAX);
        nanosleep(&pause, NULL);
        batch_send(fixture, &sent[count], 1);
        soon[count] = wait_until(batch_is_done, &sent[count], SOON_MS);
        soon_count += soon[count];
        count++;
    }
    for (size_t i = 0; i < count; i++) {
        batch_finish(&sent[i]);
        assert_int_equal(batch_count(&sent[i], MESH_OK), 1);
        assert_true(soon[i] || led_by_second(&sent[i]));
    }
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
                             .received_at_ms = mesh_clock_wall_ms()};
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

/* One header where there is a trace, else none. */
static void check_headers(const rd_kafka_message_t *message, const char *traceparent)
{
    rd_kafka_headers_t *headers = NULL;
    const void *bytes = NULL;
    size_t size = 0;
    const rd_kafka_resp_err_t found = rd_kafka_message_headers(message, &headers);

    if (traceparent[0] == '\0') {
        assert_int_equal(found, RD_KAFKA_RESP_ERR__NOENT);
        return;
    }
    assert_int_equal(found, RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_header_cnt(headers), 1);
    assert_int_equal(rd_kafka_header_get_last(headers, "traceparent", &bytes, &size),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(size, strlen(traceparent));
    assert_memory_equal(bytes, traceparent, size);
}

static void check_record(const struct mock_kafka *mock, const struct publication *publication)
{
    rd_kafka_t *consumer = consumer_of(mock, publication);
    rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, LONG_MS);

    assert_non_null(message);
    assert_int_equal(message->err, RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(message->offset, publication->offset);
    assert_int_equal(message->key_len, 0);
    assert_int_equal(message->len, strlen(publisher_fixture_value));
    assert_memory_equal(message->payload, publisher_fixture_value, message->len);
    assert_int_equal(rd_kafka_message_timestamp(message, NULL), publication->received_at_ms);
    check_headers(message, publication->trace.traceparent);
    rd_kafka_message_destroy(message);
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
}

static void test_a_record_is_where_the_report_says_with_its_trace(void **state)
{
    struct publisher_fixture *fixture = *state;
    struct sent_batch sent;

    publisher_begin_ready(fixture, (struct publisher_limits){10000, 1000, 0});
    batch_send(fixture, &sent, 200);
    batch_finish(&sent);
    assert_int_equal(batch_count(&sent, MESH_OK), 200);
    for (size_t i = 198; i < 200; i++) { /* with a trace, and without */
        assert_true(sent.publications[i].offset >= 0);
        check_record(&fixture->mock, &sent.publications[i]);
    }
}

int main(void)
{
#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, publisher_fixture_set_up, publisher_fixture_tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_a_full_queue_refuses_what_does_not_fit),
        CASE(test_what_waits_for_what_is_under_way_is_limited),
        CASE(test_what_comes_meanwhile_goes_together),
        CASE(test_what_comes_while_the_first_lingers_goes_with_it),
        CASE(test_a_wake_up_before_the_poll_ends_the_poll),
        CASE(test_a_lone_batch_goes_at_once_whatever_the_moment),
        cmocka_unit_test_setup_teardown(
            test_a_slow_broker_holds_up_the_others_events_for_moments_only,
            publisher_fixture_set_up_two, publisher_fixture_tear_down),
        CASE(test_the_end_reports_what_is_still_under_way),
        CASE(test_refused_events_are_left_alone_and_the_others_go_on),
        CASE(test_a_record_is_where_the_report_says_with_its_trace),
    };
#undef CASE

    mesh_log_start("test", MESH_LOG_ERROR);
    return cmocka_run_group_tests_name("publisher", tests, NULL, NULL);
}
