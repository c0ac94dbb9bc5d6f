/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ids: event ids that cost next to nothing: UUIDs of version 7 of which all share the time and
 * random bits of the first, and the last 48 bits count.
 *
 * Threads: one at a time.
 */
#ifndef BENCH_IDS_H
#define BENCH_IDS_H

#include "mesh/id.h"

#include <stdint.h>

struct ids {
    struct mesh_id base;
    uint64_t next;
};

/* No other process or moment gives the same ids: 26 bits are random, next to the millisecond. */
void ids_init(struct ids *ids);
/* Writes the next id's text, without a NUL. */
void ids_write(struct ids *ids, char out[static MESH_ID_LENGTH]);

#endif
