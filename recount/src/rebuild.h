/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rebuild: counts a stream anew and puts the result in the place of its counters, while traffic
 * goes on: cut → count → snapshot → install.
 *
 * The new state is as if Redis had been set back to the cut; the consumers notice and settle from
 * there. It is stored in MongoDB first, so that no consumer puts an older snapshot over it.
 * Threads: main. Blocks until all is done.
 */
#ifndef REBUILD_H
#define REBUILD_H

#include "arguments.h"
#include "config.h"
#include "mesh/error.h"
#include "mesh/stream.h"

#include <stdbool.h>
#include <stdint.h>

struct rebuilder;

struct rebuilt {
    const struct mesh_stream *stream;
    const char *source;       /* what was counted from */
    uint64_t total;           /* events below the cut */
    uint64_t settled;         /* offsets below the cut */
    uint64_t duplicates;      /* of these: the event is counted at another offset */
    uint64_t not_counted;     /* of these: no event */
    uint64_t archived_before; /* events that only the archive has any more */
    bool had_total;           /* .total_before holds; false: there were no counters, or no number */
    uint64_t total_before;
    int64_t took_ms;
};

/* Connects to all three. config: kept. The caller owns the result. NULL: one cannot be reached. */
MESH_MUST_CHECK
struct rebuilder *rebuilder_new(const struct config *config, struct mesh_error *err);
/* False: nothing was changed in Redis; *err says why. */
MESH_MUST_CHECK
bool rebuild_stream(struct rebuilder *rebuilder, const struct mesh_stream *stream,
                    const struct arguments *arguments, struct rebuilt *out, struct mesh_error *err);
/* Accepts NULL. */
void rebuilder_free(struct rebuilder *rebuilder);

#endif
