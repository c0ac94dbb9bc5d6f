/* SPDX-License-Identifier: Apache-2.0 */
/* librdkafka's functions: configurations, handles, headers, and the producer of dead letters. */
#include "chance.h"
#include "kafka.h"
#include "mesh/alloc.h"
#include "mesh/error.h"
#include "verdict.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rd_kafka_headers_s {
    char traceparent[64];
    char partition[16]; /* of a dead letter; "" elsewhere */
    char offset[24];
};

static rd_kafka_t *first;

void kafka_start(void)
{
    assert(first == NULL);
    kafka_producers_start();
    group_start();
}

rd_kafka_t *kafka_first(void)
{
    return first;
}

bool kafka_is_publisher(const rd_kafka_t *kafka)
{
    return !kafka->consumes && kafka->conf.failed != NULL; /* of dead letters nobody asks why */
}

/* ---- configurations ---- */

rd_kafka_conf_t *rd_kafka_conf_new(void)
{
    return mesh_new(struct rd_kafka_conf_s);
}

void rd_kafka_conf_destroy(rd_kafka_conf_t *conf)
{
    free(conf);
}

rd_kafka_conf_res_t rd_kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value,
                                      char *text, size_t size)
{
    (void)conf;
    (void)name;
    (void)value;
    (void)text;
    (void)size;
    return RD_KAFKA_CONF_OK;
}

void rd_kafka_conf_set_log_cb(rd_kafka_conf_t *conf,
                              void (*log)(const rd_kafka_t *kafka, int level, const char *facility,
                                          const char *text))
{
    (void)conf;
    (void)log;
}

void rd_kafka_conf_set_opaque(rd_kafka_conf_t *conf, void *opaque)
{
    conf->opaque = opaque;
}

void rd_kafka_conf_set_dr_msg_cb(rd_kafka_conf_t *conf,
                                 void (*delivered)(rd_kafka_t *kafka,
                                                   const rd_kafka_message_t *message, void *opaque))
{
    conf->delivered = delivered;
}

void rd_kafka_conf_set_rebalance_cb(rd_kafka_conf_t *conf,
                                    void (*rebalance)(rd_kafka_t *kafka, rd_kafka_resp_err_t event,
                                                      rd_kafka_topic_partition_list_t *list,
                                                      void *opaque))
{
    conf->rebalance = rebalance;
}

void rd_kafka_conf_set_offset_commit_cb(
    rd_kafka_conf_t *conf, void (*committed)(rd_kafka_t *kafka, rd_kafka_resp_err_t error,
                                             rd_kafka_topic_partition_list_t *list, void *opaque))
{
    conf->committed = committed;
}

void rd_kafka_conf_set_error_cb(rd_kafka_conf_t *conf,
                                void (*failed)(rd_kafka_t *kafka, int error, const char *reason,
                                               void *opaque))
{
    conf->failed = failed;
}

/* ---- handles ---- */

rd_kafka_t *rd_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *text, size_t size)
{
    rd_kafka_t *kafka = mesh_new(struct rd_kafka_s);

    (void)text;
    (void)size;
    kafka->conf = *conf;
    free(conf);
    kafka->process = process_current();
    kafka->consumes = type == RD_KAFKA_CONSUMER;
    kafka->queue.kafka = kafka;
    kafka->topic.kafka = kafka;
    kafka->next = first;
    first = kafka;
    for (size_t i = 0; i < PARTITION_COUNT; i++) {
        kafka->told_last[i] = -1;
    }
    return kafka;
}

void rd_kafka_destroy(rd_kafka_t *kafka)
{
    rd_kafka_t **at = &first;

    group_leave(kafka);
    while (*at != kafka) {
        at = &(*at)->next;
    }
    *at = kafka->next;
    kafka_events_drop(kafka);
    assert(kafka->unreported == 0 && kafka->flights == NULL);
    if (kafka->commit_list != NULL) {
        rd_kafka_topic_partition_list_destroy(kafka->commit_list);
    }
    free(kafka->queued);
    free(kafka);
}

rd_kafka_queue_t *rd_kafka_queue_get_main(rd_kafka_t *kafka)
{
    return &kafka->queue;
}

void rd_kafka_queue_destroy(rd_kafka_queue_t *queue)
{
    (void)queue;
}

rd_kafka_topic_t *rd_kafka_topic_new(rd_kafka_t *kafka, const char *name,
                                     rd_kafka_topic_conf_t *conf)
{
    (void)name;
    (void)conf;
    return &kafka->topic;
}

void rd_kafka_topic_destroy(rd_kafka_topic_t *topic)
{
    (void)topic;
}

const char *rd_kafka_topic_name(const rd_kafka_topic_t *topic)
{
    (void)topic;
    return KAFKA_TOPIC;
}

/* The topic's id never changes here. */
char *__wrap_mesh_kafka_topic_id(rd_kafka_t *kafka, const char *topic, uint32_t timeout_ms,
                                 struct mesh_error *err);

char *__wrap_mesh_kafka_topic_id(rd_kafka_t *kafka, const char *topic, uint32_t timeout_ms,
                                 struct mesh_error *err)
{
    (void)topic;
    (void)timeout_ms;
    if (!process_call(kafka->process, "asks for the topic's id").answer) {
        mesh_fail(err, MESH_UNAVAILABLE, "no answer");
        return NULL;
    }
    return mesh_strdup("simulated-id");
}

/* ---- headers ---- */

rd_kafka_headers_t *rd_kafka_headers_new(size_t count)
{
    (void)count;
    return mesh_new(struct rd_kafka_headers_s);
}

void rd_kafka_headers_destroy(rd_kafka_headers_t *headers)
{
    free(headers);
}

rd_kafka_headers_t *rd_kafka_headers_copy(const rd_kafka_headers_t *from)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(0);

    *headers = *from;
    return headers;
}

rd_kafka_resp_err_t rd_kafka_header_add(rd_kafka_headers_t *headers, const char *name,
                                        ssize_t name_size, const void *value, ssize_t size)
{
    (void)name_size;
    if (size < 0) {
        size = (ssize_t)strlen(value);
    }
    if (strcmp(name, "traceparent") == 0) {
        (void)snprintf(headers->traceparent, sizeof(headers->traceparent), "%.*s", (int)size,
                       (const char *)value);
    } else if (strcmp(name, "partition") == 0) {
        (void)snprintf(headers->partition, sizeof(headers->partition), "%s", (const char *)value);
    } else if (strcmp(name, "offset") == 0) {
        (void)snprintf(headers->offset, sizeof(headers->offset), "%s", (const char *)value);
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t rd_kafka_header_get_last(const rd_kafka_headers_t *headers, const char *name,
                                             const void **value, size_t *size)
{
    if (strcmp(name, "traceparent") != 0 || headers->traceparent[0] == '\0') {
        return RD_KAFKA_RESP_ERR__NOENT;
    }
    *value = headers->traceparent;
    *size = strlen(headers->traceparent);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* ---- dead letters ---- */

static void letter_store(const rd_kafka_headers_t *headers)
{
    int32_t partition = (int32_t)strtol(headers->partition, NULL, 10);
    int64_t offset = strtoll(headers->offset, NULL, 10);
    struct record *record =
        partition >= 0 && partition < PARTITION_COUNT ? ledger_record(partition, offset) : NULL;

    if (record == NULL || record->offset != offset || !ledger_is_poison(record)) {
        verdict_broken("a dead letter tells of %s/%s, which is no poison", headers->partition,
                       headers->offset);
        return;
    }
    record->letter = true;
}

rd_kafka_resp_err_t rd_kafka_producev(rd_kafka_t *kafka, ...)
{
    rd_kafka_headers_t *headers = NULL;
    void *opaque = NULL;
    va_list args;

    va_start(args, kafka);
    for (;;) {
        rd_kafka_vtype_t type = va_arg(args, rd_kafka_vtype_t);
        if (type == RD_KAFKA_VTYPE_END) {
            break;
        }
        if (type == RD_KAFKA_VTYPE_HEADERS) {
            headers = va_arg(args, rd_kafka_headers_t *);
        } else if (type == RD_KAFKA_VTYPE_OPAQUE) {
            opaque = va_arg(args, void *);
        } else if (type == RD_KAFKA_VTYPE_MSGFLAGS) {
            (void)va_arg(args, int);
        } else {
            (void)va_arg(args, void *);
            if (type != RD_KAFKA_VTYPE_TOPIC) { /* key and value: with a size */
                (void)va_arg(args, size_t);
            }
        }
    }
    va_end(args);
    assert(headers != NULL);
    struct fate fate = process_call(kafka->process, "writes a dead letter");
    if (fate.effect) {
        letter_store(headers);
    }
    if (!fate.answer && !fate.effect && chance_one_in(2)) {
        return RD_KAFKA_RESP_ERR__QUEUE_FULL; /* the headers stay the caller's */
    }
    rd_kafka_headers_destroy(headers);
    if (kafka->queued_count == kafka->queued_capacity) {
        kafka->queued_capacity = kafka->queued_capacity * 2 + 32;
        kafka->queued =
            mesh_realloc(kafka->queued, kafka->queued_capacity * sizeof(struct outgoing));
    }
    kafka->queued[kafka->queued_count++] = (struct outgoing){.opaque = opaque, .sent = fate.answer};
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

int kafka_letters_tell(rd_kafka_t *kafka)
{
    int count = (int)kafka->queued_count;

    for (size_t i = 0; i < kafka->queued_count; i++) {
        rd_kafka_message_t message = {
            .err = kafka->queued[i].sent ? RD_KAFKA_RESP_ERR_NO_ERROR
                                         : RD_KAFKA_RESP_ERR__MSG_TIMED_OUT,
            ._private = kafka->queued[i].opaque,
        };
        kafka->conf.delivered(kafka, &message, kafka->conf.opaque);
    }
    kafka->queued_count = 0;
    return count;
}
