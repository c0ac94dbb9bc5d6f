/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshots: copies of the counters in MongoDB: taken every now and then, put back when Redis has
 * lost them.
 *
 * Who reads partition 0 of a topic takes its stream's snapshot; whoever finds Redis set back puts
 * it back. Threads: the loop's. Blocks for some answers of MongoDB and Redis.
 */
#ifndef SNAPSHOTS_H
#define SNAPSHOTS_H

#include "mesh/error.h"
#include "partition.h"
#include "settle.h"

#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct snapshots;

enum snapshots_outcome {
    SNAPSHOTS_KNOWN, /* nothing to put back, or it was put back */
    SNAPSHOTS_NO_MONGODB,
    SNAPSHOTS_NO_REDIS, /* or it refuses to write */
};

struct snapshots_options {
    mongoc_client_t *client; /* kept, as is all */
    const char *database;    /* kept */
    uint32_t timeout_ms;     /* MongoDB's, for w:majority */
    uint64_t interval_ms;    /* 0: none are taken; those that are there are put back */
    struct settle *settle;
    struct topic *topics;
    size_t topic_count;
};

/* Calls no server. The caller owns the result. */
struct snapshots *snapshots_new(const struct snapshots_options *options);

/* Goes on with another client, before the old one is gone; NULL: there is none. */
void snapshots_follow(struct snapshots *snapshots, mongoc_client_t *client);

/* Takes those that are due; with `all` every one that is ours to take. Failures are logged and
 * tried again when the next is due. Only while MongoDB answers. */
void snapshots_take(struct snapshots *snapshots, bool all);
/* When the next may be due; INT64_MAX: never. Monotonic. */
int64_t snapshots_due_us(const struct snapshots *snapshots);
/* Redis has settled a partition only up to *watermark: puts the snapshot back if that is further,
 * and says in *watermark where it is now. Where a server is away nothing is known: ask again. *err
 * is filled in for NO_MONGODB. */
enum snapshots_outcome snapshots_restore(struct snapshots *snapshots, struct partition *partition,
                                         int64_t *watermark, struct mesh_error *err);

/* Accepts NULL. */
void snapshots_free(struct snapshots *snapshots);

#endif
