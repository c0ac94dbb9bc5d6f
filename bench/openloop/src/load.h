/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load: sends requests at their times, whatever becomes of those before (open loop), or as fast as
 * they are answered (closed loop).
 *
 * Threads: one; load_run() blocks until all is over.
 */
#ifndef OPENLOOP_LOAD_H
#define OPENLOOP_LOAD_H

#include "bodies.h"
#include "mesh/error.h"
#include "tally.h"

#include <stdbool.h>
#include <stdint.h>

#define LOAD_CONNECTIONS_MAX 60000

struct load_options {
    const char *host; /* numeric IPv4 address */
    const char *ca;   /* file with the authorities of its certificate: HTTPS; NULL: plain */
    uint16_t port;
    const struct bodies *bodies;
    double rate;          /* requests a second, evenly spaced; 0: closed loop */
    double seconds;       /* how long requests are due */
    double drain_seconds; /* how long the last answers are waited for */
    uint32_t connections; /* at most; in a closed loop all are busy all the time */
    bool retry;           /* what is refused, unknown or broken is sent again, at once */
    bool spread;          /* the connection idle longest is used next, not the one used last */
    uint64_t first;       /* number of the first request */
};

/* A request that is due while all connections are busy waits for one; its time since due goes on.
 * SIGTERM and SIGINT end the schedule. False only when it cannot begin, with *err filled in. */
MESH_MUST_CHECK
bool load_run(const struct load_options *options, struct tally *tally, double *out_seconds,
              struct mesh_error *err);

#endif
