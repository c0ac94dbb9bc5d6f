/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inserter: unordered bulk inserts, w: majority, through one connection of mongo-c-driver.
 *
 * Threads: one; a client without a pool has no other.
 */
#ifndef INSERTER_H
#define INSERTER_H

#include "documents.h"

struct inserter_options {
    const char *uri;
    const char *database;
    const char *collection;
};

struct inserter;

struct inserter_result {
    uint64_t inserted;
    double seconds;
    double cpu_seconds;
};

/* Connects; blocks at most about 10 s without a server. The caller owns the
 * result. NULL on failure, with *err filled in. */
MESH_MUST_CHECK
struct inserter *inserter_new(const struct inserter_options *options, struct mesh_error *err);
/* Inserts `count` documents, `batch` at a time. False, with *err filled in, as soon as one is not
 * stored; *out then tells of what was. */
MESH_MUST_CHECK
bool inserter_run(struct inserter *inserter, struct documents *documents, uint64_t count,
                  uint64_t batch, struct inserter_result *out, struct mesh_error *err);
/* Accepts NULL. */
void inserter_free(struct inserter *inserter);

#endif
