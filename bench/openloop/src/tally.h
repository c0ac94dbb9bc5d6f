/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tally: what became of the requests, and how long it took.
 *
 * Threads: one at a time. Plain values: all zero is an empty one.
 */
#ifndef OPENLOOP_TALLY_H
#define OPENLOOP_TALLY_H

#include "histogram.h"

#include <stdbool.h>
#include <stdint.h>

#define TALLY_STATUS_MAX 600
#define TALLY_SECONDS_MAX 4096

/* From when a request was due by its schedule, and from its first byte sent (or its connect()),
 * both to the last byte of the answer. */
struct tally_times {
    struct histogram since_due;
    struct histogram since_sent;
};

struct tally {
    uint64_t due;  /* by the schedule, so far */
    uint64_t sent; /* for the first time */
    uint64_t retried;
    uint64_t broken; /* connections that ended in the middle of a request */
    uint64_t connects;
    uint64_t unanswered;          /* when the time was over */
    uint64_t without_retry_after; /* 503s that do not say when to come again */
    uint64_t statuses[TALLY_STATUS_MAX];
    struct tally_times acked;   /* 202 */
    struct tally_times refused; /* 503 */
    uint32_t acked_by_second[TALLY_SECONDS_MAX];
    uint32_t refused_by_second[TALLY_SECONDS_MAX];
    uint32_t seconds; /* with an entry */
};

struct tally_answer {
    int status;
    bool retry_after;
    int64_t start_us; /* of the load; likewise below */
    int64_t due_us;
    int64_t sent_us;
    int64_t now_us;
};

void tally_add(struct tally *tally, const struct tally_answer *answer);

#endif
