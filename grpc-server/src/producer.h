/* SPDX-License-Identifier: Apache-2.0 */
/*
 * producer: one idempotent librdkafka producer with the thread that sends, and hears what became of
 * it.
 *
 * A producer lives until a fatal error; publisher then puts a new one in its place.
 * Threads: producer_send() and producer_len() from any thread; the others from the owner's. The
 * functions of struct producer_events run on the producer's thread and must not block.
 */
#ifndef PRODUCER_H
#define PRODUCER_H

#include "mesh/error.h"
#include "mesh/macros.h"
#include "mesh/stream.h"
#include "publication.h"

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct producer;

struct producer_events {
    /* Delivery reports that came at at_us, at least one, all of one batch, stream and partition:
     * the publications' codes and partitions are set, their offsets are as told. Those of a
     * partition come in the order of their offsets. A batch's last one is passed on at once. */
    void (*reported)(void *arg, struct publication *const *publications, size_t count,
                     int64_t at_us);
    /* All of a batch was handed to librdkafka, or reported as refused. */
    void (*handed_over)(void *arg, struct publication_batch *batch);
    /* Brokers went away, or the producer is fatally wrong: look at it soon. */
    void (*troubled)(void *arg);
    void *arg;
};

struct producer_options {
    const char *brokers;                /* read during the call */
    const char *compression;            /* Kafka's compression.type; read during the call */
    const struct mesh_streams *streams; /* kept */
    uint32_t delivery_ms_max;           /* from producer_send() to the report */
    uint32_t queue_len_max;             /* events without a report */
    uint32_t queue_kb_max;              /* their bytes, in KiB */
    uint32_t linger_us;                 /* how long what is sent may wait for more */
    struct producer_events events;
};

/* Starts the producer and its thread without waiting for a broker. The caller owns the result.
 * NULL on failure, with *err filled in. */
MESH_MUST_CHECK
struct producer *producer_new(const struct producer_options *options, struct mesh_error *err);

/* Queues the events of a batch whose code is MESH_OK; never blocks. True: reported() follows for
 * each, and handed_over(), once. False: the queue is full, none is stored, nothing follows. */
MESH_MUST_CHECK
bool producer_send(struct producer *producer, struct publication_batch *batch);

/* Events without a report. */
size_t producer_len(const struct producer *producer);
/* True after a fatal error: it will never send again. */
bool producer_is_fatal(const struct producer *producer);

/* Asks a broker about the topics; blocks at most timeout_ms. For each stream tells whether its
 * topic has partitions (ready[index]). False, with *err filled in and ready[] untouched: nobody
 * answered. */
MESH_MUST_CHECK
bool producer_look(struct producer *producer, uint32_t timeout_ms, bool *ready,
                   struct mesh_error *err);

/* For tests that need librdkafka's own test calls. */
rd_kafka_t *producer_handle(struct producer *producer);

/* Waits at most flush_ms for reports, has the rest reported as failed, and ends. Accepts NULL. */
void producer_free(struct producer *producer, uint32_t flush_ms);

#endif
