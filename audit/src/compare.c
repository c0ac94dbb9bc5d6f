/* SPDX-License-Identifier: Apache-2.0 */
#include "compare.h"

#include <stdio.h>

void compare_stray(struct strays *strays, const char *id)
{
    if (strays->count < STRAY_NAMED_MAX) {
        (void)snprintf(strays->ids[strays->count], STRAY_ID_SIZE, "%s", id);
    }
    strays->count++;
}

size_t compare_named(const struct strays *strays)
{
    return strays->count < STRAY_NAMED_MAX ? (size_t)strays->count : STRAY_NAMED_MAX;
}

static uint64_t count_of(const struct findings *findings, const struct tally *tally, size_t group)
{
    return group < findings->stream->group_count ? tally->groups[group] : tally->foreign;
}

bool compare_group(const struct findings *findings, size_t group)
{
    uint64_t kafka = count_of(findings, &findings->kafka, group);

    return count_of(findings, &findings->redis, group) == kafka &&
           count_of(findings, &findings->shown, group) == kafka &&
           count_of(findings, &findings->mongo, group) == kafka;
}

size_t compare_differing(const struct findings *findings)
{
    size_t count = 0;

    for (size_t group = 0; group <= findings->stream->group_count; group++) {
        count += compare_group(findings, group) ? 0 : 1;
    }
    return count;
}

bool compare_equal(const struct findings *findings)
{
    uint64_t total = findings->kafka.total;

    return compare_differing(findings) == 0 && findings->redis.total == total &&
           findings->shown.total == total && findings->mongo.total == total &&
           findings->missing.count == 0 && findings->foreign.count == 0 &&
           findings->unsettled == 0 && findings->undeliverable == 0;
}
