/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tally: counts the events below a cut, each once, as the consumer would have: an event counts at
 * the place from which its document was made.
 *
 * From the log: first all records below the cut, then the documents from before the log's
 * beginning, then the records above the cut. An event with records of different groups, or on both
 * sides of the cut, is a doubt: its document is asked, one by one, at the end. From the archive:
 * all documents. Threads: one. Nothing blocks.
 */
#ifndef TALLY_H
#define TALLY_H

#include "cut.h"
#include "documents.h"
#include "mesh/error.h"
#include "mesh/id.h"
#include "mesh/stream.h"
#include "positions.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tally;

struct tally_counts {
    uint64_t groups[MESH_GROUP_COUNT_MAX];
    uint64_t total;
    uint64_t archived_before; /* of these: known only from documents whose records Kafka lost */
};

/* cut: kept. bytes_max: for the ids. The caller owns the result. */
struct tally *tally_new(const struct cut *cut, size_t bytes_max);
/* A record below the cut that holds an event. False: a limit is reached. */
MESH_MUST_CHECK
bool tally_record(struct tally *tally, const struct mesh_id *id, uint8_t group,
                  struct mesh_error *err);
/* A document of the archive; those that were made of a record still in the log say nothing new. */
void tally_document_before_log(struct tally *tally, const struct document *document);
/* A document of the archive, which alone is counted from. */
void tally_document(struct tally *tally, const struct document *document);
/* A record at or above the cut. After all records below and all documents. */
MESH_MUST_CHECK
bool tally_record_above(struct tally *tally, const struct mesh_id *id, struct mesh_error *err);
/* The next event whose document decides. False: no more. After all records. */
bool tally_doubt(struct tally *tally, struct mesh_id *out);
/* What the archive has of the event that tally_doubt() named; NULL: nothing, so it counts where it
 * was first seen. */
void tally_decide(struct tally *tally, const struct document *document);

const struct tally_counts *tally_counts(const struct tally *tally);
/* Accepts NULL. */
void tally_free(struct tally *tally);

#endif
