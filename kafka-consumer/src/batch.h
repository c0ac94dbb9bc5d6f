/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch: the records in hand, and what became of each.
 *
 * Every step (archive, dead letters) works on the entries that still need it and may be called
 * again after a failure. Threads: the loop's.
 */
#ifndef BATCH_H
#define BATCH_H

#include "mesh/event.h"
#include "partition.h"

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum entry_state {
    ENTRY_INSERT,      /* to be inserted */
    ENTRY_LOOK_UP,     /* its id is in the archive, or should be: whose is it? */
    ENTRY_POISON,      /* no document: to the dead letters */
    ENTRY_ARCHIVED,    /* inserted; counts */
    ENTRY_REDELIVERED, /* it is the one that the archive holds; counts */
    ENTRY_REPEATED,    /* the archive holds the same event from another offset; does not count */
    ENTRY_DEAD,        /* in the dead letter topic; does not count */
};

struct entry {
    rd_kafka_message_t *message; /* owned */
    struct partition *partition; /* NULL: taken away meanwhile, leave it alone */
    const char *reason;          /* of poison; a constant */
    struct mesh_record record;   /* record.doc is NULL for poison */
    enum entry_state state;
    int32_t server_code; /* of poison that MongoDB refused, else 0 */
};

struct batch {
    struct entry *entries;
    size_t count;
    size_t capacity;
    size_t bytes; /* of all values */
};

void batch_init(struct batch *batch, size_t capacity);
void batch_done(struct batch *batch);
/* Takes a message over and reads its value. The batch must not be full. */
void batch_add_take(struct batch *batch, struct partition *partition, rd_kafka_message_t *message);
/* Forgets the entries of a partition that is not ours any more. */
void batch_forget(struct batch *batch, const struct partition *partition);
/* Whether any entry that is still ours has this state. */
bool batch_has(const struct batch *batch, enum entry_state state);
/* Gives the messages back and empties it. */
void batch_clear(struct batch *batch);

/* Marks an entry as undeliverable. */
void entry_set_poison(struct entry *entry, const char *reason, int32_t server_code);

#endif
