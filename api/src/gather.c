/* SPDX-License-Identifier: Apache-2.0 */
#include "gather.h"

#include <stdbool.h>

#define MISSED_MAX 3     /* crowds in a row; then nobody is waited for for a while */
#define CAME_FOR_GOOD 64 /* crowds in a row; then rests are short again */
/* The average moves by an eighth of what is new, as TCP's of its round trips (RFC 6298). */
#define ROUND_WEIGHT 8
/* With n waiting and m missing, the next one may cost n waits, and m round trips are saved. Those
 * who come last make the crowd whole, so a little more is worth it. */
#define GAP_FACTOR 4

void gather_arrived(struct gather *gather, int64_t now_us)
{
    gather->arrived_us = now_us;
}

static void see_round(struct gather *gather, int64_t round_us)
{
    round_us = round_us < GATHER_ROUND_US_MAX ? round_us : GATHER_ROUND_US_MAX;
    gather->round_us = gather->round_us == 0
                           ? round_us
                           : gather->round_us + (round_us - gather->round_us) / ROUND_WEIGHT;
}

void gather_replied(struct gather *gather, size_t answered, size_t waiting, int64_t round_us,
                    int64_t now_us)
{
    size_t crowd = answered + waiting;
    /* Where nobody was answered, nobody comes back, and nobody's thread wakes to end the wait. */
    bool waits = answered > 0 && crowd >= GATHER_CROWD_MIN && now_us >= gather->rest_until_us;

    see_round(gather, round_us);
    gather->crowd = waits ? crowd : 0;
    gather->since_us = now_us;
}

int64_t gather_until_us(const struct gather *gather, size_t waiting)
{
    if (waiting >= gather->crowd) {
        return 0;
    }
    size_t missing = gather->crowd - waiting;
    int64_t gap_us = GAP_FACTOR * gather->round_us * (int64_t)missing / ((int64_t)waiting + 1);
    gap_us = gap_us < gather->round_us ? gap_us : gather->round_us;
    int64_t last_us = gather->arrived_us > gather->since_us ? gather->arrived_us : gather->since_us;
    int64_t end_us = gather->since_us + 2 * gather->round_us;
    return last_us + gap_us < end_us ? last_us + gap_us : end_us;
}

static void rest(struct gather *gather, int64_t now_us)
{
    int64_t rest_us = gather->rest_us * 2;

    rest_us = rest_us < GATHER_REST_US_MIN ? GATHER_REST_US_MIN : rest_us;
    rest_us = rest_us > GATHER_REST_US_MAX ? GATHER_REST_US_MAX : rest_us;
    gather->rest_us = rest_us;
    gather->rest_until_us = now_us + rest_us;
    gather->missed = 0;
}

static void judge(struct gather *gather, size_t count, int64_t now_us)
{
    bool came = count >= gather->crowd - gather->crowd / 8;

    gather->missed = came ? 0 : gather->missed + 1;
    gather->came = came ? gather->came + 1 : 0;
    if (gather->missed == MISSED_MAX) {
        rest(gather, now_us);
    } else if (gather->came == CAME_FOR_GOOD) {
        gather->rest_us = 0;
    }
}

int64_t gather_left(struct gather *gather, size_t count, int64_t first_us, int64_t now_us)
{
    if (gather->crowd == 0) {
        return 0;
    }
    int64_t waited_us = now_us - (first_us > gather->since_us ? first_us : gather->since_us);
    judge(gather, count, now_us);
    gather->crowd = 0;
    return waited_us;
}
