/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admission: how many events may be in flight, so that a new one is not answered too late.
 *
 * Full queues make every answer late, and what comes after its deadline was work in vain. So while
 * events wait long, no more are let in than were stored within wait_us of late: then a new one is
 * expected to be answered within about that time. While none waits long, nothing is held back; and
 * a queue that has just formed may first stay as long as it is, because too little is known of how
 * fast it moves. So a burst from rest is taken.
 *
 * Threads: admission_look() from one at a time; the two atomics from any.
 */
#ifndef API_ADMISSION_H
#define API_ADMISSION_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define ADMISSION_LOOKS 10             /* within wait_us */
#define ADMISSION_EVENTS_MIN 100       /* always let in; what stalls is not slow yet */
#define ADMISSION_RETRY_AFTER_S_MAX 10 /* told to clients */

/* What was seen at some moment; both counts since the start. */
struct admission_look {
    int64_t now_us;
    uint64_t stored;    /* events */
    uint64_t refused;   /* requests, by this limit */
    size_t in_flight;   /* events without an answer */
    int64_t waiting_us; /* how long the oldest of them has waited; 0: there is none */
};

struct admission {
    int64_t wait_us;
    size_t events_max;
    struct admission_look looks[ADMISSION_LOOKS]; /* a ring */
    size_t oldest;
    size_t capacity;       /* the most that was stored within wait_us, lately */
    size_t crowded_looks;  /* in a row, up to the last one */
    atomic_size_t limit;   /* events in flight at which no more are let in */
    atomic_uint come_back; /* refused requests may come back within 1 to so many seconds */
};

void admission_init(struct admission *admission, int64_t wait_us, size_t events_max,
                    int64_t now_us);
/* To be called every wait_us / ADMISSION_LOOKS; later does no harm. */
void admission_look(struct admission *admission, const struct admission_look *look);

#endif
