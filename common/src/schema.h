/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema: the subset of JSON Schema 2020-12 that a stream file may use, ready for checking events.
 *
 * streams/README.md lists the keywords. Private to stream.c, which reads schemas, and event.c,
 * which applies them. Threads: read-only once read. Ownership: all memory is the arena's.
 */
#ifndef MESH_SCHEMA_H
#define MESH_SCHEMA_H

#include "mesh/arena.h"
#include "mesh/bytes.h"
#include "mesh/error.h"
#include "pointer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yyjson.h>

#define MESH_SCHEMA_PROPERTIES_MAX 64 /* of one object: one bit each */
#define MESH_SCHEMA_ALIASES_MAX 8     /* of one property */
#define MESH_SCHEMA_CHOICES_MAX 1024  /* of one enum */
#define MESH_SCHEMA_NAME_MAX 64
#define MESH_SCHEMA_INTEGER_END 9223372036854775808.0L /* 2 to the 63rd: above all integers */

enum mesh_schema_type {
    MESH_SCHEMA_ANY, /* no "type" */
    MESH_SCHEMA_OBJECT,
    MESH_SCHEMA_ARRAY,
    MESH_SCHEMA_STRING,
    MESH_SCHEMA_INTEGER,
    MESH_SCHEMA_NUMBER,
    MESH_SCHEMA_BOOLEAN,
    MESH_SCHEMA_NULL,
};

/* A value of `enum` or `const`. */
struct mesh_schema_choice {
    enum mesh_schema_type type; /* NUMBER for integers too: 1 equals 1.0 */
    struct mesh_bytes text;     /* STRING; a NUL follows */
    long double number;         /* NUMBER: holds any 64-bit integer and any double exactly */
    bool truth;                 /* BOOLEAN */
};

struct mesh_schema_limit {
    bool given;
    long double number;
    const char *text; /* for people */
};

struct mesh_schema_property {
    struct mesh_bytes name;
    struct mesh_bytes json; /* ,"name": as it is written behind another member */
    const struct mesh_schema *schema;
};

/* A property's name or one of its aliases. */
struct mesh_schema_name {
    struct mesh_bytes text;
    size_t property;
};

struct mesh_schema {
    enum mesh_schema_type type;
    const struct mesh_schema_choice *choices;
    size_t choice_count; /* 0: neither enum nor const */

    /* object */
    bool closed;       /* additionalProperties: false */
    uint64_t required; /* bit n: property n */
    const struct mesh_schema_property *properties;
    size_t property_count;
    const struct mesh_schema_name *names; /* in the order of the properties */
    size_t name_count;

    /* array; items NULL: anything */
    const struct mesh_schema *items;
    size_t items_max;

    /* string */
    size_t length_min;
    size_t length_max;
    bool is_date_time;
    bool is_country;

    /* integer, number */
    struct mesh_schema_limit minimum;
    struct mesh_schema_limit maximum;
};

/* NULL: it is none of the subset; *err then begins with the JSON pointer. */
MESH_MUST_CHECK
const struct mesh_schema *mesh_schema_read(yyjson_val *json, const struct mesh_pointer *at,
                                           struct mesh_arena *arena, struct mesh_error *err);

/* The property of that name, not alias; NULL: there is none. */
const struct mesh_schema_property *mesh_schema_property(const struct mesh_schema *schema,
                                                        struct mesh_bytes name);

/* Names at the top of an event that the record or the archive uses itself. */
bool mesh_schema_reserved(struct mesh_bytes name);

/* Fills *err with "<pointer>: <message>"; returns false. */
MESH_PRINTF(3, 4)
bool mesh_schema_refuse(struct mesh_error *err, const struct mesh_pointer *at, const char *format,
                        ...);

/* Of a yyjson number, not raw: exact. */
long double mesh_schema_number(yyjson_val *number);
bool mesh_schema_is_integer(long double number);

/* A yyjson string as bytes; it must be one. */
static inline struct mesh_bytes mesh_schema_text(yyjson_val *string)
{
    return mesh_bytes_of(unsafe_yyjson_get_str(string), unsafe_yyjson_get_len(string));
}

#endif
