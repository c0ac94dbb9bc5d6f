/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path: one piece of an event's way, as it is counted: batch after batch of the same events.
 *
 * Each program lists its paths; main.c runs them and switches callgrind's counting on for work()
 * alone. Threads: the main one; what a path starts besides is not counted.
 */
#ifndef INSTRUCTIONS_PATH_H
#define INSTRUCTIONS_PATH_H

#include "corpus.h"

#include <stddef.h>
#include <stdlib.h>

#define PATH_BATCH_LEN 100 /* events of one round */
/* Rounds that no path is asked to go beyond: warm-up, counted, and those done once more. */
#define PATH_ROUND_COUNT_MAX 16

struct path {
    const char *name;
    void (*open)(const struct corpus *corpus);
    void (*prepare)(size_t round); /* NULL: there is nothing to prepare */
    void (*work)(size_t round);    /* counted: what becomes of PATH_BATCH_LEN events */
    void (*tidy)(size_t round);    /* NULL: nothing is left */
    void (*close)(void);           /* gives back all that open() made */
};

/* Of the program, ended by NULL. */
extern const struct path *const paths[];

/* Like assert(), but in every kind of build: what goes wrong must not be counted as quick. */
#define must(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
