/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gather: whether a message waits for the crowd.
 *
 * Clients that were answered together come back together. If the first of them left in a message of
 * its own, all others would wait for its reply: two messages where one would do, and a message
 * costs the programs behind it about as much as twelve events. So after a reply the next message
 * waits until as many requests are here as were answered and waiting then: the crowd.
 *
 * That is right for clients that send when they are answered, and wrong for those that send at
 * times of their own: of these more are here the longer a message waits, so that each crowd is
 * larger than the last, until one does not come in time. When that happens a few times in a row,
 * no message waits for a while, and for twice as long each time.
 *
 * No lock and no clock: times are passed in, in microseconds of the monotonic clock.
 */
#ifndef API_GATHER_H
#define API_GATHER_H

#include <stddef.h>
#include <stdint.h>

/* A smaller one saves too little. */
#define GATHER_CROWD_MIN 8
/* A message waits two round trips at most, each taken as no longer than this. */
#define GATHER_ROUND_US_MAX INT64_C(1000)
#define GATHER_REST_US_MIN 250000
#define GATHER_REST_US_MAX 8000000

/* All zero: nothing was seen yet. */
struct gather {
    int64_t round_us;   /* of the last messages, on average */
    size_t crowd;       /* whom the next message waits for; 0: nobody */
    int64_t since_us;   /* when the crowd was answered */
    int64_t arrived_us; /* when the last request came */
    unsigned missed;    /* crowds in a row that did not come */
    unsigned came;      /* crowds in a row that did */
    int64_t rest_us;    /* the last rest's length; 0: none lately */
    int64_t rest_until_us;
};

/* A request came. */
void gather_arrived(struct gather *gather, int64_t now_us);
/* A reply ended so many requests, and no message is on its way; so many wait for the next one. */
void gather_replied(struct gather *gather, size_t answered, size_t waiting, int64_t round_us,
                    int64_t now_us);
/* Until when a message of so many requests waits; 0: it does not. */
int64_t gather_until_us(const struct gather *gather, size_t waiting);
/* A message of so many requests leaves, of which the first came at first_us. Returns for how long
 * it has waited for the crowd. */
int64_t gather_left(struct gather *gather, size_t count, int64_t first_us, int64_t now_us);

#endif
