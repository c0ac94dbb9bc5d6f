/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lag: how far archive and counters are behind Kafka, as kafka-consumer tells it in the hash
 * `{<stream>}:archive`: partition -> "in_kafka archived settled at_ms", four decimal numbers with
 * one space between them.
 *
 * Threads: plain values. What is not as it should be is passed over.
 */
#ifndef LAG_H
#define LAG_H

#include "mesh/bytes.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAG_PARTITIONS_MAX 2000

struct lag {
    size_t partitions; /* 0: nobody tells */
    uint64_t in_kafka; /* offsets, over all partitions */
    uint64_t archived;
    uint64_t settled;
    int64_t at_ms; /* when the oldest of the partitions was looked at */
    bool level;    /* in each partition all three are equal */
};

/* One partition; each number below 10^16. False: that is no such text, *out is untouched. */
bool lag_read_partition(struct mesh_bytes text, struct lag *out);
/* What HGETALL answered. */
void lag_read(const redisReply *hash, struct lag *out);

#endif
