/* SPDX-License-Identifier: Apache-2.0 */
#include "dead_letters.h"

#include "mesh/alloc.h"
#include "mesh/kafka.h"
#include "mesh/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* How long Kafka may take to acknowledge a letter; reading is paused meanwhile. */
enum { DELIVERY_MS = 5000 };

/* Above any record that a broker takes by default, plus our headers: the letter's topic decides. */
enum { LETTER_BYTES_MAX = 100 * 1024 * 1024 };

struct dead_letters {
    const char *brokers;
    rd_kafka_t *producer;
    size_t waiting;
    rd_kafka_resp_err_t error; /* of the last one that failed */
};

struct dead_letters *dead_letters_new(const char *brokers)
{
    struct dead_letters *letters = mesh_new(struct dead_letters);

    letters->brokers = brokers;
    return letters;
}

static void on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque)
{
    struct dead_letters *letters = opaque;
    struct entry *entry = message->_private;

    (void)kafka;
    letters->waiting--;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        entry->state = ENTRY_DEAD;
    } else {
        letters->error = message->err;
    }
}

static bool producer_open(struct dead_letters *letters, struct mesh_error *err)
{
    char text[256];
    rd_kafka_conf_t *conf =
        mesh_kafka_conf_new(letters->brokers, "kafka-consumer-dead-letters", err);

    if (conf == NULL) {
        return false;
    }
    rd_kafka_conf_set_opaque(conf, letters);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    if (!mesh_kafka_set(conf, "acks", "all", err) ||
        !mesh_kafka_set_uint(conf, "message.timeout.ms", DELIVERY_MS, err) ||
        !mesh_kafka_set_uint(conf, "message.max.bytes", LETTER_BYTES_MAX, err) ||
        !mesh_kafka_set(conf, "linger.ms", "0", err)) {
        rd_kafka_conf_destroy(conf);
        return false;
    }
    letters->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (letters->producer == NULL) {
        rd_kafka_conf_destroy(conf);
        return mesh_fail(err, MESH_INTERNAL, "Kafka: %s", text);
    }
    return true;
}

/* The record's own headers and, behind them, ours. */
static rd_kafka_headers_t *headers_of(const struct entry *entry)
{
    rd_kafka_headers_t *own = NULL;
    char error[160];
    char partition[16];
    char offset[24];

    if (entry->server_code != 0) {
        (void)snprintf(error, sizeof error, "%s (code %" PRId32 ")", entry->reason,
                       entry->server_code);
    } else {
        (void)snprintf(error, sizeof error, "%s", entry->reason);
    }
    (void)snprintf(partition, sizeof partition, "%" PRId32, entry->message->partition);
    (void)snprintf(offset, sizeof offset, "%" PRId64, entry->message->offset);
    rd_kafka_headers_t *headers =
        rd_kafka_message_headers(entry->message, &own) == RD_KAFKA_RESP_ERR_NO_ERROR
            ? rd_kafka_headers_copy(own)
            : rd_kafka_headers_new(4);
    (void)rd_kafka_header_add(headers, "error", -1, error, -1);
    (void)rd_kafka_header_add(headers, "topic", -1, entry->partition->topic->stream->topic, -1);
    (void)rd_kafka_header_add(headers, "partition", -1, partition, -1);
    (void)rd_kafka_header_add(headers, "offset", -1, offset, -1);
    return headers;
}

static void send_one(struct dead_letters *letters, struct entry *entry)
{
    rd_kafka_headers_t *headers = headers_of(entry);
    rd_kafka_resp_err_t error = rd_kafka_producev(
        letters->producer, RD_KAFKA_V_TOPIC(entry->partition->topic->stream->dlq_topic),
        RD_KAFKA_V_KEY(entry->message->key, entry->message->key_len),
        RD_KAFKA_V_VALUE(entry->message->payload, entry->message->len),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(headers),
        RD_KAFKA_V_OPAQUE(entry), RD_KAFKA_V_END);

    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        letters->waiting++;
    } else {
        rd_kafka_headers_destroy(headers);
        letters->error = error;
    }
}

static void log_dead(const struct entry *entry)
{
    mesh_log(MESH_LOG_ERROR, "dead_letter",
             MESH_LOG_TEXT("stream", entry->partition->topic->stream->name),
             MESH_LOG_INT("partition", entry->message->partition),
             MESH_LOG_INT("offset", entry->message->offset), MESH_LOG_TEXT("reason", entry->reason),
             MESH_LOG_INT("server_code", entry->server_code));
}

bool dead_letters_send(struct dead_letters *letters, struct batch *batch, struct mesh_error *err)
{
    if (!batch_has(batch, ENTRY_POISON)) {
        return true;
    }
    if (letters->producer == NULL && !producer_open(letters, err)) {
        return false;
    }
    letters->error = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (size_t i = 0; i < batch->count; i++) {
        struct entry *entry = &batch->entries[i];
        if (entry->partition != NULL && entry->state == ENTRY_POISON) {
            send_one(letters, entry);
        }
    }
    /* Ends: message.timeout.ms gives each a report. The entries must not go before it. */
    while (letters->waiting > 0) {
        (void)rd_kafka_poll(letters->producer, DELIVERY_MS);
    }
    for (size_t i = 0; i < batch->count; i++) {
        const struct entry *entry = &batch->entries[i];
        if (entry->partition != NULL && entry->state == ENTRY_DEAD) {
            log_dead(entry);
        }
    }
    if (batch_has(batch, ENTRY_POISON)) {
        return mesh_fail(err, mesh_kafka_code(letters->error, false), "dead letter topic: %s",
                         rd_kafka_err2str(letters->error));
    }
    return true;
}

void dead_letters_free(struct dead_letters *letters)
{
    if (letters == NULL) {
        return;
    }
    if (letters->producer != NULL) {
        rd_kafka_destroy(letters->producer); /* nothing is waiting: dead_letters_send() saw to it */
    }
    free(letters);
}
