/* SPDX-License-Identifier: Apache-2.0 */
#include "mock_kafka.h"

#include "cmocka_all.h"
#include "mesh/alloc.h"

#include <stdlib.h>
#include <string.h>

enum { WAIT_MS = 10000, FETCH_COUNT_MAX = 16 };

struct mock_kafka {
    rd_kafka_t *producer; /* carries the cluster */
    rd_kafka_mock_cluster_t *cluster;
    struct mesh_streams *streams;
    /* A message keeps its client from going, so clients stay until all messages are gone. */
    rd_kafka_t *consumers[FETCH_COUNT_MAX];
    size_t consumer_count;
};

static rd_kafka_t *client_new(const char *brokers)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256];

    assert_int_equal(rd_kafka_conf_set(conf, "bootstrap.servers", brokers, text, sizeof text), 0);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    assert_non_null(client);
    return client;
}

struct mock_kafka *mock_kafka_new(void)
{
    struct mock_kafka *mock = mesh_new(struct mock_kafka);
    struct mesh_error err = {0};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256];

    mock->streams = mesh_streams_load("streams", &err);
    assert_non_null(mock->streams);
    assert_int_equal(rd_kafka_conf_set(conf, "test.mock.num.brokers", "1", text, sizeof text), 0);
    mock->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    assert_non_null(mock->producer);
    mock->cluster = rd_kafka_handle_mock_cluster(mock->producer);
    assert_non_null(mock->cluster);
    rd_kafka_mock_group_initial_rebalance_delay_ms(mock->cluster, 0);
    const struct mesh_stream *stream = mock_kafka_stream(mock);
    assert_int_equal(
        rd_kafka_mock_topic_create(mock->cluster, stream->topic, MOCK_KAFKA_PARTITIONS, 1), 0);
    assert_int_equal(rd_kafka_mock_topic_create(mock->cluster, stream->dlq_topic, 1, 1), 0);
    return mock;
}

const char *mock_kafka_brokers(const struct mock_kafka *mock)
{
    return rd_kafka_mock_cluster_bootstraps(mock->cluster);
}

rd_kafka_mock_cluster_t *mock_kafka_cluster(const struct mock_kafka *mock)
{
    return mock->cluster;
}

const struct mesh_stream *mock_kafka_stream(const struct mock_kafka *mock)
{
    return mesh_streams_at(mock->streams, 0);
}

/* Takes the headers; NULL: none. */
static void produce(struct mock_kafka *mock, const char *topic, int32_t partition,
                    const char *value, rd_kafka_headers_t *headers)
{
    size_t size = value == NULL ? 0 : strlen(value);
    rd_kafka_resp_err_t error = rd_kafka_producev(
        mock->producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_KEY("key", 3), RD_KAFKA_V_VALUE((void *)value, size),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);

    assert_int_equal(error, RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_flush(mock->producer, WAIT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
}

void mock_kafka_produce(struct mock_kafka *mock, const char *topic, int32_t partition,
                        const char *value)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(1);

    (void)rd_kafka_header_add(headers, "traceparent", -1, MOCK_TRACEPARENT, -1);
    produce(mock, topic, partition, value, headers);
}

void mock_kafka_produce_bare(struct mock_kafka *mock, const char *topic, int32_t partition,
                             const char *value)
{
    produce(mock, topic, partition, value, NULL);
}

rd_kafka_message_t *mock_kafka_fetch(struct mock_kafka *mock, const char *topic, int32_t partition,
                                     int64_t offset)
{
    assert_true(mock->consumer_count < FETCH_COUNT_MAX);

    rd_kafka_t *consumer = client_new(mock_kafka_brokers(mock));
    rd_kafka_topic_t *handle = rd_kafka_topic_new(consumer, topic, NULL);
    mock->consumers[mock->consumer_count++] = consumer;
    assert_int_equal(rd_kafka_consume_start(handle, partition, offset), 0);
    rd_kafka_message_t *message = rd_kafka_consume(handle, partition, WAIT_MS);
    assert_non_null(message);
    assert_int_equal(message->err, RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(message->offset, offset);
    assert_int_equal(rd_kafka_consume_stop(handle, partition), 0);
    rd_kafka_topic_destroy(handle);
    return message;
}

char *mock_kafka_value(const char *id, const char *country)
{
    return mesh_format("{\"id\":\"%s\",\"received_at\":\"2026-11-20T23:21:07.123Z\","
                       "\"text\":\"hola\",\"country\":\"%s\"}",
                       id, country);
}

void mock_kafka_free(struct mock_kafka *mock)
{
    if (mock == NULL) {
        return;
    }
    for (size_t i = 0; i < mock->consumer_count; i++) {
        rd_kafka_destroy(mock->consumers[i]);
    }
    rd_kafka_destroy(mock->producer);
    mesh_streams_free(mock->streams);
    free(mock);
}
