/* SPDX-License-Identifier: Apache-2.0 */
#include "ends.h"

#include "mesh/clock.h"

#include <string.h>

/* How often Kafka is asked, and how long it may take. */
#define ASK_US INT64_C(1000000)
enum { ANSWER_MS = 5000 };

/* Never back: after a pause it is older than what Kafka has said meanwhile. */
static void remembered(void *arg, struct partition *partition)
{
    int64_t low = 0;
    int64_t high = 0;

    if (rd_kafka_get_watermark_offsets(arg, partition->topic->stream->topic, partition->number,
                                       &low, &high) == RD_KAFKA_RESP_ERR_NO_ERROR &&
        high >= 0 && high > partition->end) {
        partition->end = high;
    }
}

static void list_add(void *arg, struct partition *partition)
{
    rd_kafka_topic_partition_list_t *list = arg;

    rd_kafka_topic_partition_list_add(list, partition->topic->stream->topic, partition->number)
        ->offset = RD_KAFKA_OFFSET_SPEC_LATEST;
}

static void ask(struct ends *ends, rd_kafka_t *kafka, const struct topic *topics, size_t count)
{
    char text[256];
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(kafka, RD_KAFKA_ADMIN_OP_LISTOFFSETS);

    topics_each(topics, count, list_add, list);
    if (list->cnt > 0 && rd_kafka_AdminOptions_set_request_timeout(
                             options, ANSWER_MS, text, sizeof text) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (ends->queue == NULL) {
            ends->queue = rd_kafka_queue_new(kafka);
        }
        rd_kafka_ListOffsets(kafka, list, options, ends->queue);
        ends->asked = true;
    }
    ends->asked_us = mesh_clock_mono_us();
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_topic_partition_list_destroy(list);
}

static void take_one(const rd_kafka_topic_partition_t *at, const struct topic *topics, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(topics[i].stream->topic, at->topic) == 0) {
            struct partition *partition = topic_partition(&topics[i], at->partition);
            if (partition != NULL && at->err == RD_KAFKA_RESP_ERR_NO_ERROR && at->offset >= 0) {
                partition->end = at->offset;
            }
        }
    }
}

static void take_answer(struct ends *ends, const struct topic *topics, size_t count)
{
    size_t info_count = 0;
    rd_kafka_event_t *event = ends->asked ? rd_kafka_queue_poll(ends->queue, 0) : NULL;

    if (event == NULL) {
        return;
    }
    ends->asked = false;
    if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const rd_kafka_ListOffsetsResultInfo_t **infos = rd_kafka_ListOffsets_result_infos(
            rd_kafka_event_ListOffsets_result(event), &info_count);
        for (size_t i = 0; i < info_count; i++) {
            take_one(rd_kafka_ListOffsetsResultInfo_topic_partition(infos[i]), topics, count);
        }
    }
    rd_kafka_event_destroy(event);
}

void ends_see(struct ends *ends, rd_kafka_t *kafka, const struct topic *topics, size_t count,
              bool paused)
{
    take_answer(ends, topics, count);
    topics_each(topics, count, remembered, kafka);
    if (paused && !ends->asked && mesh_clock_mono_us() - ends->asked_us >= ASK_US) {
        ask(ends, kafka, topics, count);
    }
}

void ends_forget(struct ends *ends)
{
    if (ends->queue != NULL) {
        rd_kafka_queue_destroy(ends->queue);
    }
    *ends = (struct ends){0};
}
