/* SPDX-License-Identifier: Apache-2.0 */
#include "pace.h"

uint64_t pace_due(const struct pace *pace, int64_t now_us)
{
    return now_us <= pace->start_us
               ? 0
               : (uint64_t)((double)(now_us - pace->start_us) * pace->per_s / 1e6);
}

int64_t pace_due_us(const struct pace *pace, uint64_t index)
{
    return pace->start_us + (int64_t)((double)(index + 1) * 1e6 / pace->per_s);
}
