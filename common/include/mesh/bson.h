/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bson: BSON documents written straight into a buffer (https://bsonspec.org/spec.html).
 *
 * libbson checks and grows with each member that is appended, which costs four times what writing
 * does. What is written here is not checked again: keys hold no NUL, texts are valid UTF-8, and
 * a document is smaller than 2 GiB.
 *
 * Threads: as mesh_buffer. Part of mesh-mongo. All functions append.
 */
#ifndef MESH_BSON_H
#define MESH_BSON_H

#include "mesh/bytes.h"

#include <stddef.h>
#include <stdint.h>
#include <yyjson.h>

/* MongoDB refuses more than 100 levels, and what we add needs one. */
#define MESH_BSON_DEPTH_MAX 90
/* MongoDB refuses 16 MiB; the rest is for what surrounds the members. */
#define MESH_BSON_DOCUMENT_BYTES_MAX ((size_t)15 * 1024 * 1024)

/* A document, or with a key a member that is one; members follow. Returns its place, for
 * mesh_bson_end(). */
size_t mesh_bson_begin(struct mesh_buffer *out);
size_t mesh_bson_begin_member(struct mesh_buffer *out, struct mesh_bytes key);
void mesh_bson_end(struct mesh_buffer *out, size_t place);

void mesh_bson_add_text(struct mesh_buffer *out, struct mesh_bytes key, struct mesh_bytes text);
void mesh_bson_add_int32(struct mesh_buffer *out, struct mesh_bytes key, int32_t value);
void mesh_bson_add_int64(struct mesh_buffer *out, struct mesh_bytes key, int64_t value);
void mesh_bson_add_date(struct mesh_buffer *out, struct mesh_bytes key, int64_t wall_ms);

/* The members of a JSON object but those named in `skip` (a NULL-terminated list; NULL: none).
 * Integers become int64 (those above 2^63-1 the nearest double), numbers with a fraction double.
 * NULL, or a constant that says why this object cannot be a document; *out then ends half-way. */
const char *mesh_bson_add_members(struct mesh_buffer *out, yyjson_val *object,
                                  const char *const *skip);

#endif
