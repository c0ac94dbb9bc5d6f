/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lookup: asks the archive which record an event was archived from.
 *
 * By one find for many ids, or one at a time: a server that scans the collection for everything but
 * equality on _id (FerretDB) is far faster so.
 * Threads: the client's. Blocks for the answers.
 */
#ifndef LOOKUP_H
#define LOOKUP_H

#include "batch.h"
#include "mesh/error.h"

#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <stddef.h>

/* Ids in one find. */
enum { LOOKUP_LEN_MAX = 1000 };

/* Asks the server whether it looks many ids up faster one at a time. False: it does not answer. */
MESH_MUST_CHECK
bool lookup_learn(mongoc_client_t *client, bool *out_alone, struct mesh_error *err);

/* Brings `count` entries, up to LOOKUP_LEN_MAX of the collection's topic and all LOOK_UP, to
 * REDELIVERED or REPEATED, or to INSERT where the archive has none. The entries are sorted. False:
 * they stay. */
MESH_MUST_CHECK
bool lookup(mongoc_collection_t *collection, struct entry **entries, size_t count,
            struct mesh_error *err);

#endif
