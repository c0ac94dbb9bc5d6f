/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream: what may come in, declared by one JSON file per stream.
 *
 * The programs know no tweet; they know streams. A file holds names, the schema (a named subset of
 * JSON Schema 2020-12, https://json-schema.org/draft/2020-12, with x-aliases and x-normalise) and
 * the property to count by. Anything the loader does not know stops the program at start with file,
 * JSON pointer and reason. Threads: loaded once before threads start, read-only afterwards.
 */
#ifndef MESH_STREAM_H
#define MESH_STREAM_H

#include "mesh/bytes.h"
#include "mesh/error.h"

#include <stddef.h>
#include <stdint.h>

/* Marks in a row of group bytes, one byte per Kafka offset: a group is below MESH_GROUP_COUNT_MAX.
 * NOT_COUNTED: applied, but counts for nothing (poison, transaction marker). HOLE: this offset is
 * not spoken of. */
#define MESH_GROUP_COUNT_MAX 254
#define MESH_GROUP_NOT_COUNTED 254
#define MESH_GROUP_HOLE 255

#define MESH_STREAM_COUNT_MAX 64
#define MESH_STREAM_FILE_BYTES_MAX 262144

struct mesh_schema; /* private: schema.h */

struct mesh_stream {
    const char *name;       /* [a-z][a-z0-9-]{0,62}: also part of Redis keys */
    const char *title;      /* for people; one line */
    const char *path;       /* of the HTTP route, "/input" */
    const char *topic;      /* Kafka */
    const char *dlq_topic;  /* "<topic>.dlq" */
    const char *collection; /* MongoDB */
    const char *count_by;   /* property, NULL: all events are one group named "all" */
    /* Group names by index. Countries, or the values of an enum, with "Unknown" last; so every
     * program that loads the same file gives a group the same index. */
    const char *const *group_names;
    size_t group_count;
    const struct mesh_schema *schema;
    const struct mesh_schema *count_schema; /* of the property to count by; NULL: there is none */
    struct mesh_bytes schema_json;          /* as in the file, without white space; for OpenAPI */
};

struct mesh_streams;

/* Reads all *.json of a folder in alphabetical order. The caller owns the result. NULL when the
 * folder is unreadable or empty, a file is wrong, or two share a name, path, topic or
 * collection. */
MESH_MUST_CHECK
struct mesh_streams *mesh_streams_load(const char *folder, struct mesh_error *err);
size_t mesh_streams_count(const struct mesh_streams *streams);
const struct mesh_stream *mesh_streams_at(const struct mesh_streams *streams, size_t index);
/* NULL: there is none. */
const struct mesh_stream *mesh_streams_by_name(const struct mesh_streams *streams,
                                               struct mesh_bytes name);
const struct mesh_stream *mesh_streams_by_path(const struct mesh_streams *streams,
                                               const char *path);
const struct mesh_stream *mesh_streams_by_topic(const struct mesh_streams *streams,
                                                const char *topic);
/* Accepts NULL. */
void mesh_streams_free(struct mesh_streams *streams);

#endif
