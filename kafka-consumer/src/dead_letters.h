/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dead_letters: records that can be no document go to `<topic>.dlq` as they are, with headers that
 * say why (error) and where from (topic, partition, offset).
 *
 * Threads: the loop's. The producer is made when the first poison comes.
 * Blocks: dead_letters_send() up to some seconds.
 */
#ifndef DEAD_LETTERS_H
#define DEAD_LETTERS_H

#include "batch.h"
#include "mesh/error.h"

#include <stdbool.h>

struct dead_letters;

/* brokers: kept, must live as long as the result, which the caller owns. */
struct dead_letters *dead_letters_new(const char *brokers);

/* Sends the POISON entries and waits until all in-sync replicas have them; those are DEAD then.
 * False: some are not; call again. A letter may arrive twice, never not at all. */
MESH_MUST_CHECK
bool dead_letters_send(struct dead_letters *letters, struct batch *batch, struct mesh_error *err);

/* Accepts NULL. */
void dead_letters_free(struct dead_letters *letters);

#endif
