/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hub_fixture: the real hub on a free port, with counts and a real redis-server behind it.
 *
 * Threads: the test's. Failures fail the cmocka case.
 */
#ifndef HUB_FIXTURE_H
#define HUB_FIXTURE_H

#include "counts.h"
#include "hub.h"
#include "live.h"
#include "mesh/bytes.h"
#include "mesh/stream.h"
#include "redis_fixture.h"

#include <stdint.h>

#define COUNTS "counts.v1"
#define LIVE "live.v1"
#define FEEDERS_MAX 3
#define VIEWERS_MAX 2
#define VIEWER_MS_MAX 200
#define WAIT_US INT64_C(20000000)

/* What hub_fixture_start() makes anew for every case. */
struct hub_fixture {
    struct redis_fixture *redis;
    struct mesh_streams *streams;
    struct live *redis_live; /* counts puts its messages here, and nobody reads them */
    struct live *live;       /* what viewers get; the case decides when */
    struct counts *counts;
    struct hub *hub;
    uint16_t port;
    struct mesh_buffer frame;
};

extern struct hub_fixture hub_test;

int hub_fixture_start(void **state);
int hub_fixture_stop(void **state);

/* A connection with this protocol; the caller closes it. */
int hub_fixture_open(const char *protocol);
/* Sends a frame of the stream "test", see stream_fixture_frame(). */
void hub_fixture_send(int fd, uint64_t first, const char *groups);
/* How many events Redis has counted. */
long long hub_fixture_total(void);
void hub_fixture_wait_counter(const char *name, const char *labels, int64_t at_least);
void hub_fixture_wait_gauge(const char *name, int64_t value);
/* Frames must still be counted, on a new connection. */
void assert_hub_serves(uint64_t first);

#endif
