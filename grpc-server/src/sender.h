/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sender: hands batches to librdkafka, those that wait all at once and none while others are under
 * way.
 *
 * librdkafka 2.8 has one request under way for a partition, and as long as it holds events for that
 * partition whose linger.ms is over, it asks the socket without pause: half of this program's CPU
 * time. So what comes meanwhile waits here, and nothing lingers there: rd_kafka_flush() says when a
 * batch is whole, and returns when Kafka has it. docs/decisions/ has the figures.
 *
 * Threads: sender_add() and sender_len() from any thread; the others from the owner's. send(),
 * polled() and librdkafka's callbacks (reports, errors) run on the sender's own thread, which is
 * the only one that may poll or flush.
 */
#ifndef SENDER_H
#define SENDER_H

#include "mesh/error.h"
#include "mesh/macros.h"
#include "publication.h"

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sender;

struct sender_options {
    rd_kafka_t *kafka;       /* outlives the sender; reports by callback */
    rd_kafka_queue_t *queue; /* its main queue, likewise */
    uint32_t queue_len_max;  /* events that wait */
    uint32_t linger_us;      /* how long the first batch waits for more */
    /* Hands a batch to librdkafka. */
    void (*send)(void *arg, struct publication_batch *batch);
    /* librdkafka's callbacks have run, if there were any. */
    void (*polled)(void *arg);
    void *arg;
};

/* Starts the thread. The caller owns the result. NULL on failure, with *err filled in. */
MESH_MUST_CHECK
struct sender *sender_new(const struct sender_options *options, struct mesh_error *err);

/* Never blocks. True: send() will be called with the batch, once. False: too many events wait. */
MESH_MUST_CHECK
bool sender_add(struct sender *sender, struct publication_batch *batch);

/* Events that wait. */
size_t sender_len(struct sender *sender);

/* Sends what waits, gives Kafka flush_ms at most to take it, has the rest reported as failed, and
 * ends. Accepts NULL. */
void sender_free(struct sender *sender, uint32_t flush_ms);

#endif
