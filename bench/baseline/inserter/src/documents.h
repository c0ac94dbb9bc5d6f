/* SPDX-License-Identifier: Apache-2.0 */
/*
 * documents: what kafka-consumer would archive of each line of a file, without its work: all that
 * can be written before the clock runs is.
 *
 * Threads: one at a time.
 */
#ifndef DOCUMENTS_H
#define DOCUMENTS_H

#include "lines.h"

#include <bson/bson.h>

struct documents;

/* Each line is a JSON object: an event, with or without what Kafka's record adds to it. The caller
 * owns the result. NULL on failure, with *err filled in (INVALID_ARGUMENT). */
MESH_MUST_CHECK
struct documents *documents_new(const struct lines *lines, struct mesh_error *err);
/* Writes document `number` of line `number` (round and round), with an id that no other has, into
 * *out (initialised; what it held is gone). */
void documents_write(struct documents *documents, uint64_t number, bson_t *out);
/* Accepts NULL. */
void documents_free(struct documents *documents);

#endif
