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
    struct mesh_record record;   /* without its doc; all zero where it could not be read */
    size_t document;             /* place and size of its BSON in the batch's documents; */
    size_t document_size;        /* 0: there is none */
    enum entry_state state;
    int32_t server_code; /* of poison that MongoDB refused, else 0 */
    bool readable;       /* .record holds */
};

struct batch {
    struct entry *entries;
    size_t count;
    size_t capacity;
    size_t bytes; /* of all values */
    struct mesh_buffer documents;
    void *scratch; /* where a record's JSON is taken apart */
};

void batch_init(struct batch *batch, size_t capacity);
void batch_done(struct batch *batch);
/* Takes a message over, reads its value and writes its document. The batch must not be full. */
void batch_add_take(struct batch *batch, struct partition *partition, rd_kafka_message_t *message);
/* Forgets the entries of a partition that is not ours any more. */
void batch_forget(struct batch *batch, const struct partition *partition);
/* Whether any entry that is still ours has this state. */
bool batch_has(const struct batch *batch, enum entry_state state);
/* What MongoDB is to store of an entry that has a document; good until the batch is added to. */
struct mesh_bytes batch_document(const struct batch *batch, const struct entry *entry);
/* Gives the messages back and empties it. */
void batch_clear(struct batch *batch);
/* Frees what an empty batch keeps for the next. */
void batch_tidy(struct batch *batch);

/* Marks an entry as undeliverable. */
void entry_set_poison(struct entry *entry, const char *reason, int32_t server_code);

#endif
