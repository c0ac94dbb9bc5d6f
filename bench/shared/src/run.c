/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"

#include "output.h"
#include "process.h"

#include <assert.h>
#include <inttypes.h>

#define LOOK_US 100000 /* at least so often */

static int64_t us_of(double seconds)
{
    return (int64_t)(seconds * 1e6);
}

static struct run_mark mark_of(const struct run *run, int64_t now_us)
{
    return (struct run_mark){
        .at_us = now_us, .acked = run->counts[RUN_ACKED], .cpu_seconds = process_cpu_seconds()};
}

static void pace_start(struct run *run, int64_t now_us)
{
    run->pace = (struct pace){.start_us = now_us, .per_s = run->options.rate};
    run->paced = 0;
}

static void enter(struct run *run, enum run_phase phase, int64_t now_us)
{
    if (phase == RUN_MEASURING) {
        run->from = mark_of(run, now_us);
        if (run->phase == RUN_SETTLING) {
            pace_start(run, now_us); /* nothing was begun meanwhile */
        }
    } else if (phase == RUN_DRAINING && run->options.seconds > 0) {
        run->to = mark_of(run, now_us);
    }
    run->phase = phase;
    run->phase_us = now_us;
}

bool run_options_check(const struct run_options *options, struct mesh_error *err)
{
    return (options->seconds > 0) != (options->count > 0) ||
           mesh_fail(err, MESH_INVALID_ARGUMENT, "wants either --seconds or --count");
}

void run_start(struct run *run, const struct run_options *options, int64_t now_us)
{
    *run = (struct run){.options = *options};
    pace_start(run, now_us);
    enter(run, options->warmup_seconds > 0 ? RUN_WARMING : RUN_MEASURING, now_us);
}

/* How many the schedule still wants, without a limit on what is under way. */
static uint64_t wanted(const struct run *run, int64_t now_us)
{
    const struct run_options *options = &run->options;
    bool draining = run->phase == RUN_DRAINING;
    uint64_t left = UINT64_MAX;
    if (run->phase == RUN_SETTLING || run->phase == RUN_OVER) {
        return 0;
    }
    if (options->rate > 0) {
        /* What was due in the measured time is begun even if it is late. */
        uint64_t due = pace_due(&run->pace, draining ? run->phase_us : now_us);
        left = due > run->paced ? due - run->paced : 0;
    } else if (draining) {
        return 0;
    }
    if (options->count > 0 && run->phase != RUN_WARMING) {
        uint64_t uncounted = options->count - run->measured_begun;
        left = left < uncounted ? left : uncounted;
    }
    return left;
}

static bool count_is_begun(const struct run *run)
{
    return run->options.count > 0 && run->measured_begun == run->options.count;
}

static void drain(struct run *run, int64_t now_us)
{
    bool done = run->under_way == 0 && wanted(run, now_us) == 0;
    if (done || now_us - run->phase_us > us_of(RUN_DRAIN_SECONDS)) {
        run_abandon(run, now_us);
    }
}

bool run_turn(struct run *run, int64_t now_us)
{
    const struct run_options *options = &run->options;
    int64_t in_phase_us = now_us - run->phase_us;
    switch (run->phase) {
    case RUN_WARMING:
        if (in_phase_us >= us_of(options->warmup_seconds)) {
            enter(run, options->count > 0 ? RUN_SETTLING : RUN_MEASURING, now_us);
        }
        break;
    case RUN_SETTLING:
        if (run->under_way == 0) {
            enter(run, RUN_MEASURING, now_us);
        } else if (in_phase_us > us_of(RUN_DRAIN_SECONDS)) {
            run_abandon(run, now_us);
        }
        break;
    case RUN_MEASURING:
        if (options->count > 0 ? count_is_begun(run) : in_phase_us >= us_of(options->seconds)) {
            enter(run, RUN_DRAINING, now_us);
        }
        break;
    case RUN_DRAINING:
        drain(run, now_us);
        break;
    case RUN_OVER:
        break;
    }
    return run->phase != RUN_OVER;
}

uint64_t run_room(const struct run *run, int64_t now_us)
{
    uint64_t left = wanted(run, now_us);
    uint64_t max = run->options.under_way_max;
    if (max == 0) {
        return left;
    }
    uint64_t free = max > run->under_way ? max - run->under_way : 0;
    return left < free ? left : free;
}

int64_t run_due_us(const struct run *run, uint64_t skip, int64_t now_us)
{
    return run->options.rate > 0 ? pace_due_us(&run->pace, run->paced + skip) : now_us;
}

void run_begin(struct run *run, uint64_t events)
{
    run->paced += events;
    run->under_way += events;
    if (run->phase != RUN_WARMING) {
        run->measured_begun += events;
    }
}

void run_report(struct run *run, enum run_outcome outcome, uint64_t events, int64_t begun_us,
                int64_t now_us)
{
    if (run->phase == RUN_OVER) {
        return;
    }
    assert(events <= run->under_way);
    run->under_way -= events;
    run->counts[outcome] += events;
    bool warm = run->phase == RUN_MEASURING || run->phase == RUN_DRAINING;
    if (outcome == RUN_ACKED && warm && begun_us >= run->from.at_us) {
        histogram_add_many(&run->latency, now_us - begun_us, events);
    }
    if (count_is_begun(run) && run->under_way == 0) {
        run->to = mark_of(run, now_us);
    }
}

int64_t run_wait_us(const struct run *run, int64_t now_us)
{
    const struct run_options *options = &run->options;
    int64_t next_us = now_us + LOOK_US;
    int64_t end_us = next_us;
    if (run->phase == RUN_WARMING) {
        end_us = run->phase_us + us_of(options->warmup_seconds);
    } else if (run->phase == RUN_MEASURING && options->seconds > 0) {
        end_us = run->phase_us + us_of(options->seconds);
    }
    next_us = end_us < next_us ? end_us : next_us;
    bool paced = options->rate > 0 && run->phase != RUN_SETTLING && run->phase != RUN_DRAINING;
    bool full = options->under_way_max > 0 && run->under_way >= options->under_way_max;
    if (paced && !full && !count_is_begun(run)) {
        int64_t due_us = pace_due_us(&run->pace, run->paced);
        next_us = due_us < next_us ? due_us : next_us;
    }
    return next_us > now_us ? next_us - now_us : 0;
}

void run_abandon(struct run *run, int64_t now_us)
{
    if (run->phase == RUN_OVER) {
        return;
    }
    if (run->from.at_us == 0) { /* it was never warm */
        run->from = mark_of(run, now_us);
    }
    if (run->to.at_us == 0) {
        run->to = mark_of(run, now_us);
    }
    run->counts[RUN_UNKNOWN] += run->under_way;
    run->under_way = 0;
    run->phase = RUN_OVER;
}

void run_write(const struct run *run, struct mesh_buffer *out)
{
    uint64_t acked = run->to.acked - run->from.acked;
    uint64_t refused = run->counts[RUN_REFUSED];
    uint64_t unknown = run->counts[RUN_UNKNOWN];
    double seconds = (double)(run->to.at_us - run->from.at_us) / 1e6;
    double cpu_seconds = run->to.cpu_seconds - run->from.cpu_seconds;
    mesh_buffer_add_format(out,
                           "{\"acked\": %" PRIu64 ", \"stored\": %" PRIu64 ", \"failed\": %" PRIu64
                           ", \"refused\": %" PRIu64 ", \"unknown\": %" PRIu64
                           ", \"seconds\": %.6f, \"events_per_s\": %.1f, \"cpu_seconds\": %.6f"
                           ", \"cpu_us_per_event\": %.4f, ",
                           acked, run->counts[RUN_ACKED], refused + unknown, refused, unknown,
                           seconds, seconds > 0 ? (double)acked / seconds : 0, cpu_seconds,
                           acked > 0 ? 1e6 * cpu_seconds / (double)acked : 0);
    output_add_quantiles(out, "latency_ms", &run->latency);
    mesh_buffer_add_text(out, "}\n");
}

bool run_print(const struct run *run, struct mesh_error *err)
{
    struct mesh_buffer text = {0};
    run_write(run, &text);
    bool good = output_print(&text, err);
    mesh_buffer_done(&text);
    return good;
}

bool run_is_whole(const struct run *run, struct mesh_error *err)
{
    uint64_t refused = run->counts[RUN_REFUSED];
    uint64_t unknown = run->counts[RUN_UNKNOWN];
    if (refused + unknown > 0) {
        return mesh_fail(err, MESH_UNAVAILABLE,
                         "%" PRIu64 " events were refused; of %" PRIu64
                         " it is not known whether they are stored",
                         refused, unknown);
    }
    return true;
}
