/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress: how far a long work is, on standard error, for people who wait.
 *
 * Threads: one.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *stream;
    const char *what; /* a constant; another one starts counting anew */
    uint64_t count;
    int64_t said_us;
    bool said;
};

void progress_start(struct progress *progress, const char *stream);
/* One more. Says so once a second at most. */
void progress_add(struct progress *progress, const char *what);
void progress_end(struct progress *progress);

#endif
