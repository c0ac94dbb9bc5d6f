/* SPDX-License-Identifier: Apache-2.0 */
/*
 * member_handle: librdkafka's handle of a member of the consumer group: how it is set, how it ends.
 *
 * Threads: the loop's, unless said otherwise.
 */
#ifndef MEMBER_HANDLE_H
#define MEMBER_HANDLE_H

#include "member.h"
#include "mesh/error.h"

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* In a session; some may be lost. */
enum { MEMBER_HEARTBEATS = 3 };

/* How long a broker keeps us waiting where no record comes. What else we ask it on that connection
 * waits behind that, and a partition that we are given meanwhile. */
enum { MEMBER_FETCH_MS = 1000 };

/* Without callbacks. The caller owns the result. NULL on failure, with *err filled in. */
MESH_MUST_CHECK
rd_kafka_conf_t *member_conf_new(const struct member_options *options, struct mesh_error *err);

/* Joins the group of the options, for their topics, without waiting for it. */
MESH_MUST_CHECK
bool member_handle_subscribe(rd_kafka_t *kafka, const struct member_options *options,
                             struct mesh_error *err);

/* Ends the wait of another thread in rd_kafka_consumer_poll(), or the next one at once; zero: there
 * is nobody to be woken. Threads: member_wake_up() any, the others the loop's. */
struct member_wake {
    pthread_mutex_t mutex; /* guards .queue */
    rd_kafka_queue_t *queue;
};

/* kafka NULL: from now on there is no handle. Before the handle is freed. */
void member_wake_set(struct member_wake *wake, rd_kafka_t *kafka);
void member_wake_up(struct member_wake *wake);

/* Whether librdkafka has given up for good. */
bool member_handle_is_dead(rd_kafka_t *kafka);
/* Where the group stands with these partitions, into .offset; negative: it never committed. Asks
 * again on every failure, for 5 s at most. False: no answer. */
MESH_MUST_CHECK
bool member_handle_committed(rd_kafka_t *kafka, rd_kafka_topic_partition_list_t *list);
/* Leaves the group, unless it is dead, and frees the handle; the callback gives all away. Blocks up
 * to 10 s in a rebalance, or when brokers do not answer. */
void member_handle_free(rd_kafka_t *kafka, uint32_t session_ms);

#endif
