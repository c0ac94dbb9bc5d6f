/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publisher: writes events to Kafka and tells what became of each, whatever happens to the brokers.
 *
 * It keeps a producer, replaces it after a fatal error, watches the brokers and the topics, and
 * refuses at once what could only wait for its deadline.
 * Threads: publisher_send(), publisher_ready() and publisher_status() from any thread; done() of a
 * batch runs on a producer's thread. One more thread watches.
 */
#ifndef PUBLISHER_H
#define PUBLISHER_H

#include "mesh/bytes.h"
#include "mesh/error.h"
#include "mesh/macros.h"
#include "mesh/stream.h"
#include "producer.h"
#include "publication.h"

#include <stdbool.h>
#include <stdint.h>

struct publisher;

struct publisher_options {
    const char *brokers;                /* kept; "host:port,host:port" */
    const char *compression;            /* kept; Kafka's compression.type */
    const struct mesh_streams *streams; /* kept */
    uint32_t delivery_ms_max;           /* after this an event's code is DEADLINE_EXCEEDED */
    uint32_t queue_len_max;             /* events; when full, more are RESOURCE_EXHAUSTED */
    uint32_t queue_kb_max;              /* likewise, in KiB */
    uint32_t linger_us;                 /* how long Kafka batches wait for more events */
};

/* Starts without waiting for a broker. The caller owns the result. NULL on failure, with *err
 * filled in. */
MESH_MUST_CHECK
struct publisher *publisher_new(const struct publisher_options *options, struct mesh_error *err);

/* Sends the events of a batch whose code is MESH_OK; never blocks. True: batch->done() will be
 * called, once. False: nothing waits for Kafka, all codes are final, and done() is not called. */
MESH_MUST_CHECK
bool publisher_send(struct publisher *publisher, struct publication_batch *batch);

/* A mesh_ready_fn: brokers answer, all topics are there, the queue has room. */
bool publisher_ready(void *publisher, struct mesh_buffer *reason);
/* A mesh_status_fn: queue levels and versions. */
void publisher_status(void *publisher, struct mesh_buffer *members);

/* The producer of the moment, for tests only. */
struct producer *publisher_producer(struct publisher *publisher);

/* Waits at most flush_ms for events under way, has the rest reported as failed, and ends. May
 * wait two seconds more where brokers are away. Accepts NULL. */
void publisher_free(struct publisher *publisher, uint32_t flush_ms);

#endif
