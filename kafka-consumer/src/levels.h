/* SPDX-License-Identifier: Apache-2.0 */
/*
 * levels: how much is left to be done, over all topics; and the gauges that tell.
 *
 * Threads: the loop's, unless said otherwise. Nothing blocks or fails.
 */
#ifndef LEVELS_H
#define LEVELS_H

#include "partition.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* How things stand, as of the last round. */
struct loop_levels {
    atomic_bool kafka;   /* a broker answered */
    atomic_bool joined;  /* the group gave us a share */
    atomic_bool mongodb; /* the last call succeeded */
    atomic_bool redis;   /* likewise */
    atomic_size_t topics_changed;
    atomic_size_t partitions;
    atomic_size_t unsettled; /* archived, waiting for Redis */
    atomic_size_t in_hand;   /* records of a batch that is not finished */
    atomic_bool draining;    /* no new records are taken */
};

/* Why there is nothing to be done now, in a few words; NULL: all is well. Threads: any. */
const char *loop_levels_trouble(const struct loop_levels *levels);

struct levels {
    size_t unsettled; /* rows that wait for Redis */
    size_t partitions;
    size_t topics_changed;
    bool unfinished; /* something is to be settled, committed, skipped, shown or asked for */
};

/* Shares out among the partitions the rows that are remembered, too. */
struct levels levels_of(struct topic *topics, size_t count, size_t remembered_len_max);
/* Brings the gauges of topics and partitions up to date. well: Kafka, MongoDB and Redis answer, and
 * the group gave us a share; else nothing is called exact. */
void levels_show(const struct topic *topics, size_t count, bool well);

#endif
