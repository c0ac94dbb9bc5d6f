/* SPDX-License-Identifier: Apache-2.0 */
#include "pause.h"

#include "mesh/clock.h"

#define FIRST_US INT64_C(100000)
#define LAST_US INT64_C(1000000)

void pause_longer(struct pause *pause)
{
    int64_t now = mesh_clock_mono_us();

    pause->length_us = pause->length_us == 0 ? FIRST_US : pause->length_us * 2;
    if (pause->length_us > LAST_US) {
        pause->length_us = LAST_US;
    }
    /* Three quarters to all of it; the clock's last digits are random enough for that. */
    pause->until_us = now + pause->length_us - now % (pause->length_us / 4);
}

void pause_reset(struct pause *pause)
{
    *pause = (struct pause){0};
}

bool pause_is_on(const struct pause *pause)
{
    return mesh_clock_mono_us() < pause->until_us;
}

uint32_t pause_left_ms(const struct pause *pause)
{
    int64_t left = pause->until_us - mesh_clock_mono_us();

    return left <= 0 ? 0 : (uint32_t)((left + 999) / 1000);
}
