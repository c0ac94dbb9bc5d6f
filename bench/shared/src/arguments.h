/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arguments: a command line of long options, as one table for each program.
 *
 * Threads: main().
 */
#ifndef BENCH_ARGUMENTS_H
#define BENCH_ARGUMENTS_H

#include "mesh/macros.h"

#include <stdbool.h>
#include <stddef.h>

#define ARGUMENTS_MAX 30 /* rows of a table */

enum argument_type {
    ARGUMENT_TEXT,   /* const char *, which is argv's */
    ARGUMENT_NUMBER, /* double */
    ARGUMENT_COUNT,  /* uint64_t */
    ARGUMENT_FLAG    /* bool; the option has no value */
};

struct argument {
    const char *name; /* without the dashes */
    enum argument_type type;
    bool needed;
    size_t offset;    /* of its field in what arguments_read() fills */
    double min;       /* of a number or a count; likewise below */
    double max;       /* at most 2^53 */
    const char *help; /* with the default, if there is one */
};

struct arguments_spec {
    const char *program;
    const char *summary; /* a sentence or more */
    const struct argument *table;
    size_t count;
};

#define ARGUMENTS_GOOD (-1)
#define ARGUMENTS_WRONG 2

/* Fills the fields of the options that are given; the others keep what they hold. ARGUMENTS_GOOD,
 * or the code to exit with: 0 after --help, ARGUMENTS_WRONG after one line on stderr. */
MESH_MUST_CHECK
int arguments_read(const struct arguments_spec *spec, int argc, char **argv, void *out);

#endif
