/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arguments: audit's command line.
 *
 * Threads: main.
 */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include "mesh/error.h"

#include <stdbool.h>
#include <stdint.h>

#define ARGUMENTS_USAGE                                                                            \
    "  --json            print one JSON object instead of a table\n"                               \
    "  --groups          print every group, not only those that differ\n"                          \
    "  --stream NAME     look at this stream only\n"                                               \
    "  --wait SECONDS    until then, wait for the consumer to catch up\n"                          \
    "Exit code: 0 equal, 1 different, 2 could not look.\n"

struct arguments {
    bool json;
    bool groups;
    const char *stream; /* points into argv; NULL: all */
    uint32_t wait_s;
};

/* False: *err says which argument is wrong. */
MESH_MUST_CHECK
bool arguments_read(int argc, char **argv, struct arguments *out, struct mesh_error *err);

#endif
