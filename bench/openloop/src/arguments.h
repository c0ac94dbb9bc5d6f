/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arguments: the command line.
 *
 * Threads: main().
 */
#ifndef OPENLOOP_ARGUMENTS_H
#define OPENLOOP_ARGUMENTS_H

#include "load.h"

#include <stdbool.h>

struct arguments {
    const char *bodies;
    const char *path;
    const char *key; /* NULL: none */
    struct load_options load;
};

enum arguments_outcome { ARGUMENTS_RUN, ARGUMENTS_HELP, ARGUMENTS_WRONG };

/* Says on stderr what is wrong. Texts are argv's. */
enum arguments_outcome arguments_read(int argc, char **argv, struct arguments *out);

#endif
