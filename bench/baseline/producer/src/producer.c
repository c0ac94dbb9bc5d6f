/* SPDX-License-Identifier: Apache-2.0 */
#include "producer.h"

#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/kafka.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define BURST 64 /* events handed over at once */
#define CONNECT_MS 10000
#define FULL_WAIT_US 100000
/* A message that is not stored by then is reported as failed, within the drain of a run. */
#define DELIVERY_MS "20000"

struct producer {
    rd_kafka_t *kafka;
    rd_kafka_topic_t *topic;
    rd_kafka_queue_t *reports;
    struct run *run;
    int64_t report_us; /* when this poll's reports came; 0: none yet */
    uint64_t next;     /* value */
    int wake;          /* readable when there are reports: poll() of librdkafka counts in ms */
    rd_kafka_message_t burst[BURST];
};

/* The time of its beginning travels with each message in place of a pointer. */
static void on_report(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque)
{
    struct producer *producer = opaque;
    enum run_outcome outcome = RUN_ACKED;
    (void)kafka;
    if (producer->report_us == 0) {
        producer->report_us = mesh_clock_mono_us();
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        outcome = rd_kafka_message_status(message) == RD_KAFKA_MSG_STATUS_NOT_PERSISTED
                      ? RUN_REFUSED
                      : RUN_UNKNOWN;
    }
    run_report(producer->run, outcome, 1, (int64_t)(intptr_t)message->_private,
               producer->report_us);
}

static bool conf_fill(rd_kafka_conf_t *conf, const struct producer_options *options,
                      struct mesh_error *err)
{
    char linger_ms[32];
    (void)snprintf(linger_ms, sizeof(linger_ms), "%.3f", (double)options->linger_us / 1000.0);
    rd_kafka_conf_set_log_cb(conf, NULL); /* what matters comes back as a code */
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    return mesh_kafka_set(conf, "bootstrap.servers", options->brokers, err) &&
           mesh_kafka_set(conf, "enable.idempotence", options->plain ? "false" : "true", err) &&
           mesh_kafka_set(conf, "acks", options->acks, err) &&
           mesh_kafka_set(conf, "linger.ms", linger_ms, err) &&
           mesh_kafka_set(conf, "delivery.timeout.ms", DELIVERY_MS, err) &&
           /* As grpc-server does it; else the kernel may hold small requests back. */
           mesh_kafka_set(conf, "socket.nagle.disable", "true", err) &&
           (options->batch_bytes == 0 ||
            mesh_kafka_set_uint(conf, "batch.size", options->batch_bytes, err)) &&
           (options->batch_len == 0 ||
            mesh_kafka_set_uint(conf, "batch.num.messages", options->batch_len, err));
}

static bool kafka_open(struct producer *producer, const struct producer_options *options,
                       struct mesh_error *err)
{
    char text[MESH_ERROR_TEXT_MAX / 2];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_opaque(conf, producer);
    if (!conf_fill(conf, options, err)) {
        rd_kafka_conf_destroy(conf);
        return false;
    }
    producer->kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (producer->kafka == NULL) {
        rd_kafka_conf_destroy(conf);
        return mesh_fail(err, MESH_INVALID_ARGUMENT, "librdkafka: %s", text);
    }
    producer->topic = rd_kafka_topic_new(producer->kafka, options->topic, NULL);
    if (producer->topic == NULL) {
        return mesh_fail(err, MESH_INVALID_ARGUMENT, "topic %s: %s", options->topic,
                         rd_kafka_err2str(rd_kafka_last_error()));
    }
    producer->reports = rd_kafka_queue_get_main(producer->kafka);
    return true;
}

static bool topic_find(const struct producer *producer, const struct producer_options *options,
                       struct mesh_error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(producer->kafka, 0, producer->topic, &metadata, CONNECT_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return mesh_fail(err, MESH_UNAVAILABLE, "no broker answers at %s: %s", options->brokers,
                         rd_kafka_err2str(code));
    }
    code = metadata->topic_cnt == 1 ? metadata->topics[0].err
                                    : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    rd_kafka_metadata_destroy(metadata);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ||
           mesh_fail(err, MESH_NOT_FOUND, "topic %s: %s", options->topic, rd_kafka_err2str(code));
}

struct producer *producer_new(const struct producer_options *options, struct mesh_error *err)
{
    struct producer *producer = mesh_new(struct producer);
    producer->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (producer->wake < 0) {
        mesh_fail(err, MESH_RESOURCE_EXHAUSTED, "no eventfd is to be had");
        goto fail;
    }
    if (!kafka_open(producer, options, err) || !topic_find(producer, options, err)) {
        goto fail;
    }
    return producer;

fail:
    producer_free(producer);
    return NULL;
}

/* Hands over up to `room` events; *out_full: librdkafka's queue takes no more for now. */
static bool send_burst(struct producer *producer, const struct lines *values, uint64_t room,
                       int64_t now_us, bool *out_full, struct mesh_error *err)
{
    int count = room < BURST ? (int)room : BURST;
    for (int i = 0; i < count; i++) {
        struct mesh_bytes value = lines_at(values, producer->next + (uint64_t)i);
        producer->burst[i] = (rd_kafka_message_t){
            .payload = (void *)(uintptr_t)value.data,
            .len = value.size,
            ._private = (void *)(intptr_t)run_due_us(producer->run, (uint64_t)i, now_us)};
    }
    int taken =
        rd_kafka_produce_batch(producer->topic, RD_KAFKA_PARTITION_UA, 0, producer->burst, count);
    producer->next += (uint64_t)taken;
    run_begin(producer->run, (uint64_t)taken);
    for (int i = 0; taken < count && i < count; i++) {
        rd_kafka_resp_err_t code = producer->burst[i].err;
        if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            *out_full = true;
        } else if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return mesh_fail(err, MESH_UNAVAILABLE, "librdkafka: %s", rd_kafka_err2str(code));
        }
    }
    return true;
}

/* Waits for reports, and reads what is there. */
static void read_reports(struct producer *producer, int64_t wait_us)
{
    uint64_t count;
    producer->report_us = 0;
    if (wait_us > 0) {
        struct pollfd poll = {.fd = producer->wake, .events = POLLIN};
        struct timespec wait = {.tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000};
        if (ppoll(&poll, 1, &wait, NULL) > 0) {
            (void)!read(producer->wake, &count, sizeof(count));
        }
    }
    (void)rd_kafka_poll(producer->kafka, 0);
}

bool producer_run(struct producer *producer, const struct lines *values, struct run *run,
                  struct mesh_error *err)
{
    static const uint64_t one = 1;
    bool timed = run->options.rate > 0; /* to fractions of a millisecond */
    bool good = true;
    producer->run = run;
    if (timed) {
        rd_kafka_queue_io_event_enable(producer->reports, producer->wake, &one, sizeof(one));
    }
    for (;;) {
        bool full = false;
        int64_t now_us = mesh_clock_mono_us();
        if (!run_turn(run, now_us)) {
            return good;
        }
        uint64_t room = run_room(run, now_us);
        if (room > 0 && !send_burst(producer, values, room, now_us, &full, err)) {
            run_abandon(run, now_us);
            good = false;
        }
        bool waits = room == 0 || full;
        int64_t wait_us = full ? FULL_WAIT_US : run_wait_us(run, now_us);
        if (timed) {
            read_reports(producer, waits ? wait_us : 0);
        } else {
            producer->report_us = 0;
            (void)rd_kafka_poll(producer->kafka, waits ? (int)(wait_us + 999) / 1000 : 0);
        }
    }
}

void producer_free(struct producer *producer)
{
    if (producer == NULL) {
        return;
    }
    if (producer->reports != NULL) {
        rd_kafka_queue_destroy(producer->reports);
    }
    if (producer->topic != NULL) {
        rd_kafka_topic_destroy(producer->topic);
    }
    if (producer->kafka != NULL) {
        rd_kafka_destroy(producer->kafka);
    }
    if (producer->wake >= 0) {
        close(producer->wake);
    }
    free(producer);
}
