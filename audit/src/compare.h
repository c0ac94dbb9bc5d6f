/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compare: what each store holds of a stream, side by side.
 *
 * Threads: any; plain values.
 */
#ifndef COMPARE_H
#define COMPARE_H

#include "mesh/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Events per group, as one store has them. */
struct tally {
    uint64_t total;
    uint64_t groups[MESH_GROUP_COUNT_MAX];
    uint64_t foreign; /* in groups that the stream file does not know */
};

enum { STRAY_NAMED_MAX = 10, STRAY_ID_SIZE = 64 };

/* Ids that only one of log and archive has; the first of them by name. */
struct strays {
    uint64_t count;
    char ids[STRAY_NAMED_MAX][STRAY_ID_SIZE];
};

struct findings {
    const struct mesh_stream *stream;
    uint64_t records;       /* in Kafka */
    uint64_t repeated;      /* of these: another record of the same event came before */
    uint64_t dead_letters;  /* of these: in the dead letter topic */
    uint64_t undeliverable; /* of these: unreadable and not in the dead letter topic */
    uint64_t unsettled;     /* offsets that Redis has not settled */
    uint64_t before_log;    /* events of which Kafka has dropped the record; the archive has them */
    struct tally kafka;     /* distinct events; with those that only the archive has any more */
    struct tally redis;     /* the truth in Redis */
    struct tally shown;     /* the hash derived from it, which people and Grafana read */
    struct tally mongo;
    struct strays missing; /* in the log, but no document has it */
    struct strays foreign; /* of a document, but not in the log */
};

/* Counts an id, and keeps its text (cut to STRAY_ID_SIZE) while there is room. */
void compare_stray(struct strays *strays, const char *id);
/* How many of the counted ids are kept. */
size_t compare_named(const struct strays *strays);

/* Whether the stores agree on a group (or, with group == group_count, on foreign groups). */
bool compare_group(const struct findings *findings, size_t group);
/* Groups on which they do not. */
size_t compare_differing(const struct findings *findings);
/* Whether everything agrees: groups, totals, ids, nothing unsettled, nothing
 * undeliverable. */
bool compare_equal(const struct findings *findings);

#endif
