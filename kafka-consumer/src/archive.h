/* SPDX-License-Identifier: Apache-2.0 */
/*
 * archive: the MongoDB side: one document per event, however often its record comes.
 *
 * {_id: id, <fields as sent>, received_at: Date, traceparent, kafka: {topic, partition, offset}},
 * without traceparent where the record has none.
 *
 * Threads: the loop's. Blocks up to timeout_ms a server call; on FerretDB looking up duplicates is
 * one call each, so a batch of nothing but duplicates takes a while there.
 */
#ifndef ARCHIVE_H
#define ARCHIVE_H

#include "batch.h"
#include "mesh/error.h"
#include "partition.h"

#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct archive;

struct archive_options {
    const char *uri;      /* kept */
    const char *database; /* kept */
    uint32_t timeout_ms;
    uint32_t ttl_days;    /* 0: events stay for ever */
    struct topic *topics; /* kept */
    size_t topic_count;
};

/* Does not wait for a server. The caller owns the result. NULL: the URI is wrong. */
MESH_MUST_CHECK
struct archive *archive_new(const struct archive_options *options, struct mesh_error *err);

/* Asks for a sign of life and makes the indexes if that was not done yet; an index that the server
 * refuses is a warning. False: MongoDB is away. */
MESH_MUST_CHECK
bool archive_ping(struct archive *archive, struct mesh_error *err);

/* Brings the entries to be inserted or looked up to an end: ARCHIVED, REDELIVERED, REPEATED or
 * POISON. False: MongoDB is away; call again, what is done stays done. */
MESH_MUST_CHECK
bool archive_batch(struct archive *archive, struct batch *batch, struct mesh_error *err);

/* The client it uses, for the same thread; lives until archive_log_in() returns another. */
mongoc_client_t *archive_client(const struct archive *archive);
/* If the password has changed in its file: another client, with the new one. The old one lives
 * until archive_ping(). NULL: nothing has changed, or (logged) it cannot be used. */
mongoc_client_t *archive_log_in(struct archive *archive);
/* Accepts NULL. */
void archive_free(struct archive *archive);

#endif
