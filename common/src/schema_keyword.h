/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema_keyword: the readers of keywords that stand for themselves: enum, const, and those of
 * strings and numbers. schema.c has the others, which read further schemas.
 *
 * Private to schema.c. Threads: any, with a reader of its own.
 */
#ifndef MESH_SCHEMA_KEYWORD_H
#define MESH_SCHEMA_KEYWORD_H

#include "schema.h"

/* What the readers share. */
struct mesh_schema_reader {
    struct mesh_arena *arena;
    struct mesh_error *err;
    const struct mesh_pointer *at; /* of the schema */
    size_t depth;                  /* 1: the event itself */
    bool is_property;              /* may have x-aliases */
};

/* Reads a keyword's value, which is at `at`, into *schema. False: *err is filled in. */
typedef bool mesh_schema_keyword_fn(const struct mesh_schema_reader *reader, yyjson_val *value,
                                    const struct mesh_pointer *at, struct mesh_schema *schema);

mesh_schema_keyword_fn mesh_schema_read_enum;
mesh_schema_keyword_fn mesh_schema_read_const;
mesh_schema_keyword_fn mesh_schema_read_max_items;
mesh_schema_keyword_fn mesh_schema_read_min_length;
mesh_schema_keyword_fn mesh_schema_read_max_length;
mesh_schema_keyword_fn mesh_schema_read_format;
mesh_schema_keyword_fn mesh_schema_read_normalise;
mesh_schema_keyword_fn mesh_schema_read_minimum;
mesh_schema_keyword_fn mesh_schema_read_maximum;

/* "string" and so on; not for MESH_SCHEMA_ANY. */
const char *mesh_schema_type_name(enum mesh_schema_type type);

/* Zeroed memory of the arena. */
void *mesh_schema_alloc(struct mesh_arena *arena, size_t size);

#endif
