/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mock_kafka: librdkafka's own mock cluster with the topics of streams/tweets.json, and shortcuts
 * to put records in and get them out. Failures fail the cmocka case. Threads: the test's.
 */
#ifndef MOCK_KAFKA_H
#define MOCK_KAFKA_H

#include "mesh/stream.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdint.h>

#define MOCK_KAFKA_PARTITIONS 2
/* A well-formed one for headers. */
#define MOCK_TRACEPARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

struct mock_kafka;

struct mock_kafka *mock_kafka_new(void);
const char *mock_kafka_brokers(const struct mock_kafka *mock);
rd_kafka_mock_cluster_t *mock_kafka_cluster(const struct mock_kafka *mock);
/* The stream whose topics the cluster has. */
const struct mesh_stream *mock_kafka_stream(const struct mock_kafka *mock);

/* Appends a record with a traceparent header; value NULL: a tombstone. */
void mock_kafka_produce(struct mock_kafka *mock, const char *topic, int32_t partition,
                        const char *value);
/* The same without a header, as most records are. */
void mock_kafka_produce_bare(struct mock_kafka *mock, const char *topic, int32_t partition,
                             const char *value);
/* Waits for the record at an offset; the caller destroys it before mock_kafka_free(). */
rd_kafka_message_t *mock_kafka_fetch(struct mock_kafka *mock, const char *topic, int32_t partition,
                                     int64_t offset);
/* A record's value with this id. The caller frees it. */
char *mock_kafka_value(const char *id, const char *country);
/* Accepts NULL. */
void mock_kafka_free(struct mock_kafka *mock);

#endif
