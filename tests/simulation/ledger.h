/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger: what clients sent, what they were told, what is in Kafka, in the archive and among the
 * dead letters; and the promises that can be checked as soon as something is written down.
 *
 * Threads: one.
 */
#ifndef SIMULATION_LEDGER_H
#define SIMULATION_LEDGER_H

#include "mesh/bytes.h"
#include "mesh/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PARTITION_COUNT = 2, GROUP_COUNT = 4, EVENT_COUNT_MAX = 512, SENDING_COUNT_MAX = 1024 };

extern const char *const ledger_groups[GROUP_COUNT];

/* What a client knows of one event of one attempt. */
enum outcome { OUTCOME_NONE, OUTCOME_STORED, OUTCOME_NOT_STORED, OUTCOME_UNKNOWN };

struct ledger_event {
    uint8_t group;
    bool acknowledged;
    bool refused;                /* by MongoDB, which makes it a dead letter */
    size_t records;              /* in Kafka */
    char id[MESH_ID_LENGTH + 1]; /* as first seen in Kafka; "" before */
};

/* One event in one attempt to send it. */
struct sending {
    size_t event;
    enum outcome outcome;
    size_t records; /* that came of it */
};

struct record {
    int64_t offset;
    struct mesh_bytes value;
    size_t event; /* EVENT_COUNT_MAX: poison */
    char traceparent[64];
    bool letter; /* is among the dead letters */
};

struct ledger_partition {
    struct record *records; /* by offset, with holes */
    size_t count;
    size_t capacity;
    int64_t end;       /* of the log */
    int64_t settled;   /* the highest watermark that was ever seen, which is checked so far */
    size_t checked;    /* records below .settled */
    int64_t committed; /* by the consumers' group; -1: nothing */
};

struct document {
    char id[MESH_ID_LENGTH + 1];
    size_t event;
    int32_t partition;
    int64_t offset;
};

struct ledger {
    struct ledger_event events[EVENT_COUNT_MAX];
    size_t event_count;
    struct sending sendings[SENDING_COUNT_MAX];
    size_t sending_count;
    struct ledger_partition partitions[PARTITION_COUNT];
    size_t records_of[GROUP_COUNT]; /* in Kafka, the same event perhaps more than once */
    struct document documents[EVENT_COUNT_MAX];
    size_t document_count;
};

extern struct ledger ledger;

void ledger_start(void);
/* Memory of this schedule. */
void *ledger_memory(size_t size);

/* A client makes an event up; the text it sends is "event <number>". Returns the number. */
size_t ledger_event_new(uint8_t group, bool refused);
/* The first sending of an attempt is also what its traceparent says. Returns its number. */
size_t ledger_send(size_t event);
void ledger_told(size_t sending, enum outcome outcome, int64_t partition, int64_t offset);

/* Kafka writes a record down; returns its offset. The value is copied. */
int64_t ledger_append(int32_t partition, struct mesh_bytes value, const char *traceparent);
void ledger_append_hole(int32_t partition, int64_t size);
/* Whether a record is to become a dead letter. */
bool ledger_is_poison(const struct record *record);
/* The first record at or above the offset; NULL: there is none. */
struct record *ledger_record(int32_t partition, int64_t offset);

/* The event's number that a text member holds; EVENT_COUNT_MAX: none of ours. */
size_t ledger_event_of(struct mesh_bytes text);
struct document *ledger_document(const char *id);
void ledger_archive(const struct document *document, const char *kind);

/* Redis says: everything below is settled. */
void ledger_settled(int32_t partition, int64_t watermark);
void ledger_commit(int32_t partition, int64_t offset);
/* All is healed and at rest. */
void ledger_check_end(void);

#endif
