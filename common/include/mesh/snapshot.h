/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot: the copy of a stream's counters that MongoDB keeps, for the day Redis loses them and
 * Kafka no longer has all records.
 *
 * One document per stream in the collection tweetmesh_snapshots:
 * {_id: stream, revision, taken_at: Date, topic, recounts, settled, total, fields: [name, value,
 * …]}
 *
 * In the library mesh-mongo. Threads: those of the client that the collection comes from. Every
 * call blocks for one answer of MongoDB.
 */
#ifndef MESH_SNAPSHOT_H
#define MESH_SNAPSHOT_H

#include "mesh/counters_copy.h"
#include "mesh/error.h"
#include "mesh/mongo.h"

#include <stdbool.h>
#include <stdint.h>

#define MESH_SNAPSHOT_COLLECTION "tweetmesh_snapshots"

/* For so long nothing from before a recount takes its place, however far it is. */
#define MESH_SNAPSHOT_RECOUNT_MS (INT64_C(10) * 60 * 1000)

/* Zeroed: none. */
struct mesh_snapshot {
    int64_t revision; /* 0: there is none */
    int64_t taken_at_ms;
    bool usable; /* .copy and .summary hold; false: there is none, or it is damaged */
    struct mesh_counters_copy copy;
    struct mesh_counters_summary summary;
};

/* The collection, read from the primary and written with w:majority; the caller destroys it. */
mongoc_collection_t *mesh_snapshot_collection(mongoc_client_t *client, const char *database,
                                              uint32_t timeout_ms);

/* Reads the snapshot of a stream. One that is damaged is no error: it has a revision and is not
 * usable. False: MongoDB does not answer. */
MESH_MUST_CHECK
bool mesh_snapshot_load(mongoc_collection_t *collection, const char *stream,
                        struct mesh_snapshot *out, struct mesh_error *err);
void mesh_snapshot_done(struct mesh_snapshot *snapshot);

/* Whether a copy may take the place of what is stored: it never goes back. */
bool mesh_snapshot_may_become(const struct mesh_snapshot *stored,
                              const struct mesh_counters_summary *next, int64_t now_ms);

struct mesh_snapshot_next {
    const char *stream;
    int64_t replaces; /* revision of what is there; 0: nothing is */
    int64_t taken_at_ms;
    const struct mesh_counters_copy *copy;
    const struct mesh_counters_summary *summary; /* of the copy */
};

/* Stores a copy, unless another revision is there by now: then it stores nothing and *out_stored
 * is false. False: MongoDB did not take it. */
MESH_MUST_CHECK
bool mesh_snapshot_store(mongoc_collection_t *collection, const struct mesh_snapshot_next *next,
                         bool *out_stored, struct mesh_error *err);

#endif
