/* SPDX-License-Identifier: Apache-2.0 */
/*
 * insert_reply: understands what MongoDB answers to an unordered bulk insert.
 *
 * Threads: any; plain values.
 */
#ifndef INSERT_REPLY_H
#define INSERT_REPLY_H

#include "batch.h"

#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>

/* Whether the reply accounts for every document: a majority stored it, or it has an error of its
 * own. If not, nothing is known about any of them. */
bool insert_reply_is_whole(const bson_t *reply, size_t count);
/* What became of the entries, in the order in which they were sent: ARCHIVED, LOOK_UP (its id was
 * there), POISON (refused), or still INSERT (the server could not just now). */
void insert_reply_read(struct entry **entries, size_t count, const bson_t *reply);

#endif
