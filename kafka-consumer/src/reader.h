/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader: what is read: the batch in hand, and where each partition is read from.
 *
 * Threads: the loop's. Blocks: reader_collect() and reader_serve() for wait_ms; a seek, a rewind
 * and a rebalance (see member.h) up to some seconds when brokers do not answer.
 */
#ifndef READER_H
#define READER_H

#include "batch.h"
#include "member.h"
#include "mesh/error.h"
#include "partition.h"

#include <stdbool.h>
#include <stdint.h>

struct reader;

struct reader_options {
    struct member_options member; /* .forget is the reader's own affair */
    uint32_t batch_len_max;
    uint32_t batch_kb_max;
};

/* Joins the group without waiting for it. The caller owns the result. NULL on failure, with *err
 * filled in. */
MESH_MUST_CHECK
struct reader *reader_new(const struct reader_options *options, struct mesh_error *err);
/* Lives as long as the reader. */
struct member *reader_member(const struct reader *reader);

/* The batch in hand; the caller clears it when it is finished. Entries of partitions that are
 * given away leave it. */
struct batch *reader_batch(struct reader *reader);
/* Waits for a first record for at most wait_ms, then takes what is there without waiting, up to a
 * full batch. The batch must be empty, the member not paused. */
void reader_collect(struct reader *reader, uint32_t wait_ms);
/* Does what the group asks for, for wait_ms, without taking records. Only while paused. */
void reader_serve(struct reader *reader, uint32_t wait_ms);

/* Where librdkafka has given up, the group is joined anew; the batch in hand and all partitions are
 * gone then, and come again. Before anything else in a round. False, after wait_ms (below 1,000):
 * not done, nothing can be read now. */
MESH_MUST_CHECK
bool reader_revive(struct reader *reader, uint32_t wait_ms);

/* Goes to .seek_to of each partition that has nothing left to skip. */
void reader_seek(struct reader *reader);
/* Redis wants this partition from `watermark` on: from memory where the rows were kept, else from
 * Kafka. What Kafka does not keep any more is skipped and counted as lost. */
void reader_rewind(struct reader *reader, struct partition *partition, int64_t watermark);

/* Gives all partitions away and leaves the group. Accepts NULL. */
void reader_free(struct reader *reader);

#endif
