/* SPDX-License-Identifier: Apache-2.0 */
/*
 * records: the corpus as librdkafka hands it out: produced to and fetched from its own mock
 * cluster.
 *
 * Each message is fetched once for each round, because what librdkafka does at the first look at a
 * message's headers is part of the cost. Threads: the main one; librdkafka's own are at rest once
 * records_new() has returned.
 */
#ifndef INSTRUCTIONS_RECORDS_H
#define INSTRUCTIONS_RECORDS_H

#include "corpus.h"

#include <librdkafka/rdkafka.h>
#include <stddef.h>

struct records;

/* Aborts when the mock cluster does not work. The caller owns the result. */
struct records *records_new(const struct corpus *corpus);
/* The record of the event that is `index`-th of a round. Stays the records'. */
rd_kafka_message_t *records_message(const struct records *records, size_t round, size_t index);
void records_free(struct records *records);

#endif
