/* SPDX-License-Identifier: Apache-2.0 */
#include "records.h"

#include "mesh/alloc.h"
#include "mesh/event.h"
#include "path.h"

#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>

#define RECORD_COUNT ((size_t)PATH_ROUND_COUNT_MAX * PATH_BATCH_LEN)

enum { WAIT_MS = 30000 };

struct records {
    rd_kafka_t *producer; /* carries the cluster */
    rd_kafka_t *consumer;
    rd_kafka_topic_t *topic; /* the consumer's */
    rd_kafka_message_t *at[RECORD_COUNT];
};

/* conf's setting `name`, and a client of it. */
static rd_kafka_t *client_new(rd_kafka_type_t type, const char *name, const char *value)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256];

    must(rd_kafka_conf_set(conf, name, value, text, sizeof(text)) == RD_KAFKA_CONF_OK);
    rd_kafka_t *client = rd_kafka_new(type, conf, text, sizeof(text));
    must(client != NULL);
    return client;
}

/* As grpc-server does it for an event without a trace: with no header. */
static void produce(const struct records *records, const char *topic,
                    const struct corpus_event *event)
{
    struct mesh_buffer value = {0};

    mesh_event_write_record(&event->id, CORPUS_RECEIVED_MS, event->normalised, &value);
    must(rd_kafka_producev(records->producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
                           RD_KAFKA_V_VALUE(value.data, value.size),
                           RD_KAFKA_V_TIMESTAMP(CORPUS_RECEIVED_MS),
                           RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                           RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR_NO_ERROR);
    mesh_buffer_done(&value);
}

static void fetch_all(struct records *records)
{
    must(rd_kafka_consume_start(records->topic, 0, RD_KAFKA_OFFSET_BEGINNING) == 0);
    for (size_t i = 0; i < RECORD_COUNT; i++) {
        records->at[i] = rd_kafka_consume(records->topic, 0, WAIT_MS);
        must(records->at[i] != NULL && records->at[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    must(rd_kafka_consume_stop(records->topic, 0) == 0);
}

struct records *records_new(const struct corpus *corpus)
{
    struct records *records = mesh_new(struct records);
    const char *topic = corpus->stream->topic;

    records->producer = client_new(RD_KAFKA_PRODUCER, "test.mock.num.brokers", "1");
    rd_kafka_mock_cluster_t *cluster = rd_kafka_handle_mock_cluster(records->producer);
    must(cluster != NULL);
    must(rd_kafka_mock_topic_create(cluster, topic, 1, 1) == RD_KAFKA_RESP_ERR_NO_ERROR);
    for (size_t i = 0; i < RECORD_COUNT; i++) {
        produce(records, topic, corpus_event(corpus, 0, i));
    }
    must(rd_kafka_flush(records->producer, WAIT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR);
    records->consumer = client_new(RD_KAFKA_CONSUMER, "bootstrap.servers",
                                   rd_kafka_mock_cluster_bootstraps(cluster));
    records->topic = rd_kafka_topic_new(records->consumer, topic, NULL);
    must(records->topic != NULL);
    fetch_all(records);
    return records;
}

rd_kafka_message_t *records_message(const struct records *records, size_t round, size_t index)
{
    return records->at[round * PATH_BATCH_LEN + index];
}

void records_free(struct records *records)
{
    for (size_t i = 0; i < RECORD_COUNT; i++) {
        rd_kafka_message_destroy(records->at[i]);
    }
    rd_kafka_topic_destroy(records->topic);
    rd_kafka_destroy(records->consumer);
    rd_kafka_destroy(records->producer);
    free(records);
}
