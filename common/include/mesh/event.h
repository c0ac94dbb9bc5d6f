/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event: checks and normalises one event, writes it as a Kafka record's value and reads it back.
 *
 * Threads: any; a problem list belongs to one thread. Views in results are borrowed from what was
 * given in.
 */
#ifndef MESH_EVENT_H
#define MESH_EVENT_H

#include "mesh/bytes.h"
#include "mesh/id.h"
#include "mesh/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yyjson.h>

#define MESH_EVENT_BYTES_MAX 16384 /* normalised JSON */
#define MESH_EVENT_DEPTH_MAX 8
#define MESH_EVENT_COUNT_MAX 1000  /* events in a request */
#define MESH_EVENT_MEMBERS_MAX 256 /* of one object */

/* How JSON from outside is to be parsed before mesh_event_check(): an integer beyond 64 bits stays
 * text, so that it is refused and not silently rounded. */
#define MESH_EVENT_READ_FLAGS YYJSON_READ_BIGNUM_AS_RAW

/* What is wrong with an event, as RFC 9457 wants it. */
#define MESH_PROBLEM_COUNT_MAX 16 /* of one event; further ones are not reported */

struct mesh_problem {
    char pointer[128]; /* RFC 6901, from the event's root: "/country"; cut when longer */
    char reason[128];  /* "is required"; never text of the user or the schema */
};

struct mesh_problems {
    struct mesh_problem at[MESH_PROBLEM_COUNT_MAX];
    size_t count;
};

/* Checks a parsed value against the stream's schema. When it fits: appends the normalised object
 * (aliases resolved, x-normalise done, members in the client's order, no white space) to *out,
 * sets *out_group and returns true; *problems is then empty. Else *out and *out_group are as before
 * and *problems says what is wrong (at least one entry). A second check of a normalised object
 * changes nothing. */
MESH_MUST_CHECK
bool mesh_event_check(const struct mesh_stream *stream, yyjson_val *value, struct mesh_buffer *out,
                      uint8_t *out_group, struct mesh_problems *problems);

/* Appends the Kafka record's value: the normalised object with "id" and "received_at" in front. */
void mesh_event_write_record(const struct mesh_id *id, int64_t received_at_ms,
                             struct mesh_bytes normalised, struct mesh_buffer *out);

/* A record read back from Kafka. Its objects hold only what MongoDB can take: no key that is empty,
 * there twice, begins with $ or contains a dot, at most MESH_EVENT_DEPTH_MAX levels, and at the top
 * no _id, kafka or traceparent. */
struct mesh_record {
    yyjson_doc *doc; /* owned; root is an object */
    struct mesh_id id;
    int64_t received_at_ms;
    uint8_t group; /* of the stream */
};

/* Reads a record's value. Only what the archive needs is asked for (a JSON object in UTF-8 that
 * MongoDB can take, with a valid id and received_at); the schema is not checked again, since a
 * schema that was tightened meanwhile must not make an acknowledged event undeliverable. False: a
 * poison record, *reason says why (a constant). */
MESH_MUST_CHECK
bool mesh_record_read(const struct mesh_stream *stream, struct mesh_bytes value,
                      struct mesh_record *out, const char **reason);
/* The same with memory for the doc: yyjson_read_max_memory_usage() says how much must be there.
 * NULL: of the heap. */
MESH_MUST_CHECK
bool mesh_record_read_into(const yyjson_alc *memory, const struct mesh_stream *stream,
                           struct mesh_bytes value, struct mesh_record *out, const char **reason);
void mesh_record_done(struct mesh_record *record);

/* The group of a count_by value, as stored in the archive; "Unknown" for what is none. */
uint8_t mesh_stream_group(const struct mesh_stream *stream, struct mesh_bytes count_by_value);

#endif
