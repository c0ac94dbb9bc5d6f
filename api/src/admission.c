/* SPDX-License-Identifier: Apache-2.0 */
#include "admission.h"

#include <stdbool.h>

/* An event that has waited for this part of wait_us shows that there is a queue. */
#define CROWDED_PART 4
/* At each look so much of the capacity is forgotten: half of it within about wait_us. */
#define FORGOTTEN_PART 16
/* Taken for stored within wait_us before anything is known: Kafka's first moments are slow. */
#define CAPACITY_FIRST 10000

static size_t clamp(uint64_t value, size_t min, size_t max)
{
    return value < min ? min : value > max ? max : (size_t)value;
}

void admission_init(struct admission *admission, int64_t wait_us, size_t events_max, int64_t now_us)
{
    *admission = (struct admission){.wait_us = wait_us, .events_max = events_max};
    for (size_t i = 0; i < ADMISSION_LOOKS; i++) {
        admission->looks[i].now_us = now_us;
    }
    admission->capacity = CAPACITY_FIRST < events_max ? CAPACITY_FIRST : events_max;
    atomic_init(&admission->limit, events_max);
    atomic_init(&admission->come_back, 1);
}

void admission_look(struct admission *admission, const struct admission_look *look)
{
    struct admission_look *then = &admission->looks[admission->oldest];
    int64_t span_us = look->now_us - then->now_us;
    if (span_us <= 0) {
        return;
    }
    uint64_t stored = look->stored - then->stored;
    uint64_t refused = look->refused - then->refused;
    *then = *look;
    admission->oldest = (admission->oldest + 1) % ADMISSION_LOOKS;

    bool crowded = look->waiting_us > admission->wait_us / CROWDED_PART;
    admission->crowded_looks = crowded ? admission->crowded_looks + 1 : 0;
    if (admission->crowded_looks == 1 && look->in_flight > admission->capacity) {
        admission->capacity = look->in_flight;
    }
    /* Kafka acknowledges in lumps, and a broker that stalls for a moment is not slow: so what was
     * once seen is forgotten by and by, and a new queue is watched for as long as events may wait
     * before anything is. */
    bool young = crowded && admission->crowded_looks <= ADMISSION_LOOKS;
    size_t forgotten = young ? 0 : admission->capacity / FORGOTTEN_PART;
    double seen = (double)stored * (double)admission->wait_us / (double)span_us;
    admission->capacity =
        clamp((uint64_t)seen, admission->capacity - forgotten, admission->events_max);

    size_t limit = crowded ? clamp(admission->capacity, ADMISSION_EVENTS_MIN, admission->events_max)
                           : admission->events_max;
    atomic_store_explicit(&admission->limit, limit, memory_order_relaxed);
    uint64_t come_back = 1 + refused / (stored + 1);
    atomic_store_explicit(&admission->come_back,
                          (unsigned)clamp(come_back, 1, ADMISSION_RETRY_AFTER_S_MAX),
                          memory_order_relaxed);
}
