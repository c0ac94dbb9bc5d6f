/* SPDX-License-Identifier: Apache-2.0 */
/*
 * member: our membership in the consumer group: which partitions are ours, what is committed, and
 * whether the topics still are the ones that were counted.
 *
 * Nothing is committed by itself. While paused the member stays in the group and gets nothing,
 * also from partitions that it is given meanwhile.
 *
 * Threads: the loop's, unless said otherwise; callbacks run inside rd_kafka_consumer_poll(), which
 * then returns, and member_free(). Blocks: a rebalance, asking for topic ids and a synchronous
 * commit up to some seconds when brokers do not answer.
 */
#ifndef MEMBER_H
#define MEMBER_H

#include "mesh/error.h"
#include "partition.h"

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

struct member;

struct member_options {
    const char *brokers;     /* kept, must live as long as the member, as all texts here */
    const char *group_id;    /* of the consumer group */
    const char *instance_id; /* our own name in it, over restarts; NULL or empty: none */
    uint32_t session_ms;     /* silence after which our partitions go to others */
    uint32_t fetch_kb_max;
    struct topic *topics; /* kept */
    size_t topic_count;
    /* For a partition that is about to be given away: */
    partition_fn *finish; /* settle it, as far as possible; not called when it was lost */
    partition_fn *forget; /* it is gone after this call */
    void *arg;            /* for both */
};

/* Joins the group without waiting for it. The caller owns the result. NULL on failure, with *err
 * filled in. */
MESH_MUST_CHECK
struct member *member_new(const struct member_options *options, struct mesh_error *err);
rd_kafka_t *member_kafka(const struct member *member);
/* Ends the wait in rd_kafka_consumer_poll(), or the next one at once. Threads: any. */
void member_wake(struct member *member);
/* NULL: not ours. */
struct partition *member_partition(const struct member *member, const char *topic, int32_t number);

void member_set_paused(struct member *member, bool paused);
bool member_is_paused(const struct member *member);
/* For good: nothing of this partition's topic is wanted any more. */
void member_pause_one(struct member *member, struct partition *partition);

/* Commits what is settled and not committed yet. `wait`: until Kafka has it; else it is put off
 * while the group is forming anew. */
void member_commit(struct member *member, bool wait);
/* Asks Kafka for the ids of the topics; another id than before raises the topic's alarm. */
void member_check_topics(struct member *member);
/* Brings .end of each partition up to date, see ends.h. */
void member_see_ends(struct member *member);

/* Whether librdkafka has given up for good: nothing is read any more, nothing can be committed.
 * That is so when the group knows somebody else by our instance id; or when a commit that waited
 * while Kafka was away arrives after we have joined anew. */
bool member_is_dead(const struct member *member);
/* Gives up all partitions of a dead member: forgotten and dropped, neither finished nor committed.
 */
void member_give_up(struct member *member);
/* Joins the group anew with a new handle. The member is dead, has no partitions, and nobody holds a
 * message of its. False: not done, for it was tried less than five seconds ago, or failed. */
bool member_revive(struct member *member);

/* Whether the group has given us a share, be it an empty one. */
bool member_is_joined(const struct member *member);
/* Whether a broker answered when last asked. */
bool member_is_connected(const struct member *member);

/* Gives all partitions away (finish, commit, forget) and leaves the group. Accepts NULL. */
void member_free(struct member *member);

#endif
