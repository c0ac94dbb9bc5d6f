/* SPDX-License-Identifier: Apache-2.0 */
#include "producer.h"

#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/kafka.h"
#include "mesh/kafka_login.h"
#include "mesh/log.h"
#include "sender.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUN_LEN_MAX = 256 };

struct producer {
    struct producer_events events;
    const struct mesh_streams *streams;
    rd_kafka_t *kafka;
    rd_kafka_queue_t *queue;
    rd_kafka_topic_t **topics; /* one a stream, in their order */

    struct sender *sender;

    /* The sender's thread's: publications of one batch, stream and partition, whose reports came
     * one after the other and were not passed on yet. */
    struct publication *run[RUN_LEN_MAX];
    size_t run_len;
    int64_t run_us; /* when the first came */

    atomic_bool fatal;
};

static bool settings_fill(rd_kafka_conf_t *conf, const struct producer_options *options,
                          struct mesh_error *err)
{
    return mesh_kafka_set(conf, "enable.idempotence", "true", err) &&
           mesh_kafka_set(conf, "acks", "all", err) &&
           /* It is the sender that says when to send. */
           mesh_kafka_set(conf, "linger.ms", "50", err) &&
           mesh_kafka_set(conf, "compression.type", options->compression, err) &&
           mesh_kafka_set_uint(conf, "delivery.timeout.ms", options->delivery_ms_max, err) &&
           mesh_kafka_set_uint(conf, "queue.buffering.max.messages", options->queue_len_max, err) &&
           mesh_kafka_set_uint(conf, "queue.buffering.max.kbytes", options->queue_kb_max, err) &&
           /* A restarted broker is to be found again within moments. */
           mesh_kafka_set(conf, "reconnect.backoff.ms", "100", err) &&
           mesh_kafka_set(conf, "retry.backoff.ms", "100", err);
}

static bool topics_open(struct producer *producer, struct mesh_error *err)
{
    size_t count = mesh_streams_count(producer->streams);

    producer->topics = mesh_new_array(rd_kafka_topic_t *, count);
    for (size_t i = 0; i < count; i++) {
        const char *name = mesh_streams_at(producer->streams, i)->topic;
        producer->topics[i] = rd_kafka_topic_new(producer->kafka, name, NULL);
        if (producer->topics[i] == NULL) {
            return mesh_fail(err, MESH_INVALID_ARGUMENT, "Kafka topic %s: %s", name,
                             rd_kafka_err2str(rd_kafka_last_error()));
        }
    }
    return true;
}

/* A stored event whose offset is unknown is told as it is; the settle pass counts it. */
static struct publication *report_read(const rd_kafka_message_t *message)
{
    struct publication *publication = message->_private;
    rd_kafka_msg_status_t status = rd_kafka_message_status(message);

    if (status == RD_KAFKA_MSG_STATUS_PERSISTED) {
        publication->code = MESH_OK;
        publication->partition = message->partition;
        publication->offset = message->err == RD_KAFKA_RESP_ERR_NO_ERROR ? message->offset : -1;
    } else {
        publication->code =
            mesh_kafka_code(message->err, status != RD_KAFKA_MSG_STATUS_NOT_PERSISTED);
    }
    return publication;
}

static void run_pass_on(void *arg)
{
    struct producer *producer = arg;
    size_t count = producer->run_len;

    producer->run_len = 0;
    if (count > 0) {
        producer->events.reported(producer->events.arg, producer->run, count, producer->run_us);
    }
}

static bool run_goes_on(const struct producer *producer, const struct publication *next)
{
    const struct publication *first = producer->run[0];

    return producer->run_len > 0 && producer->run_len < RUN_LEN_MAX &&
           next->batch == first->batch && next->stream == first->stream &&
           next->partition == first->partition;
}

/* A dr_msg_cb. librdkafka calls it report by report, and may wait for more of them before it
 * returns. So a batch is passed on with its last report; one that is not whole can wait, since
 * nobody can be answered yet. */
static void on_delivered(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *arg)
{
    struct producer *producer = arg;
    struct publication *publication = report_read(message);

    (void)kafka;
    if (!run_goes_on(producer, publication)) {
        run_pass_on(producer);
        producer->run_us = mesh_clock_mono_us();
    }
    producer->run[producer->run_len++] = publication;
    if (producer->run_len == publication->batch->pending) {
        run_pass_on(producer);
    }
}

/* An error_cb. */
static void on_error(rd_kafka_t *kafka, int code, const char *reason, void *arg)
{
    struct producer *producer = arg;
    char text[MESH_ERROR_TEXT_MAX];

    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        rd_kafka_resp_err_t cause = rd_kafka_fatal_error(kafka, text, sizeof text);
        mesh_log(MESH_LOG_ERROR, "producer_fatal", MESH_LOG_TEXT("cause", rd_kafka_err2name(cause)),
                 MESH_LOG_TEXT("message", text));
        atomic_store(&producer->fatal, true);
    } else if (!mesh_kafka_login_heard(reason)) {
        mesh_log(MESH_LOG_WARN, "kafka_trouble",
                 MESH_LOG_TEXT("cause", rd_kafka_err2name((rd_kafka_resp_err_t)code)),
                 MESH_LOG_TEXT("message", reason));
    }
    producer->events.troubled(producer->events.arg);
}

/* Only what the value does not say, and only where there is a trace to continue: a header is three
 * allocations, here and again for every reader, and bytes for all. NULL: there is none. */
static rd_kafka_headers_t *headers_of(const struct publication *publication)
{
    if (publication->trace.traceparent[0] == '\0') {
        return NULL;
    }
    rd_kafka_headers_t *headers = rd_kafka_headers_new(1);
    /* Adding can only fail for lack of memory or a list that belongs to a message already. */
    (void)rd_kafka_header_add(headers, "traceparent", 11, publication->trace.traceparent,
                              MESH_TRACEPARENT_LENGTH);
    return headers;
}

static enum mesh_code publication_send(struct producer *producer, struct publication *publication)
{
    rd_kafka_headers_t *headers = headers_of(publication);
    /* Neither copied nor freed by librdkafka: the batch outlives its reports. */
    const rd_kafka_vu_t message[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = producer->topics[publication->stream]},
        {.vtype = RD_KAFKA_VTYPE_VALUE,
         .u.mem = {.ptr = (void *)publication->value.data, .size = publication->value.size}},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = publication->received_at_ms},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = publication},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers}, /* the last: may be left out */
    };
    const size_t count = MESH_COUNT_OF(message) - (headers == NULL ? 1 : 0);

    rd_kafka_error_t *error = rd_kafka_produceva(producer->kafka, message, count);
    if (error == NULL) {
        return MESH_OK;
    }
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    if (headers != NULL) {
        rd_kafka_headers_destroy(headers);
    }
    if (code == RD_KAFKA_RESP_ERR__FATAL && !atomic_exchange(&producer->fatal, true)) {
        producer->events.troubled(producer->events.arg);
    }
    return mesh_kafka_code(code, false);
}

static void batch_send(void *arg, struct publication_batch *batch)
{
    struct producer *producer = arg;

    for (size_t i = 0; i < batch->count; i++) {
        struct publication *publication = &batch->at[i];
        if (publication->code != MESH_OK) {
            continue;
        }
        enum mesh_code code = publication_send(producer, publication);
        if (code != MESH_OK) { /* else librdkafka reports it */
            publication->code = code;
            producer->events.reported(producer->events.arg, &publication, 1, mesh_clock_mono_us());
        }
    }
    producer->events.handed_over(producer->events.arg, batch);
}

struct producer *producer_new(const struct producer_options *options, struct mesh_error *err)
{
    struct producer *producer = mesh_new(struct producer);
    char text[MESH_ERROR_TEXT_MAX];

    producer->events = options->events;
    producer->streams = options->streams;
    rd_kafka_conf_t *conf = mesh_kafka_conf_new(options->brokers, "tweetmesh-grpc-server", err);
    if (conf == NULL) {
        goto fail;
    }
    rd_kafka_conf_set_opaque(conf, producer);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivered);
    rd_kafka_conf_set_error_cb(conf, on_error);
    if (settings_fill(conf, options, err)) {
        producer->kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    } else {
        (void)snprintf(text, sizeof text, "%s", err->text);
    }
    if (producer->kafka == NULL) {
        rd_kafka_conf_destroy(conf);
        mesh_fail(err, MESH_INVALID_ARGUMENT, "Kafka producer: %s", text);
        goto fail;
    }
    producer->queue = rd_kafka_queue_get_main(producer->kafka);
    if (!topics_open(producer, err)) {
        goto fail;
    }
    producer->sender = sender_new(&(struct sender_options){.kafka = producer->kafka,
                                                           .queue = producer->queue,
                                                           .queue_len_max = options->queue_len_max,
                                                           .linger_us = options->linger_us,
                                                           .send = batch_send,
                                                           .polled = run_pass_on,
                                                           .arg = producer},
                                  err);
    if (producer->sender == NULL) {
        goto fail;
    }
    return producer;

fail:
    producer_free(producer, 0);
    return NULL;
}

bool producer_send(struct producer *producer, struct publication_batch *batch)
{
    return sender_add(producer->sender, batch);
}

size_t producer_len(const struct producer *producer)
{
    int len = rd_kafka_outq_len(producer->kafka);

    return sender_len(producer->sender) + (len < 0 ? 0 : (size_t)len);
}

bool producer_is_fatal(const struct producer *producer)
{
    return atomic_load(&producer->fatal);
}

static bool topic_is_ready(const struct rd_kafka_metadata *metadata, const char *topic)
{
    for (int i = 0; i < metadata->topic_cnt; i++) {
        const struct rd_kafka_metadata_topic *at = &metadata->topics[i];
        if (strcmp(at->topic, topic) == 0) {
            return at->err == RD_KAFKA_RESP_ERR_NO_ERROR && at->partition_cnt > 0;
        }
    }
    return false;
}

bool producer_look(struct producer *producer, uint32_t timeout_ms, bool *ready,
                   struct mesh_error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    /* 0 and NULL: of the topics opened here, all in one request. */
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(producer->kafka, 0, NULL, &metadata, (int)timeout_ms);

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return mesh_fail(err, MESH_UNAVAILABLE, "no broker answered: %s", rd_kafka_err2str(code));
    }
    for (size_t i = 0; i < mesh_streams_count(producer->streams); i++) {
        ready[i] = topic_is_ready(metadata, mesh_streams_at(producer->streams, i)->topic);
    }
    rd_kafka_metadata_destroy(metadata);
    return true;
}

rd_kafka_t *producer_handle(struct producer *producer)
{
    return producer->kafka;
}

void producer_free(struct producer *producer, uint32_t flush_ms)
{
    if (producer == NULL) {
        return;
    }
    sender_free(producer->sender, flush_ms);
    if (producer->topics != NULL) {
        for (size_t i = 0; i < mesh_streams_count(producer->streams); i++) {
            if (producer->topics[i] != NULL) {
                rd_kafka_topic_destroy(producer->topics[i]);
            }
        }
    }
    if (producer->queue != NULL) {
        rd_kafka_queue_destroy(producer->queue);
    }
    if (producer->kafka != NULL) {
        rd_kafka_destroy(producer->kafka);
    }
    free(producer->topics);
    free(producer);
}
