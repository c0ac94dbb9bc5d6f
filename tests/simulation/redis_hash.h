/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_hash: hashes in memory, with every write command remembered so that it can be undone.
 *
 * Threads: one.
 */
#ifndef SIMULATION_REDIS_HASH_H
#define SIMULATION_REDIS_HASH_H

#include "mesh/bytes.h"

#include <stdbool.h>
#include <stddef.h>

/* Empty, and nothing to undo. */
void redis_hash_start(void);
/* NULL: there is none. */
const struct mesh_bytes *redis_hash_get(struct mesh_bytes key, struct mesh_bytes name);
/* The n-th field; NULL: there are fewer. */
const struct mesh_bytes *redis_hash_at(struct mesh_bytes key, size_t index,
                                       struct mesh_bytes *out_name);
/* A write command begins; the fields that are set (value.data NULL: dropped) until the next one
 * belong to it. */
void redis_hash_write(void);
void redis_hash_set(struct mesh_bytes key, struct mesh_bytes name, struct mesh_bytes value);
/* Drops a whole hash, or puts it in the place of another. */
void redis_hash_drop(struct mesh_bytes key);
void redis_hash_rename(struct mesh_bytes from, struct mesh_bytes to);
size_t redis_hash_length(struct mesh_bytes key);
/* Write commands since the start. */
size_t redis_hash_writes(void);
/* Takes the last `writes` of them back. */
void redis_hash_undo(size_t writes);

/* Called with every field that is set; by redis_store. */
void redis_hash_written(struct mesh_bytes key, struct mesh_bytes name, struct mesh_bytes value);

#endif
