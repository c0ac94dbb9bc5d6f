/* SPDX-License-Identifier: Apache-2.0 */
/*
 * documents: what the archive says of its documents: which event, which group, from which record.
 *
 * Threads: those of the client. Every call blocks until all was read.
 */
#ifndef DOCUMENTS_H
#define DOCUMENTS_H

#include "mesh/error.h"
#include "mesh/id.h"
#include "mesh/stream.h"
#include "positions.h"

#include <mongoc/mongoc.h>
#include <stdbool.h>

enum { DOCUMENT_ID_SIZE = 64 };

struct document {
    char id[DOCUMENT_ID_SIZE]; /* its _id for people, whatever it is */
    struct mesh_id event;      /* empty: the _id is not that of an event */
    struct position archived;  /* the record it was made of, by its own word; and its group */
};

/* What it is given lives only during the call. */
typedef void document_fn(void *arg, const struct document *document);

/* Calls visit for every document of the stream, in no order. */
MESH_MUST_CHECK
bool documents_read(mongoc_client_t *client, const char *database, const struct mesh_stream *stream,
                    document_fn *visit, void *arg, struct mesh_error *err);
/* Calls visit for the one document of this event, if there is one. */
MESH_MUST_CHECK
bool documents_find(mongoc_client_t *client, const char *database, const struct mesh_stream *stream,
                    const struct mesh_id *id, document_fn *visit, void *arg,
                    struct mesh_error *err);

#endif
