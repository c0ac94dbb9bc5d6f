/* SPDX-License-Identifier: Apache-2.0 */
/* librdkafka's functions: a member of the consumer group. */
#include "chance.h"
#include "kafka.h"
#include "mesh/alloc.h"
#include "mutants.h"
#include "verdict.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { POLL_MS_MAX = 10 }; /* others go on meanwhile */

rd_kafka_resp_err_t rd_kafka_poll_set_consumer(rd_kafka_t *kafka)
{
    (void)kafka;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_queue_t *rd_kafka_queue_get_consumer(rd_kafka_t *kafka)
{
    return &kafka->queue;
}

/* A poll here returns after what it has to do anyway. */
void rd_kafka_yield(rd_kafka_t *kafka)
{
    (void)kafka;
}

rd_kafka_resp_err_t rd_kafka_subscribe(rd_kafka_t *kafka,
                                       const rd_kafka_topic_partition_list_t *topics)
{
    (void)topics;
    kafka->subscribed = true;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t rd_kafka_unsubscribe(rd_kafka_t *kafka)
{
    kafka->subscribed = false; /* the next poll gives all away */
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* "" for one that has left, or never joined. */
char *rd_kafka_memberid(const rd_kafka_t *kafka)
{
    return mesh_strdup(group_has(kafka) && !kafka->process->killed ? kafka->process->name : "");
}

void rd_kafka_mem_free(rd_kafka_t *kafka, void *memory)
{
    (void)kafka;
    free(memory);
}

/* ---- messages ---- */

struct taken {
    rd_kafka_message_t message;
    rd_kafka_headers_t *headers;
};

static rd_kafka_message_t *message_new(rd_kafka_t *kafka, int32_t partition,
                                       rd_kafka_resp_err_t error, int64_t offset)
{
    struct taken *taken = mesh_new(struct taken);

    taken->message.rkt = &kafka->topic;
    taken->message.err = error;
    taken->message.partition = partition;
    taken->message.offset = offset;
    return &taken->message;
}

void rd_kafka_message_destroy(rd_kafka_message_t *message)
{
    struct taken *taken = (struct taken *)message;

    if (taken->headers != NULL) {
        rd_kafka_headers_destroy(taken->headers);
    }
    free(taken);
}

rd_kafka_resp_err_t rd_kafka_message_headers(const rd_kafka_message_t *message,
                                             rd_kafka_headers_t **out)
{
    const struct taken *taken = (const struct taken *)message;

    *out = taken->headers;
    return taken->headers == NULL ? RD_KAFKA_RESP_ERR__NOENT : RD_KAFKA_RESP_ERR_NO_ERROR;
}

const char *rd_kafka_message_errstr(const rd_kafka_message_t *message)
{
    return rd_kafka_err2str(message->err);
}

static rd_kafka_message_t *record_take(rd_kafka_t *kafka, int32_t number,
                                       const struct record *record)
{
    rd_kafka_message_t *message =
        message_new(kafka, number, RD_KAFKA_RESP_ERR_NO_ERROR, record->offset);

    message->payload = (void *)(uintptr_t)record->value.data;
    message->len = record->value.size;
    if (record->traceparent[0] != '\0') {
        rd_kafka_headers_t *headers = rd_kafka_headers_new(1);
        (void)rd_kafka_header_add(headers, "traceparent", -1, record->traceparent, -1);
        ((struct taken *)message)->headers = headers;
    }
    return message;
}

/* The next thing that this partition has to tell; NULL: nothing. */
static rd_kafka_message_t *partition_take(rd_kafka_t *kafka, int32_t number)
{
    struct assigned *assigned = &kafka->assigned[number];
    const struct ledger_partition *log = &ledger.partitions[number];

    if (assigned->position < 0) { /* the reset policy is "error" */
        if (assigned->end_told) {
            return NULL;
        }
        assigned->end_told = true;
        return message_new(kafka, number, RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, -1);
    }
    const struct record *record = ledger_record(number, assigned->position);
    if (record != NULL) {
        assigned->position = record->offset + 1;
        assigned->end_told = false;
        return record_take(kafka, number, record);
    }
    if (assigned->end_told && assigned->position == log->end) {
        return NULL;
    }
    assigned->position = log->end;
    assigned->end_told = true;
    return message_new(kafka, number, RD_KAFKA_RESP_ERR__PARTITION_EOF, log->end);
}

static rd_kafka_message_t *fetch(rd_kafka_t *kafka)
{
    size_t start = chance_below(PARTITION_COUNT);

    for (size_t i = 0; i < PARTITION_COUNT; i++) {
        size_t number = (start + i) % PARTITION_COUNT;
        const struct assigned *assigned = &kafka->assigned[number];
        /* What is paused may have a message on its way. */
        if (assigned->mine && (!assigned->paused || chance_one_in(faults.late * 2))) {
            rd_kafka_message_t *message = partition_take(kafka, (int32_t)number);
            if (message != NULL) {
                trace("%s polls %zu/%" PRId64 "%s%s", kafka->process->name, number, message->offset,
                      message->err == RD_KAFKA_RESP_ERR_NO_ERROR ? "" : ": ",
                      message->err == RD_KAFKA_RESP_ERR_NO_ERROR ? ""
                                                                 : rd_kafka_err2name(message->err));
                return message;
            }
        }
    }
    return NULL;
}

/* ---- rebalances ---- */

static void rebalance(rd_kafka_t *kafka, rd_kafka_resp_err_t event, const bool *which)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITION_COUNT);

    for (int32_t i = 0; i < PARTITION_COUNT; i++) {
        if (which[i]) {
            rd_kafka_topic_partition_list_add(list, KAFKA_TOPIC, i);
        }
    }
    if (list->cnt > 0) {
        kafka->conf.rebalance(kafka, event, list, kafka->conf.opaque);
    }
    rd_kafka_topic_partition_list_destroy(list);
}

static void give_away(rd_kafka_t *kafka, const bool *which)
{
    rebalance(kafka, RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS, which);
    for (int32_t i = 0; i < PARTITION_COUNT; i++) {
        if (which[i]) {
            kafka->assigned[i].mine = false;
            if (group_owner(i) == kafka) {
                group_give(i, NULL);
            }
        }
    }
}

/* Does what the group wants. */
static void serve(rd_kafka_t *kafka)
{
    bool gone[PARTITION_COUNT] = {false};
    bool come[PARTITION_COUNT] = {false};
    bool lost = kafka->lost;
    bool leaves = !kafka->subscribed;
    bool any = false;

    for (int32_t i = 0; i < PARTITION_COUNT; i++) {
        gone[i] = kafka->assigned[i].mine && (lost || leaves || !group_wants(kafka, i));
        any = any || gone[i];
    }
    if (any) {
        give_away(kafka, gone);
    }
    if (lost && kafka->lost) {
        kafka->lost = false;
        return;
    }
    if (leaves) {
        group_leave(kafka);
        return;
    }
    group_join(kafka);
    for (int32_t i = 0; i < PARTITION_COUNT; i++) {
        come[i] = !kafka->assigned[i].mine && group_owner(i) == NULL && group_wants(kafka, i);
        if (come[i]) {
            group_give(i, kafka);
        }
    }
    rebalance(kafka, RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, come);
}

static void commit_report(rd_kafka_t *kafka)
{
    rd_kafka_topic_partition_list_t *list = kafka->commit_list;

    if (list != NULL) {
        kafka->commit_list = NULL;
        kafka->conf.committed(kafka, kafka->commit_error, list, kafka->conf.opaque);
        rd_kafka_topic_partition_list_destroy(list);
    }
}

rd_kafka_message_t *rd_kafka_consumer_poll(rd_kafka_t *kafka, int timeout_ms)
{
    rd_kafka_message_t *message = NULL;

    if (!kafka->process->killed) {
        commit_report(kafka);
        serve(kafka);
        message = kafka->process->killed ? NULL : fetch(kafka);
    }
    if (message == NULL && timeout_ms > 0) {
        process_time_pass((timeout_ms < POLL_MS_MAX ? timeout_ms : POLL_MS_MAX) * INT64_C(1000));
        fiber_wait();
    }
    return message;
}

rd_kafka_error_t *rd_kafka_incremental_assign(rd_kafka_t *kafka,
                                              const rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++) {
        int64_t offset = list->elems[i].offset;
        int32_t number = list->elems[i].partition;
        if (offset == RD_KAFKA_OFFSET_BEGINNING) {
            offset = 0;
        } else if (offset < 0) {
            offset = ledger.partitions[number].committed;
        }
        kafka->assigned[number] = (struct assigned){.mine = true, .position = offset};
        trace("%s gets partition %d from %" PRId64, kafka->process->name, number, offset);
    }
    return NULL;
}

rd_kafka_error_t *rd_kafka_incremental_unassign(rd_kafka_t *kafka,
                                                const rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++) {
        kafka->assigned[list->elems[i].partition].mine = false;
        trace("%s gives partition %d away", kafka->process->name, list->elems[i].partition);
    }
    return NULL;
}

int rd_kafka_assignment_lost(rd_kafka_t *kafka)
{
    return kafka->lost || kafka->process->killed;
}

rd_kafka_resp_err_t rd_kafka_consumer_close(rd_kafka_t *kafka)
{
    bool all[PARTITION_COUNT];

    for (int32_t i = 0; i < PARTITION_COUNT; i++) {
        all[i] = kafka->assigned[i].mine;
    }
    give_away(kafka, all);
    group_leave(kafka);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void set_paused(rd_kafka_t *kafka, const rd_kafka_topic_partition_list_t *list, bool paused)
{
    for (int i = 0; i < list->cnt; i++) {
        kafka->assigned[list->elems[i].partition].paused = paused;
    }
}

rd_kafka_resp_err_t rd_kafka_pause_partitions(rd_kafka_t *kafka,
                                              rd_kafka_topic_partition_list_t *list)
{
    set_paused(kafka, list, true);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t rd_kafka_resume_partitions(rd_kafka_t *kafka,
                                               rd_kafka_topic_partition_list_t *list)
{
    set_paused(kafka, list, false);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* ---- offsets ---- */

rd_kafka_resp_err_t rd_kafka_committed(rd_kafka_t *kafka, rd_kafka_topic_partition_list_t *list,
                                       int timeout_ms)
{
    (void)timeout_ms;
    if (!process_call(kafka->process, "asks where the group stands").answer) {
        return RD_KAFKA_RESP_ERR__TIMED_OUT;
    }
    for (int i = 0; i < list->cnt; i++) {
        int64_t committed = ledger.partitions[list->elems[i].partition].committed;
        list->elems[i].offset = committed < 0 ? RD_KAFKA_OFFSET_INVALID : committed;
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t rd_kafka_commit(rd_kafka_t *kafka, const rd_kafka_topic_partition_list_t *list,
                                    int async)
{
    struct fate fate = process_call(kafka->process, "commits");
    bool member = !kafka->lost;

    for (int i = 0; i < list->cnt && fate.effect && member; i++) {
        int32_t number = list->elems[i].partition;
        int64_t offset = mutants_commit(kafka->conf.opaque, number, list->elems[i].offset);
        if (group_owner(number) == kafka) {
            trace("%s commits %d/%" PRId64, kafka->process->name, number, offset);
            ledger_commit(number, offset);
        }
    }
    rd_kafka_resp_err_t error = !member        ? RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID
                                : !fate.answer ? RD_KAFKA_RESP_ERR__TIMED_OUT
                                               : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (async) {
        if (kafka->commit_list != NULL) {
            rd_kafka_topic_partition_list_destroy(kafka->commit_list);
        }
        kafka->commit_list = rd_kafka_topic_partition_list_copy(list);
        kafka->commit_error = error;
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    return error;
}

rd_kafka_error_t *rd_kafka_seek_partitions(rd_kafka_t *kafka, rd_kafka_topic_partition_list_t *list,
                                           int timeout_ms)
{
    struct fate fate = process_call(kafka->process, "seeks");

    (void)timeout_ms;
    for (int i = 0; i < list->cnt; i++) {
        struct assigned *assigned = &kafka->assigned[list->elems[i].partition];
        list->elems[i].err =
            fate.answer ? RD_KAFKA_RESP_ERR_NO_ERROR : RD_KAFKA_RESP_ERR__TIMED_OUT;
        if (fate.effect && assigned->mine) {
            assigned->position = list->elems[i].offset;
            trace("%s is to read %d from %" PRId64, kafka->process->name, list->elems[i].partition,
                  assigned->position);
            assigned->end_told = false;
        }
    }
    return NULL;
}

rd_kafka_resp_err_t rd_kafka_query_watermark_offsets(rd_kafka_t *kafka, const char *topic,
                                                     int32_t partition, int64_t *low, int64_t *high,
                                                     int timeout_ms)
{
    (void)topic;
    (void)timeout_ms;
    if (!process_call(kafka->process, "asks where the log ends").answer) {
        return RD_KAFKA_RESP_ERR__TIMED_OUT;
    }
    *low = 0;
    *high = ledger.partitions[partition].end;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t rd_kafka_get_watermark_offsets(rd_kafka_t *kafka, const char *topic,
                                                   int32_t partition, int64_t *low, int64_t *high)
{
    (void)kafka;
    (void)topic;
    *low = 0;
    *high = ledger.partitions[partition].end;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}
