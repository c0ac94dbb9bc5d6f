/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka: what every program that uses librdkafka shares: settings, log lines, error codes.
 *
 * Threads: any; librdkafka's lines are logged from its own threads (event "kafka"). What librdkafka
 * copes with by itself (a lost connection, a retry) is warn or debug; only its fatal errors are
 * error.
 */
#ifndef MESH_KAFKA_H
#define MESH_KAFKA_H

#include "mesh/error.h"

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

/* Sets name to value. False: librdkafka does not take it; *err says why. */
MESH_MUST_CHECK
bool mesh_kafka_set(rd_kafka_conf_t *conf, const char *name, const char *value,
                    struct mesh_error *err);
MESH_MUST_CHECK
bool mesh_kafka_set_uint(rd_kafka_conf_t *conf, const char *name, uint64_t value,
                         struct mesh_error *err);

/* A configuration with bootstrap.servers, client.id, our log callback and what all of us want
 * (short reconnect pauses, no Nagle). The caller owns it until rd_kafka_new() takes it. NULL on
 * failure, with *err filled in. */
MESH_MUST_CHECK
rd_kafka_conf_t *mesh_kafka_conf_new(const char *brokers, const char *client_id,
                                     struct mesh_error *err);

/* What a delivery error means to whoever wanted to produce. `sent`: whether the message may have
 * reached a broker (rd_kafka_message_status() is not NOT_PERSISTED). Not sent: RESOURCE_EXHAUSTED
 * (our queue is full), INVALID_ARGUMENT (the message itself cannot be taken, so a retry is in vain)
 * or UNAVAILABLE; all three are certainly not stored. Sent: DEADLINE_EXCEEDED, outcome unknown. */
enum mesh_code mesh_kafka_code(rd_kafka_resp_err_t error, bool sent);

/* The topic's id as text, which changes when a topic is deleted and made anew; a constant where the
 * broker keeps none. Works on producers and consumers. Blocks at most timeout_ms. NULL on failure
 * with *err filled in (NOT_FOUND: there is no such topic); else the caller frees it. */
MESH_MUST_CHECK
char *mesh_kafka_topic_id(rd_kafka_t *kafka, const char *topic, uint32_t timeout_ms,
                          struct mesh_error *err);

#endif
