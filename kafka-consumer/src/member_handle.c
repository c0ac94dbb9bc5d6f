/* SPDX-License-Identifier: Apache-2.0 */
#include "member_handle.h"

#include "mesh/clock.h"
#include "mesh/kafka.h"

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* How long leaving the group may take at most, whatever the session, and asking where it stands. */
enum {
    LEAVE_MS = 2000, /* and two heartbeats */
    LEAVE_MS_MAX = 10000,
    LEAVE_POLL_MS = 10,
    COMMITTED_MS = 5000,
    COMMITTED_AGAIN_MS = 50
};

static bool set_instance(rd_kafka_conf_t *conf, const char *instance_id, struct mesh_error *err)
{
    return instance_id == NULL || instance_id[0] == '\0' ||
           mesh_kafka_set(conf, "group.instance.id", instance_id, err);
}

rd_kafka_conf_t *member_conf_new(const struct member_options *options, struct mesh_error *err)
{
    rd_kafka_conf_t *conf = mesh_kafka_conf_new(options->brokers, "kafka-consumer", err);

    if (conf == NULL) {
        return NULL;
    }
    if (!mesh_kafka_set(conf, "group.id", options->group_id, err) ||
        !set_instance(conf, options->instance_id, err) ||
        !mesh_kafka_set(conf, "partition.assignment.strategy", "cooperative-sticky", err) ||
        !mesh_kafka_set_uint(conf, "session.timeout.ms", options->session_ms, err) ||
        !mesh_kafka_set_uint(conf, "heartbeat.interval.ms", options->session_ms / MEMBER_HEARTBEATS,
                             err) ||
        !mesh_kafka_set(conf, "enable.auto.commit", "false", err) ||
        !mesh_kafka_set(conf, "enable.auto.offset.store", "false", err) ||
        !mesh_kafka_set(conf, "auto.offset.reset", "error", err) ||
        !mesh_kafka_set(conf, "isolation.level", "read_committed", err) ||
        !mesh_kafka_set(conf, "enable.partition.eof", "true", err) ||
        !mesh_kafka_set_uint(conf, "queued.max.messages.kbytes", options->fetch_kb_max, err) ||
        /* A fetch only when all was taken, and then 10 ms later: else each event that comes alone
         * is a fetch, a batch and a settling of its own. What comes in that time keeps us busy. */
        !mesh_kafka_set_uint(conf, "queued.min.messages", 1, err) ||
        !mesh_kafka_set(conf, "fetch.queue.backoff.ms", "10", err) ||
        !mesh_kafka_set_uint(conf, "fetch.wait.max.ms", MEMBER_FETCH_MS, err) ||
        !mesh_kafka_set(conf, "topic.metadata.refresh.interval.ms", "30000", err)) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    return conf;
}

bool member_handle_subscribe(rd_kafka_t *kafka, const struct member_options *options,
                             struct mesh_error *err)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)options->topic_count);

    for (size_t i = 0; i < options->topic_count; i++) {
        (void)rd_kafka_topic_partition_list_add(list, options->topics[i].stream->topic,
                                                RD_KAFKA_PARTITION_UA);
    }
    rd_kafka_resp_err_t error = rd_kafka_subscribe(kafka, list);
    rd_kafka_topic_partition_list_destroy(list);
    return error == RD_KAFKA_RESP_ERR_NO_ERROR ||
           mesh_fail(err, MESH_INVALID_ARGUMENT, "Kafka: cannot subscribe: %s",
                     rd_kafka_err2str(error));
}

void member_wake_set(struct member_wake *wake, rd_kafka_t *kafka)
{
    rd_kafka_queue_t *queue = kafka == NULL ? NULL : rd_kafka_queue_get_consumer(kafka);

    (void)pthread_mutex_lock(&wake->mutex);
    if (wake->queue != NULL) {
        rd_kafka_queue_destroy(wake->queue);
    }
    wake->queue = queue;
    (void)pthread_mutex_unlock(&wake->mutex);
}

void member_wake_up(struct member_wake *wake)
{
    (void)pthread_mutex_lock(&wake->mutex);
    if (wake->queue != NULL) {
        rd_kafka_queue_yield(wake->queue);
    }
    (void)pthread_mutex_unlock(&wake->mutex);
}

bool member_handle_is_dead(rd_kafka_t *kafka)
{
    return rd_kafka_fatal_error(kafka, NULL, 0) != RD_KAFKA_RESP_ERR_NO_ERROR;
}

static bool none_failed(const rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++) {
        if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return false;
        }
    }
    return true;
}

bool member_handle_committed(rd_kafka_t *kafka, rd_kafka_topic_partition_list_t *list)
{
    int64_t until_us = mesh_clock_mono_us() + COMMITTED_MS * INT64_C(1000);

    for (;;) {
        int64_t left_ms = (until_us - mesh_clock_mono_us()) / 1000;
        if (left_ms <= 0 || member_handle_is_dead(kafka)) {
            return false;
        }
        if (rd_kafka_committed(kafka, list, (int)left_ms) == RD_KAFKA_RESP_ERR_NO_ERROR &&
            none_failed(list)) {
            return true;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = COMMITTED_AGAIN_MS * INT64_C(1000000)}, NULL);
    }
}

static bool has_id(rd_kafka_t *kafka)
{
    char *id = rd_kafka_memberid(kafka);
    bool has = id != NULL && id[0] != '\0';

    rd_kafka_mem_free(kafka, id);
    return has;
}

static void poll_until(rd_kafka_t *kafka, bool id, int64_t until_us)
{
    while (mesh_clock_mono_us() < until_us && has_id(kafka) != id) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(kafka, LEAVE_POLL_MS);
        if (message != NULL) {
            rd_kafka_message_destroy(message);
        }
    }
}

/* Says goodbye, so that the others need not wait for the end of our session. By closing alone a
 * member with an instance id would not: librdkafka takes that for a restart. Goodbye is said by the
 * member id, which a member thrown out, or new, has only once the group has answered it. In a
 * rebalance that takes a heartbeat of all others, and the goodbye waits as long: Kafka answers a
 * connection's requests in their order, and keeps the one to join until all have joined. */
static void leave(rd_kafka_t *kafka, uint32_t session_ms)
{
    const uint32_t wanted_ms = LEAVE_MS + 2 * session_ms / MEMBER_HEARTBEATS;
    const uint32_t ms = wanted_ms < LEAVE_MS_MAX ? wanted_ms : LEAVE_MS_MAX;
    const int64_t until_us = mesh_clock_mono_us() + ms * INT64_C(1000);

    poll_until(kafka, true, until_us);
    if (rd_kafka_unsubscribe(kafka) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        poll_until(kafka, false, until_us); /* the id goes when the goodbye is sent */
    }
}

/* librdkafka 2.8 waits for ever, and busily, when a handle is destroyed between an assignment and
 * the application's answer to it: close it would only once answered, and a dead one is no longer
 * asked. After the unsubscription no further assignment can come; the answer takes back the one
 * that may be there. */
static void destroy_dead(rd_kafka_t *kafka)
{
    (void)rd_kafka_unsubscribe(kafka);
    (void)rd_kafka_assign(kafka, NULL);
    rd_kafka_destroy_flags(kafka, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

void member_handle_free(rd_kafka_t *kafka, uint32_t session_ms)
{
    if (member_handle_is_dead(kafka)) {
        destroy_dead(kafka);
        return;
    }
    leave(kafka, session_ms);
    (void)rd_kafka_consumer_close(kafka);
    rd_kafka_destroy(kafka);
}
