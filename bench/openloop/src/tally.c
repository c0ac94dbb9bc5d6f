/* SPDX-License-Identifier: Apache-2.0 */
#include "tally.h"

static void times_add(struct tally_times *times, const struct tally_answer *answer)
{
    histogram_add(&times->since_due, answer->now_us - answer->due_us);
    histogram_add(&times->since_sent, answer->now_us - answer->sent_us);
}

void tally_add(struct tally *tally, const struct tally_answer *answer)
{
    uint64_t second = (uint64_t)(answer->now_us - answer->start_us) / 1000000;
    if (second >= TALLY_SECONDS_MAX) {
        second = TALLY_SECONDS_MAX - 1;
    }
    if (second >= tally->seconds) {
        tally->seconds = (uint32_t)second + 1;
    }
    tally->statuses[answer->status]++;
    if (answer->status == 202) {
        times_add(&tally->acked, answer);
        tally->acked_by_second[second]++;
    } else if (answer->status == 503) {
        times_add(&tally->refused, answer);
        tally->refused_by_second[second]++;
        tally->without_retry_after += !answer->retry_after;
    }
}
