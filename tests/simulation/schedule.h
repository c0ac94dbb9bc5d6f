/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule: one run from a seed: a bad time, then healing, then the promises.
 *
 * Threads: one.
 */
#ifndef SIMULATION_SCHEDULE_H
#define SIMULATION_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

/* What happened in all runs so far; that a run was not void. */
struct schedule_sums {
    uint64_t events;
    uint64_t records;
    uint64_t acknowledged;
    uint64_t documents;
    uint64_t kills;
    uint64_t set_backs;
    uint64_t rebalances;
};

extern struct schedule_sums schedule_sums;

/* True: all promises hold. Else verdict_text() says which one does not. */
bool schedule_run(uint64_t seed, bool trace);

#endif
