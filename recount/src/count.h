/* SPDX-License-Identifier: Apache-2.0 */
/*
 * count: reads the log and the archive, and says how many events there are below a cut.
 *
 * Threads: main. Blocks until all is read; says on standard error how far it is.
 */
#ifndef COUNT_H
#define COUNT_H

#include "arguments.h"
#include "cut.h"
#include "mesh/error.h"
#include "mesh/stream.h"
#include "tally.h"

#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <stdint.h>

struct count_options {
    const struct mesh_stream *stream;
    const struct cut *cut;
    struct log_reader *reader;
    mongoc_client_t *client;
    const char *database;
    enum arguments_source source;
    bool new_topic; /* the archive's documents may be of another topic: only doubts are asked of it
                     */
    size_t bytes_max;
};

struct count_result {
    struct tally_counts counts;
    uint64_t not_counted; /* offsets below the cut that are known to hold no event */
    const char *source;   /* what was counted from */
};

MESH_MUST_CHECK
bool count_events(const struct count_options *options, struct count_result *out,
                  struct mesh_error *err);

#endif
