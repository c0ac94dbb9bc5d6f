/* SPDX-License-Identifier: Apache-2.0 */
/*
 * findings: a stream on which all stores agree, for tests to change.
 */
#ifndef FINDINGS_H
#define FINDINGS_H

#include "compare.h"

static const char *const findings_groups[] = {"Guatemala", "Peru", "Unknown"};
static const struct mesh_stream findings_stream = {
    .name = "tweets", .group_names = findings_groups, .group_count = 3};

static inline struct findings findings_equal(void)
{
    const struct tally tally = {.total = 5, .groups = {3, 2}};

    return (struct findings){
        .stream = &findings_stream,
        .records = 7,
        .repeated = 1,
        .dead_letters = 1,
        .kafka = tally,
        .redis = tally,
        .shown = tally,
        .mongo = tally,
    };
}

#endif
