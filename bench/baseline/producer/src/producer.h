/* SPDX-License-Identifier: Apache-2.0 */
/*
 * producer: librdkafka and nothing else, used as well as it can be.
 *
 * Values are neither copied nor freed by librdkafka, events are handed over in bursts, and their
 * delivery reports are read by the thread that produces.
 *
 * Threads: one, and librdkafka's.
 */
#ifndef PRODUCER_H
#define PRODUCER_H

#include "lines.h"
#include "run.h"

struct producer_options {
    const char *brokers; /* kept until producer_free(), likewise below */
    const char *topic;
    const char *acks;
    uint64_t linger_us;
    uint64_t batch_bytes; /* 0: librdkafka's default */
    uint64_t batch_len;   /* events; 0: librdkafka's default */
    bool plain;           /* not idempotent */
};

struct producer;

/* Connects, and looks whether the topic is there; blocks at most 10 s. The caller owns the result.
 * NULL on failure, with *err filled in. */
MESH_MUST_CHECK
struct producer *producer_new(const struct producer_options *options, struct mesh_error *err);
/* Produces until the run, which the caller starts, is over. False, with *err filled in: librdkafka
 * will not go on; the run is over then as well. */
MESH_MUST_CHECK
bool producer_run(struct producer *producer, const struct lines *values, struct run *run,
                  struct mesh_error *err);
/* Accepts NULL. What has no report by now is given up. */
void producer_free(struct producer *producer);

#endif
