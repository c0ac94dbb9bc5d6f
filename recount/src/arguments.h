/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arguments: recount's command line.
 *
 * Threads: main.
 */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include "mesh/error.h"

#include <stdbool.h>

#define ARGUMENTS_USAGE                                                                            \
    "  --stream NAME     rebuild the counters of this stream only\n"                               \
    "  --from SOURCE     kafka: the log, which must be whole; mongodb: the archive; auto\n"        \
    "                    (default): the log, and the archive for what the log has lost\n"          \
    "  --new-topic       the counters in Redis are of another topic: replace them, from the log\n" \
    "  --json            print one JSON object instead of a line per stream\n"                     \
    "Exit code: 0 rebuilt, 2 could not; standard error says why.\n"

enum arguments_source { SOURCE_AUTO, SOURCE_KAFKA, SOURCE_MONGODB };

struct arguments {
    const char *stream; /* points into argv; NULL: all */
    enum arguments_source source;
    bool new_topic;
    bool json;
};

/* False: *err says which argument is wrong. */
MESH_MUST_CHECK
bool arguments_read(int argc, char **argv, struct arguments *out, struct mesh_error *err);

#endif
