/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: poison arrives in the dead letter topic as it was, with where it came from and why; a topic
 * that cannot be written keeps the entry, and a later attempt delivers it.
 * Method: librdkafka's mock cluster.
 */
#include "cmocka_all.h"
#include "dead_letters.h"
#include "mock_kafka.h"

#include <string.h>
#include <time.h>

static struct {
    struct mock_kafka *kafka;
    struct topic topic;
    struct partition *partition;
    struct dead_letters *letters;
    struct batch batch;
} test;

static int make(void **state)
{
    (void)state;
    test.kafka = mock_kafka_new();
    topic_init(&test.topic, mock_kafka_stream(test.kafka), 0, 1);
    test.partition = partition_add(&test.topic, 1, 0);
    test.letters = dead_letters_new(mock_kafka_brokers(test.kafka));
    batch_init(&test.batch, 4);
    mock_kafka_produce(test.kafka, test.topic.stream->topic, 1, "no JSON");
    batch_add_take(&test.batch, test.partition,
                   mock_kafka_fetch(test.kafka, test.topic.stream->topic, 1, 0));
    return 0;
}

static int drop(void **state)
{
    (void)state;
    batch_done(&test.batch);
    dead_letters_free(test.letters);
    topic_done(&test.topic);
    mock_kafka_free(test.kafka);
    mesh_metrics_done();
    return 0;
}

static void assert_header(const rd_kafka_headers_t *headers, const char *name, const char *expected)
{
    const void *value = NULL;
    size_t size = 0;

    assert_int_equal(rd_kafka_header_get_last(headers, name, &value, &size), 0);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(value, expected, size);
}

static void test_a_topic_that_refuses_keeps_the_entry_for_later(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    const struct entry *entry = &test.batch.entries[0];

    rd_kafka_mock_push_request_errors(mock_kafka_cluster(test.kafka), 0 /* Produce */, 1,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    assert_false(dead_letters_send(test.letters, &test.batch, &err));
    assert_int_equal(entry->state, ENTRY_POISON);
    assert_non_null(strstr(err.text, "dead letter topic"));
    /* The producer believes the refusal until it has asked for the topic again. */
    for (int i = 0; i < 200 && !dead_letters_send(test.letters, &test.batch, &err); i++) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    assert_int_equal(entry->state, ENTRY_DEAD);
}

static void test_a_letter_carries_the_record_and_where_it_came_from(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    rd_kafka_headers_t *headers = NULL;

    test.batch.entries[0].server_code = 121;
    assert_true(dead_letters_send(test.letters, &test.batch, &err));
    rd_kafka_message_t *letter = mock_kafka_fetch(test.kafka, test.topic.stream->dlq_topic, 0, 0);
    assert_int_equal(letter->len, 7);
    assert_memory_equal(letter->payload, "no JSON", 7);
    assert_int_equal(letter->key_len, 3);
    assert_memory_equal(letter->key, "key", 3);
    assert_int_equal(rd_kafka_message_headers(letter, &headers), 0);
    assert_header(headers, "traceparent", MOCK_TRACEPARENT);
    assert_header(headers, "topic", "messages");
    assert_header(headers, "partition", "1");
    assert_header(headers, "offset", "0");
    assert_header(headers, "error", "is not JSON (code 121)");
    rd_kafka_message_destroy(letter);
}

static void test_nothing_poisonous_needs_no_producer(void **state)
{
    (void)state;
    struct mesh_error err = {0};

    test.batch.entries[0].state = ENTRY_ARCHIVED;
    assert_true(dead_letters_send(test.letters, &test.batch, &err));
    assert_int_equal(test.batch.entries[0].state, ENTRY_ARCHIVED);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_a_topic_that_refuses_keeps_the_entry_for_later),
        CASE(test_a_letter_carries_the_record_and_where_it_came_from),
        CASE(test_nothing_poisonous_needs_no_producer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
