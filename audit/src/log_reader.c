/* SPDX-License-Identifier: Apache-2.0 */
#include "log_reader.h"

#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/kafka.h"

#include <inttypes.h>
#include <stdlib.h>

enum { BATCH_LEN = 1000, POLL_MS = 100 };

struct log_reader {
    rd_kafka_t *kafka;
    uint32_t ms_max;
};

/* Of one log_reader_read(). */
struct reading {
    const struct log_extent *extent;
    bool *finished; /* by partition */
    size_t left;    /* partitions not finished */
    log_record_fn *visit;
    void *arg;
};

struct log_reader *log_reader_new(const char *brokers, const char *group, uint32_t ms_max,
                                  struct mesh_error *err)
{
    struct log_reader *reader = mesh_new(struct log_reader);
    char text[256];
    rd_kafka_conf_t *conf = mesh_kafka_conf_new(brokers, "audit", err);

    reader->ms_max = ms_max;
    if (conf == NULL) {
        goto fail;
    }
    if (!mesh_kafka_set(conf, "group.id", group, err) ||
        !mesh_kafka_set(conf, "enable.auto.commit", "false", err) ||
        !mesh_kafka_set(conf, "isolation.level", "read_committed", err) ||
        !mesh_kafka_set(conf, "enable.partition.eof", "true", err) ||
        !mesh_kafka_set(conf, "auto.offset.reset", "error", err) ||
        !mesh_kafka_set(conf, "fetch.queue.backoff.ms", "10", err)) {
        rd_kafka_conf_destroy(conf);
        goto fail;
    }
    reader->kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    if (reader->kafka == NULL) {
        rd_kafka_conf_destroy(conf);
        mesh_fail(err, MESH_INVALID_ARGUMENT, "Kafka: %s", text);
        goto fail;
    }
    (void)rd_kafka_poll_set_consumer(reader->kafka);
    return reader;

fail:
    log_reader_free(reader);
    return NULL;
}

char *log_reader_topic_id(struct log_reader *reader, const char *topic, struct mesh_error *err)
{
    return mesh_kafka_topic_id(reader->kafka, topic, reader->ms_max, err);
}

bool log_reader_committed(struct log_reader *reader, const char *topic,
                          const struct log_extent *extent, int64_t *out, struct mesh_error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)extent->count);

    for (size_t i = 0; i < extent->count; i++) {
        (void)rd_kafka_topic_partition_list_add(list, topic, (int32_t)i);
    }
    rd_kafka_resp_err_t error = rd_kafka_committed(reader->kafka, list, (int)reader->ms_max);
    for (size_t i = 0; error == RD_KAFKA_RESP_ERR_NO_ERROR && i < extent->count; i++) {
        error = list->elems[i].err;
        out[i] = list->elems[i].offset < 0 ? -1 : list->elems[i].offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return error == RD_KAFKA_RESP_ERR_NO_ERROR ||
           mesh_fail(err, MESH_UNAVAILABLE, "Kafka topic %s: what is committed: %s", topic,
                     rd_kafka_err2str(error));
}

/* How many partitions the topic has; 0: it does not exist. */
static bool partition_count(struct log_reader *reader, const char *topic, size_t *out,
                            struct mesh_error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(reader->kafka, topic, NULL);
    rd_kafka_resp_err_t error =
        rd_kafka_metadata(reader->kafka, 0, handle, &metadata, (int)reader->ms_max);

    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
        error = metadata->topics[0].err;
        *out = (size_t)metadata->topics[0].partition_cnt;
        rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_topic_destroy(handle);
    if (error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        *out = 0;
        return true;
    }
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return mesh_fail(err, MESH_UNAVAILABLE, "Kafka topic %s: %s", topic,
                         rd_kafka_err2str(error));
    }
    return true;
}

bool log_reader_extent(struct log_reader *reader, const char *topic, struct log_extent *out,
                       struct mesh_error *err)
{
    struct log_extent extent = {0};

    if (!partition_count(reader, topic, &extent.count, err)) {
        return false;
    }
    extent.partitions = mesh_new_array(struct log_bounds, extent.count + 1);
    for (size_t i = 0; i < extent.count; i++) {
        rd_kafka_resp_err_t error = rd_kafka_query_watermark_offsets(
            reader->kafka, topic, (int32_t)i, &extent.partitions[i].first,
            &extent.partitions[i].end, (int)reader->ms_max);
        if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
            log_extent_done(&extent);
            return mesh_fail(err, MESH_UNAVAILABLE, "Kafka topic %s, partition %zu: %s", topic, i,
                             rd_kafka_err2str(error));
        }
    }
    *out = extent;
    return true;
}

void log_extent_done(struct log_extent *extent)
{
    free(extent->partitions);
    *extent = (struct log_extent){0};
}

static void finish(struct reading *reading, int32_t partition)
{
    if (!reading->finished[partition]) {
        reading->finished[partition] = true;
        reading->left--;
    }
}

static bool take(struct reading *reading, const rd_kafka_message_t *message, struct mesh_error *err)
{
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        finish(reading, message->partition);
        return true;
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return mesh_fail(err, MESH_UNAVAILABLE, "Kafka: %s", rd_kafka_message_errstr(message));
    }
    int64_t end = reading->extent->partitions[message->partition].end;
    if (message->offset >= end) { /* came meanwhile */
        finish(reading, message->partition);
        return true;
    }
    if (!reading->visit(reading->arg, message, err)) {
        return false;
    }
    if (message->offset == end - 1) {
        finish(reading, message->partition);
    }
    return true;
}

/* Takes all messages of a batch over. */
static bool take_all(struct reading *reading, rd_kafka_message_t **messages, ssize_t count,
                     struct mesh_error *err)
{
    bool ok = true;

    for (ssize_t i = 0; i < count; i++) {
        ok = ok && take(reading, messages[i], err);
        rd_kafka_message_destroy(messages[i]);
    }
    return ok;
}

static bool read_to_end(struct log_reader *reader, struct reading *reading, struct mesh_error *err)
{
    rd_kafka_message_t *messages[BATCH_LEN];
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(reader->kafka);
    int64_t heard_us = mesh_clock_mono_us();
    bool ok = true;

    while (ok && reading->left > 0) {
        ssize_t count = rd_kafka_consume_batch_queue(queue, POLL_MS, messages, BATCH_LEN);
        int64_t now = mesh_clock_mono_us();
        if (count > 0) {
            heard_us = now;
            ok = take_all(reading, messages, count, err);
        } else if (now - heard_us > (int64_t)reader->ms_max * 1000) {
            ok = mesh_fail(err, MESH_UNAVAILABLE, "Kafka: silent for %" PRIu32 " ms",
                           reader->ms_max);
        }
    }
    rd_kafka_queue_destroy(queue);
    return ok;
}

bool log_reader_read(struct log_reader *reader, const char *topic, const struct log_extent *extent,
                     log_record_fn *visit, void *arg, struct mesh_error *err)
{
    struct reading reading = {.extent = extent, .visit = visit, .arg = arg};
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)extent->count);
    bool ok = true;

    reading.finished = mesh_new_array(bool, extent->count + 1);
    for (size_t i = 0; i < extent->count; i++) {
        if (extent->partitions[i].first < extent->partitions[i].end) {
            rd_kafka_topic_partition_list_add(list, topic, (int32_t)i)->offset =
                extent->partitions[i].first;
            reading.left++;
        }
    }
    rd_kafka_resp_err_t error = rd_kafka_assign(reader->kafka, list);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        ok = mesh_fail(err, MESH_INTERNAL, "Kafka: %s", rd_kafka_err2str(error));
    }
    ok = ok && read_to_end(reader, &reading, err);
    (void)rd_kafka_assign(reader->kafka, NULL);
    rd_kafka_topic_partition_list_destroy(list);
    free(reading.finished);
    return ok;
}

void log_reader_free(struct log_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    if (reader->kafka != NULL) {
        (void)rd_kafka_consumer_close(reader->kafka);
        rd_kafka_destroy(reader->kafka);
    }
    free(reader);
}
