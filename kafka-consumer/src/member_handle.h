/* SPDX-License-Identifier: Apache-2.0 */
/*
 * member_handle: librdkafka's handle of a member of the consumer group: how it is set, how it ends.
 *
 * Threads: the loop's.
 */
#ifndef MEMBER_HANDLE_H
#define MEMBER_HANDLE_H

#include "member.h"
#include "mesh/error.h"

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

/* In a session; some may be lost. */
enum { MEMBER_HEARTBEATS = 6 };

/* Without callbacks. The caller owns the result. NULL on failure, with *err filled in. */
MESH_MUST_CHECK
rd_kafka_conf_t *member_conf_new(const struct member_options *options, struct mesh_error *err);

/* Whether librdkafka has given up for good. */
bool member_handle_is_dead(rd_kafka_t *kafka);
/* Where the group stands with these partitions, into .offset; negative: it never committed. Asks
 * again on every failure, for 5 s at most. False: no answer. */
MESH_MUST_CHECK
bool member_handle_committed(rd_kafka_t *kafka, rd_kafka_topic_partition_list_t *list);
/* Leaves the group, unless it is dead, and frees the handle; the callback gives all away. Blocks up
 * to some seconds when brokers do not answer. */
void member_handle_free(rd_kafka_t *kafka);

#endif
