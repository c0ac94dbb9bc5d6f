/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish_fixture: a publish that talks to a gRPC server of the test, and jobs that count how they
 * end.
 *
 * Threads: a test's own, but for the jobs' callbacks.
 */
#ifndef API_TESTS_PUBLISH_FIXTURE_H
#define API_TESTS_PUBLISH_FIXTURE_H

#include "ingest_server.h"
#include "publish.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GOOD "{\"text\":\"rain\",\"country\":\"gt\"}"

struct order {
    struct publish_job job; /* first: the callbacks find the rest */
    struct events events;
    atomic_int done;
    atomic_int released;
};

struct publish_fixture {
    struct ingest_server *server;
    struct publish *publish;
    size_t streams_before;
};

/* Events of a JSON text, read as a request's body would be; the caller ends order->events. */
void order_init(struct order *order, const char *json);
void order_submit(struct publish *publish, struct order *order);
bool order_is_released(void *order);
/* Waits for the order's end: once, by done. */
void order_expect_done(struct order *order);

struct publish *publish_client(uint16_t port, uint32_t down_ms_max, uint32_t reply_ms_max);
/* Conditions for support_wait(): of a publish, of an ingest_server, of a publish_fixture. */
bool publish_is_ready(void *arg);
bool publish_is_not_ready(void *arg);
bool ingest_has_come(void *arg);
bool ingest_has_two_streams(void *arg);
bool publish_fixture_has_more_streams(void *arg);

int publish_fixture_group_setup(void **state);
int publish_fixture_group_teardown(void **state);
int publish_fixture_setup(void **state);
int publish_fixture_teardown(void **state);

#endif
