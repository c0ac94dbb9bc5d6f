/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger: the events of the log, against which the archive's documents are held one by one.
 *
 * First all records are entered, then all documents; ledger_close() says what had no document.
 * Threads: one. Nothing blocks.
 */
#ifndef LEDGER_H
#define LEDGER_H

#include "compare.h"
#include "documents.h"
#include "mesh/error.h"
#include "mesh/id.h"
#include "positions.h"

#include <stdbool.h>
#include <stddef.h>

struct ledger;

/* findings: filled by the calls below (kafka, repeated, mongo, missing, foreign); kept. bytes_max:
 * for the ids. The caller owns the result. */
struct ledger *ledger_new(struct findings *findings, size_t bytes_max);
/* Enters a record of the log that is no dead letter. False: a limit is reached. */
MESH_MUST_CHECK
bool ledger_record(struct ledger *ledger, const struct mesh_id *id, struct position at,
                   struct mesh_error *err);
/* Enters a document. The group of an event whose records name several is that of the record from
 * which the document was made. */
void ledger_document(struct ledger *ledger, const struct document *document);
/* Enters a document made of a record that Kafka does not keep any more. It stands for that record:
 * what the log still has of its event only repeats it. */
void ledger_document_before_log(struct ledger *ledger, const struct document *document);
/* Counts what had no document. */
void ledger_close(struct ledger *ledger);
/* Accepts NULL. */
void ledger_free(struct ledger *ledger);

#endif
