/* SPDX-License-Identifier: Apache-2.0 */
/*
 * levels: how much is left to be done, over all topics.
 *
 * Threads: the loop's. Nothing blocks or fails.
 */
#ifndef LEVELS_H
#define LEVELS_H

#include "partition.h"

#include <stdbool.h>
#include <stddef.h>

struct levels {
    size_t unsettled; /* rows that wait for Redis */
    size_t partitions;
    size_t topics_changed;
    bool unfinished; /* something is to be settled, committed, skipped, shown or asked for */
};

/* Brings the gauges of partitions up to date, too, and shares out among them the rows that are
 * remembered. */
struct levels levels_of(struct topic *topics, size_t count, size_t remembered_len_max);

#endif
