/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ends: where the logs end, as Kafka says, into .end of each partition.
 *
 * While records are read every answer of a broker tells, at the latest after MEMBER_FETCH_MS, and
 * librdkafka remembers it. While reading is paused nothing is fetched: Kafka is then asked, all
 * partitions at once, at most once a second. A broker that does not answer leaves .end as it was.
 *
 * Threads: the loop's. Nothing blocks or fails.
 */
#ifndef ENDS_H
#define ENDS_H

#include "partition.h"

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero to begin with. */
struct ends {
    rd_kafka_queue_t *queue; /* where answers come; NULL: nothing was asked so far */
    bool asked;              /* an answer is to come, or that there is none */
    int64_t asked_us;        /* monotonic */
};

void ends_see(struct ends *ends, rd_kafka_t *kafka, const struct topic *topics, size_t count,
              bool paused);
/* Before the handle is freed. */
void ends_forget(struct ends *ends);

#endif
