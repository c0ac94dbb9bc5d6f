/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publisher_fixture: a publisher in front of a mock broker, and batches sent through it.
 *
 * Threads: the test's. Failures fail the cmocka case.
 */
#ifndef PUBLISHER_FIXTURE_H
#define PUBLISHER_FIXTURE_H

#include "mock_kafka.h"
#include "publisher.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BATCH_MAX = 256, LONG_MS = 30000 };

/* What every event of batch_send() says. */
extern const char publisher_fixture_value[];

struct publisher_fixture {
    struct mock_kafka mock;
    struct mesh_streams *streams;
    struct publisher *publisher; /* NULL until publisher_begin() */
};

struct publisher_limits {
    uint32_t delivery_ms_max;
    uint32_t queue_len_max;
    uint32_t linger_us;
};

struct sent_batch {
    struct publication_batch batch;
    struct publication publications[BATCH_MAX];
    atomic_bool done;
};

/* The mock broker, or two, and the streams; the publisher is begun by each case. */
int publisher_fixture_set_up(void **state);
int publisher_fixture_set_up_two(void **state);
int publisher_fixture_tear_down(void **state);

void publisher_begin(struct publisher_fixture *fixture, const char *brokers,
                     struct publisher_limits limits);
/* In front of the mock broker; waits until it is ready. */
void publisher_begin_ready(struct publisher_fixture *fixture, struct publisher_limits limits);
/* For wait_until(); takes a struct publisher. */
bool publisher_is_ready(void *publisher);
bool publisher_is_not_ready(void *publisher);

/* Sends so many events; sent must live until batch_finish(). */
void batch_send(struct publisher_fixture *fixture, struct sent_batch *sent, size_t count);
/* The publisher's done() for a batch whose arg is the struct sent_batch: once, or the case fails.
 */
void batch_on_done(void *arg);
bool batch_is_done(void *sent);
void batch_finish(struct sent_batch *sent);
/* How many events of the batch came to this code. */
size_t batch_count(const struct sent_batch *sent, enum mesh_code code);

#endif
