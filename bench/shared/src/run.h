/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run: one measured run of a load: how much may be begun and when, and what became of it.
 *
 * A run warms up, is measured, and drains. With a time (`seconds`) the load goes on all along, and
 * what is acknowledged within the measured time counts; with a `count` the warm-up is drained
 * first, and the measured time ends with the last of the count. Events due in the measured time
 * count into the latency whenever they are acknowledged.
 *
 * Threads: one at a time. Plain values; the clock (mesh_clock_mono_us()) is the caller's.
 */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include "histogram.h"
#include "mesh/bytes.h"
#include "mesh/error.h"
#include "pace.h"

#include <stdbool.h>
#include <stdint.h>

#define RUN_DRAIN_SECONDS 30 /* how long the last reports are waited for */

struct run_options {
    double warmup_seconds;
    double seconds;         /* of the measured time; 0: until `count` events */
    uint64_t count;         /* 0: for `seconds` */
    double rate;            /* events a second, evenly spaced; 0: as many as there is room for */
    uint64_t under_way_max; /* events without a report; 0: no limit here */
};

enum run_phase { RUN_WARMING, RUN_SETTLING, RUN_MEASURING, RUN_DRAINING, RUN_OVER };

enum run_outcome {
    RUN_ACKED,
    RUN_REFUSED, /* certainly not stored */
    RUN_UNKNOWN,
    RUN_OUTCOMES
};

struct run_mark {
    int64_t at_us;
    uint64_t acked;
    double cpu_seconds;
};

struct run {
    struct run_options options;
    enum run_phase phase;
    int64_t phase_us; /* when the phase began */
    struct pace pace;
    uint64_t paced; /* begun on this schedule */
    uint64_t under_way;
    uint64_t measured_begun;
    uint64_t counts[RUN_OUTCOMES]; /* of the whole run */
    struct run_mark from;          /* the measured time */
    struct run_mark to;
    struct histogram latency;
};

/* Whether they make sense together. */
MESH_MUST_CHECK
bool run_options_check(const struct run_options *options, struct mesh_error *err);

/* `options` must be good. */
void run_start(struct run *run, const struct run_options *options, int64_t now_us);
/* To be called before everything else in a turn of the caller's loop. False: the run is over; what
 * had no report by then is unknown. */
bool run_turn(struct run *run, int64_t now_us);
/* How many events may be begun now. */
uint64_t run_room(const struct run *run, int64_t now_us);
/* From when on the next event but `skip` is timed: now, or with a rate when it is due. */
int64_t run_due_us(const struct run *run, uint64_t skip, int64_t now_us);
/* At most run_room(), which goes down by as many. */
void run_begin(struct run *run, uint64_t events);
/* The report on `events` that were begun together; once the run is over it means nothing. */
void run_report(struct run *run, enum run_outcome outcome, uint64_t events, int64_t begun_us,
                int64_t now_us);
/* How long there is nothing to do but wait for reports and room elsewhere; at most 0.1 s. */
int64_t run_wait_us(const struct run *run, int64_t now_us);
/* Ends the run: what is under way is unknown. */
void run_abandon(struct run *run, int64_t now_us);

/* One JSON object and a line end. */
void run_write(const struct run *run, struct mesh_buffer *out);
/* The same to stdout. */
MESH_MUST_CHECK
bool run_print(const struct run *run, struct mesh_error *err);
/* Whether all that was begun in the whole run is stored. */
MESH_MUST_CHECK
bool run_is_whole(const struct run *run, struct mesh_error *err);

#endif
