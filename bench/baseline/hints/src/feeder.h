/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feeder: sends counting hints to ws-redis, and watches how far Redis has counted. It never runs
 * further ahead of Redis than it is told, so that ws-redis drops nothing.
 *
 * Threads: one.
 */
#ifndef FEEDER_H
#define FEEDER_H

#include "groups.h"

#include <stdint.h>

#define FEEDER_FRAME_MAX 4096 /* events; proto/ says so */
#define FEEDER_PARTITIONS_MAX 256

struct feeder_options {
    uint64_t port;     /* of ws-redis on 127.0.0.1 */
    const char *redis; /* URL */
    const char *stream;
    const struct groups *groups; /* must live as long as the feeder */
    uint64_t frame;              /* events in a frame */
    uint64_t partitions;
    uint64_t first; /* offset of every partition */
    uint64_t lead;  /* events sent and not counted yet */
    double seconds;
};

struct feeder;

struct feeder_result {
    uint64_t sent;
    uint64_t counted;
    uint64_t frames;
    double seconds;
};

/* Connects to both. The caller owns the result. NULL on failure, with *err filled in. */
MESH_MUST_CHECK
struct feeder *feeder_new(const struct feeder_options *options, struct mesh_error *err);
/* Sends for as long as it was told, then waits until all is counted. False, with *err filled in:
 * not all was sent or counted. */
MESH_MUST_CHECK
bool feeder_run(struct feeder *feeder, struct feeder_result *out, struct mesh_error *err);
/* Accepts NULL. */
void feeder_free(struct feeder *feeder);

#endif
