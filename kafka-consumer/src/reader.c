/* SPDX-License-Identifier: Apache-2.0 */
#include "reader.h"

#include "mesh/alloc.h"
#include "mesh/kafka.h"
#include "mesh/kafka_login.h"
#include "mesh/log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How long Kafka may take for what the loop waits for. */
enum { CALL_MS = 5000 };

struct reader {
    struct member *member;
    struct topic *topics;
    size_t topic_count;
    partition_fn *finish;
    void *arg;
    struct batch batch;
    size_t batch_bytes_max;
    struct mesh_metric *rewinds;
};

static void member_finish(void *arg, struct partition *partition)
{
    struct reader *reader = arg;

    reader->finish(reader->arg, partition);
}

static void member_forget(void *arg, struct partition *partition)
{
    struct reader *reader = arg;

    batch_forget(&reader->batch, partition);
}

struct reader *reader_new(const struct reader_options *options, struct mesh_error *err)
{
    assert(options->batch_len_max > 0 && options->member.finish != NULL);

    struct reader *reader = mesh_new(struct reader);
    struct member_options member = options->member;

    reader->topics = member.topics;
    reader->topic_count = member.topic_count;
    reader->finish = member.finish;
    reader->arg = member.arg;
    reader->batch_bytes_max = (size_t)options->batch_kb_max * 1024;
    batch_init(&reader->batch, options->batch_len_max);
    reader->rewinds = mesh_counter("tweetmesh_rewinds_total", NULL,
                                   "Times Redis was found set back and a partition settled again.");
    member.finish = member_finish;
    member.forget = member_forget;
    member.arg = reader;
    reader->member = member_new(&member, err);
    if (reader->member == NULL) {
        reader_free(reader);
        return NULL;
    }
    return reader;
}

struct member *reader_member(const struct reader *reader)
{
    return reader->member;
}

struct batch *reader_batch(struct reader *reader)
{
    return &reader->batch;
}

/* Asks for the first offset that is kept and the one after the last. */
static bool log_bounds(struct reader *reader, const struct partition *partition, int64_t *out_low,
                       int64_t *out_high)
{
    return rd_kafka_query_watermark_offsets(
               member_kafka(reader->member), partition->topic->stream->topic, partition->number,
               out_low, out_high, CALL_MS) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Kafka has no record where we want to read on. */
static void position_lost(struct reader *reader, struct partition *partition)
{
    int64_t low = 0;
    int64_t high = 0;

    member_check_topics(reader->member);
    if (atomic_load(&partition->topic->changed)) {
        return;
    }
    if (!log_bounds(reader, partition, &low, &high)) {
        /* Which brings us here again. */
        partition->seek_to = partition->next < 0 ? 0 : partition->next;
        return;
    }
    if (partition->next > high) {
        mesh_log(MESH_LOG_ERROR, "log_shrank",
                 MESH_LOG_TEXT("stream", partition->topic->stream->name),
                 MESH_LOG_INT("partition", partition->number), MESH_LOG_INT("end", high),
                 MESH_LOG_INT("read_up_to", partition->next));
        topic_set_changed(partition->topic);
        return;
    }
    if (partition->next >= 0 && partition->next < low) {
        mesh_metric_add(partition->topic->lost, (uint64_t)(low - partition->next));
        mesh_log(MESH_LOG_ERROR, "records_expired_unread",
                 MESH_LOG_TEXT("stream", partition->topic->stream->name),
                 MESH_LOG_INT("partition", partition->number),
                 MESH_LOG_INT("from", partition->next), MESH_LOG_INT("kept_from", low));
        partition_skip(partition, low);
        return;
    }
    partition->seek_to = partition->next < 0 ? low : partition->next;
}

static void take_event(struct reader *reader, const rd_kafka_message_t *message)
{
    struct partition *partition =
        message->rkt == NULL ? NULL
                             : member_partition(reader->member, rd_kafka_topic_name(message->rkt),
                                                message->partition);

    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (partition != NULL && partition->seek_to < 0) {
            partition->eof = message->offset;
        }
    } else if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET && partition != NULL) {
        position_lost(reader, partition);
    } else if (!mesh_kafka_login_heard(rd_kafka_message_errstr(message))) {
        mesh_log(MESH_LOG_WARN, "kafka_error",
                 MESH_LOG_TEXT("code", rd_kafka_err2name(message->err)),
                 MESH_LOG_TEXT("reason", rd_kafka_message_errstr(message)));
    }
}

/* Takes the message over. */
static void take(struct reader *reader, rd_kafka_message_t *message)
{
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        take_event(reader, message);
        rd_kafka_message_destroy(message);
        return;
    }
    struct partition *partition =
        member_partition(reader->member, rd_kafka_topic_name(message->rkt), message->partition);
    /* Before a seek is done, old messages may still come. */
    if (partition == NULL || partition->seek_to >= 0) {
        rd_kafka_message_destroy(message);
        return;
    }
    if (atomic_load(&partition->topic->changed)) {
        member_pause_one(reader->member, partition);
        rd_kafka_message_destroy(message);
        return;
    }
    mesh_metric_add(partition->topic->consumed, 1);
    batch_add_take(&reader->batch, partition, message);
}

/* One by one, not by rd_kafka_consume_batch_queue(): with librdkafka 2.8 that loses a record when
 * a partition comes back to a member that was paused meanwhile. */
void reader_collect(struct reader *reader, uint32_t wait_ms)
{
    struct batch *batch = &reader->batch;

    assert(batch->count == 0 && !member_is_paused(reader->member));
    /* Events and dropped messages count as well, so that this ends. */
    for (size_t i = 0; i < batch->capacity && batch->bytes < reader->batch_bytes_max; i++) {
        rd_kafka_message_t *message =
            rd_kafka_consumer_poll(member_kafka(reader->member), i == 0 ? (int)wait_ms : 0);
        if (message == NULL) {
            break;
        }
        take(reader, message);
    }
}

void reader_serve(struct reader *reader, uint32_t wait_ms)
{
    assert(member_is_paused(reader->member));

    rd_kafka_message_t *message =
        rd_kafka_consumer_poll(member_kafka(reader->member), (int)wait_ms);
    if (message == NULL) {
        return;
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        take_event(reader, message);
    } else {
        /* It was on its way when we paused: read it again later. */
        struct partition *partition =
            member_partition(reader->member, rd_kafka_topic_name(message->rkt), message->partition);
        if (partition != NULL && partition->seek_to < 0) {
            partition->seek_to = message->offset;
        }
    }
    rd_kafka_message_destroy(message);
}

static void seek_one(void *arg, struct partition *partition)
{
    struct reader *reader = arg;

    if (partition->seek_to < 0 || partition->skip_until >= 0) {
        return;
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, partition->topic->stream->topic, partition->number)
        ->offset = partition->seek_to;
    rd_kafka_error_t *error = rd_kafka_seek_partitions(member_kafka(reader->member), list, CALL_MS);
    if (error == NULL && list->elems[0].err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        partition->seek_to = -1;
    }
    if (error != NULL) {
        rd_kafka_error_destroy(error);
    }
    rd_kafka_topic_partition_list_destroy(list);
}

void reader_seek(struct reader *reader)
{
    if (!member_is_paused(reader->member)) {
        topics_each(reader->topics, reader->topic_count, seek_one, reader);
    }
}

void reader_rewind(struct reader *reader, struct partition *partition, int64_t watermark)
{
    int64_t settled = partition->settled;
    int64_t low = 0;
    int64_t high = 0;
    bool remembered = partition_remembers(partition, watermark);

    mesh_metric_add(reader->rewinds, 1);
    mesh_log(MESH_LOG_WARN, "redis_set_back",
             MESH_LOG_TEXT("stream", partition->topic->stream->name),
             MESH_LOG_INT("partition", partition->number), MESH_LOG_INT("settled", settled),
             MESH_LOG_INT("again_from", watermark),
             MESH_LOG_TEXT("source", remembered ? "memory" : "kafka"));
    if (remembered) {
        partition_recall(partition, watermark);
        return;
    }
    /* What is in hand comes again; a row of it now would leave a hole before it. */
    batch_forget(&reader->batch, partition);
    partition_rewind(partition, watermark);
    if (log_bounds(reader, partition, &low, &high) && low > watermark) {
        mesh_metric_add(partition->topic->lost, (uint64_t)(low - watermark));
        mesh_log(MESH_LOG_ERROR, "counts_lost",
                 MESH_LOG_TEXT("stream", partition->topic->stream->name),
                 MESH_LOG_INT("partition", partition->number), MESH_LOG_INT("from", watermark),
                 MESH_LOG_INT("kept_from", low),
                 MESH_LOG_TEXT("mended_by", "./mesh recount, once the lag is gone"));
        partition_skip(partition, low);
    }
}

bool reader_revive(struct reader *reader, uint32_t wait_ms)
{
    if (!member_is_dead(reader->member)) {
        return true;
    }
    member_give_up(reader->member);
    batch_clear(&reader->batch); /* its messages belong to the handle that is dead */
    if (member_revive(reader->member)) {
        return true;
    }
    (void)nanosleep(&(struct timespec){.tv_nsec = wait_ms * INT64_C(1000000)}, NULL);
    return false;
}

void reader_free(struct reader *reader)
{
    if (reader == NULL) {
        return;
    }
    batch_clear(&reader->batch); /* librdkafka waits for ever for messages that are in hand */
    member_free(reader->member); /* its callbacks know the batch */
    batch_done(&reader->batch);
    free(reader);
}
