/* SPDX-License-Identifier: Apache-2.0 */
#include "schema.h"

#include "mesh/event.h"
#include "schema_keyword.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct keyword {
    const char *name;
    unsigned types; /* bits of enum mesh_schema_type */
    mesh_schema_keyword_fn *read;
};

static bool schema_read(const struct mesh_schema_reader *reader, yyjson_val *json,
                        struct mesh_schema *schema);

bool mesh_schema_refuse(struct mesh_error *err, const struct mesh_pointer *at, const char *format,
                        ...)
{
    char where[256];
    char text[MESH_ERROR_TEXT_MAX / 2];
    va_list args;

    mesh_pointer_write(at, where, sizeof(where));
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return mesh_fail(err, MESH_INVALID_ARGUMENT, "%s: %s", where[0] != '\0' ? where : "the file",
                     text);
}

bool mesh_schema_reserved(struct mesh_bytes name)
{
    static const char *const reserved[] = {"id", "_id", "received_at", "kafka", "traceparent"};
    for (size_t i = 0; i < MESH_COUNT_OF(reserved); i++) {
        if (mesh_bytes_equal_text(name, reserved[i])) {
            return true;
        }
    }
    return false;
}

const struct mesh_schema_property *mesh_schema_property(const struct mesh_schema *schema,
                                                        struct mesh_bytes name)
{
    for (size_t i = 0; i < schema->property_count; i++) {
        if (mesh_bytes_equal(schema->properties[i].name, name)) {
            return &schema->properties[i];
        }
    }
    return NULL;
}

/* [A-Za-z_][A-Za-z0-9_]{0,63}: what every store and language takes as it is. */
static bool name_is_good(struct mesh_bytes name)
{
    if (name.size == 0 || name.size > MESH_SCHEMA_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i < name.size; i++) {
        const uint8_t byte = name.data[i];
        const bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        if (!letter && byte != '_' && (i == 0 || byte < '0' || byte > '9')) {
            return false;
        }
    }
    return true;
}

static bool name_check(const struct mesh_schema_reader *reader, struct mesh_bytes name,
                       const struct mesh_pointer *at)
{
    if (!name_is_good(name)) {
        return mesh_schema_refuse(reader->err, at,
                                  "a name must be 1 to 64 letters, digits or _, and not begin "
                                  "with a digit");
    }
    if (reader->depth == 1 && mesh_schema_reserved(name)) {
        return mesh_schema_refuse(reader->err, at, "this name is reserved");
    }
    return true;
}

/* ---- object ---- */

static bool additional_read(const struct mesh_schema_reader *reader, yyjson_val *value,
                            const struct mesh_pointer *at, struct mesh_schema *schema)
{
    if (!yyjson_is_bool(value)) {
        return mesh_schema_refuse(reader->err, at, "must be true or false");
    }
    schema->closed = !yyjson_get_bool(value);
    return true;
}

/* Adds a name or alias; two of the same would make an event ambiguous. */
static bool name_add(const struct mesh_schema_reader *reader, struct mesh_bytes name,
                     const struct mesh_pointer *at, size_t property, struct mesh_schema *schema,
                     struct mesh_schema_name *names)
{
    if (!name_check(reader, name, at)) {
        return false;
    }
    for (size_t i = 0; i < schema->name_count; i++) {
        if (mesh_bytes_equal(names[i].text, name)) {
            return mesh_schema_refuse(reader->err, at, "another property has this name or alias");
        }
    }
    names[schema->name_count++] = (struct mesh_schema_name){
        .text = mesh_arena_copy(reader->arena, name),
        .property = property,
    };
    return true;
}

static bool aliases_add(const struct mesh_schema_reader *reader, yyjson_val *json,
                        const struct mesh_pointer *at, size_t property, struct mesh_schema *schema,
                        struct mesh_schema_name *names)
{
    const struct mesh_pointer aliases_at = mesh_pointer_key(at, mesh_bytes_of_text("x-aliases"));
    yyjson_val *aliases = yyjson_obj_get(json, "x-aliases");
    size_t index;
    size_t count;
    yyjson_val *alias;

    if (aliases == NULL) {
        return true;
    }
    count = yyjson_arr_size(aliases);
    if (count == 0 || count > MESH_SCHEMA_ALIASES_MAX) {
        return mesh_schema_refuse(reader->err, &aliases_at, "must be an array of 1 to %d names",
                                  MESH_SCHEMA_ALIASES_MAX);
    }
    yyjson_arr_foreach(aliases, index, count, alias)
    {
        const struct mesh_pointer here = mesh_pointer_item(&aliases_at, index);
        if (!yyjson_is_str(alias)) {
            return mesh_schema_refuse(reader->err, &here, "must be a string");
        }
        if (!name_add(reader, mesh_schema_text(alias), &here, property, schema, names)) {
            return false;
        }
    }
    return true;
}

static bool properties_read(const struct mesh_schema_reader *reader, yyjson_val *value,
                            const struct mesh_pointer *at, struct mesh_schema *schema)
{
    const size_t count = yyjson_obj_size(value);
    if (!yyjson_is_obj(value) || count > MESH_SCHEMA_PROPERTIES_MAX) {
        return mesh_schema_refuse(reader->err, at, "must be an object of at most %d properties",
                                  MESH_SCHEMA_PROPERTIES_MAX);
    }
    struct mesh_schema_property *properties =
        mesh_schema_alloc(reader->arena, (count + 1) * sizeof(struct mesh_schema_property));
    struct mesh_schema_name *names =
        mesh_schema_alloc(reader->arena, (count + 1) * (MESH_SCHEMA_ALIASES_MAX + 1) *
                                             sizeof(struct mesh_schema_name));
    size_t index;
    size_t max;
    yyjson_val *key;
    yyjson_val *json;

    yyjson_obj_foreach(value, index, max, key, json)
    {
        const struct mesh_pointer here = mesh_pointer_key(at, mesh_schema_text(key));
        struct mesh_schema *property = mesh_schema_alloc(reader->arena, sizeof(*property));
        struct mesh_schema_reader inner = *reader;
        inner.at = &here;
        inner.depth++;
        inner.is_property = true;
        if (!name_add(reader, mesh_schema_text(key), &here, index, schema, names) ||
            !schema_read(&inner, json, property) ||
            !aliases_add(reader, json, &here, index, schema, names)) {
            return false;
        }
        struct mesh_buffer written = {0};
        mesh_buffer_add_text(&written, ",");
        mesh_buffer_add_json(&written, mesh_schema_text(key));
        mesh_buffer_add_text(&written, ":");
        properties[index] = (struct mesh_schema_property){
            .name = mesh_arena_copy(reader->arena, mesh_schema_text(key)),
            .json = mesh_arena_copy(reader->arena, mesh_buffer_bytes(&written)),
            .schema = property,
        };
        mesh_buffer_done(&written);
    }
    schema->properties = properties;
    schema->property_count = count;
    schema->names = names;
    return true;
}

static bool required_read(const struct mesh_schema_reader *reader, yyjson_val *value,
                          const struct mesh_pointer *at, struct mesh_schema *schema)
{
    size_t index;
    size_t max;
    yyjson_val *name;

    if (!yyjson_is_arr(value)) {
        return mesh_schema_refuse(reader->err, at, "must be an array of names");
    }
    yyjson_arr_foreach(value, index, max, name)
    {
        const struct mesh_pointer here = mesh_pointer_item(at, index);
        const struct mesh_schema_property *property =
            yyjson_is_str(name) ? mesh_schema_property(schema, mesh_schema_text(name)) : NULL;
        if (property == NULL) {
            return mesh_schema_refuse(reader->err, &here, "must name one of the properties");
        }
        const uint64_t bit = UINT64_C(1) << (property - schema->properties);
        if ((schema->required & bit) != 0) {
            return mesh_schema_refuse(reader->err, &here, "is there twice");
        }
        schema->required |= bit;
    }
    return true;
}

static bool items_read(const struct mesh_schema_reader *reader, yyjson_val *value,
                       const struct mesh_pointer *at, struct mesh_schema *schema)
{
    struct mesh_schema *items = mesh_schema_alloc(reader->arena, sizeof(*items));
    struct mesh_schema_reader inner = *reader;
    inner.at = at;
    inner.depth++;
    inner.is_property = false;
    schema->items = items;
    return schema_read(&inner, value, items);
}

/* ---- the table of keywords ---- */

#define BIT(type) (1U << MESH_SCHEMA_##type)
#define SCALARS (BIT(ANY) | BIT(STRING) | BIT(INTEGER) | BIT(NUMBER) | BIT(BOOLEAN) | BIT(NULL))

/* Read in this order: later ones look at what earlier ones left. */
static const struct keyword keywords[] = {
    {"enum", SCALARS, mesh_schema_read_enum},
    {"const", SCALARS, mesh_schema_read_const},
    {"additionalProperties", BIT(OBJECT), additional_read},
    {"properties", BIT(OBJECT), properties_read},
    {"required", BIT(OBJECT), required_read},
    {"items", BIT(ARRAY), items_read},
    {"maxItems", BIT(ARRAY), mesh_schema_read_max_items},
    {"minLength", BIT(STRING), mesh_schema_read_min_length},
    {"maxLength", BIT(STRING), mesh_schema_read_max_length},
    {"format", BIT(STRING), mesh_schema_read_format},
    {"x-normalise", BIT(STRING), mesh_schema_read_normalise},
    {"minimum", BIT(INTEGER) | BIT(NUMBER), mesh_schema_read_minimum},
    {"maximum", BIT(INTEGER) | BIT(NUMBER), mesh_schema_read_maximum},
};

static bool type_read(const struct mesh_schema_reader *reader, yyjson_val *json,
                      struct mesh_schema *schema)
{
    yyjson_val *value = yyjson_obj_get(json, "type");
    const struct mesh_pointer at = mesh_pointer_key(reader->at, mesh_bytes_of_text("type"));

    if (value == NULL) {
        return true;
    }
    for (enum mesh_schema_type type = MESH_SCHEMA_OBJECT; type <= MESH_SCHEMA_NULL; type++) {
        if (yyjson_equals_str(value, mesh_schema_type_name(type))) {
            schema->type = type;
            return true;
        }
    }
    return mesh_schema_refuse(reader->err, &at,
                              "must be one of object, array, string, integer, number, boolean, "
                              "null");
}

static bool keywords_check(const struct mesh_schema_reader *reader, yyjson_val *json,
                           const struct mesh_schema *schema)
{
    size_t index;
    size_t max;
    yyjson_val *key;
    yyjson_val *value;

    yyjson_obj_foreach(json, index, max, key, value)
    {
        const struct mesh_pointer here = mesh_pointer_key(reader->at, mesh_schema_text(key));
        const struct keyword *keyword = keywords;
        const struct keyword *const end = keywords + MESH_COUNT_OF(keywords);
        if (yyjson_equals_str(key, "type") ||
            (reader->is_property && yyjson_equals_str(key, "x-aliases"))) {
            continue;
        }
        while (keyword < end && !yyjson_equals_str(key, keyword->name)) {
            keyword++;
        }
        if (keyword == end) {
            return mesh_schema_refuse(reader->err, &here, "is not a known keyword");
        }
        if ((keyword->types & 1U << schema->type) == 0) {
            return schema->type == MESH_SCHEMA_ANY
                       ? mesh_schema_refuse(reader->err, &here, "needs a type beside it")
                       : mesh_schema_refuse(reader->err, &here, "does not apply to type %s",
                                            mesh_schema_type_name(schema->type));
        }
    }
    return true;
}

static bool schema_read(const struct mesh_schema_reader *reader, yyjson_val *json,
                        struct mesh_schema *schema)
{
    if (!yyjson_is_obj(json)) {
        return mesh_schema_refuse(reader->err, reader->at, "must be an object");
    }
    schema->items_max = SIZE_MAX;
    schema->length_max = SIZE_MAX;
    if (!type_read(reader, json, schema) || !keywords_check(reader, json, schema)) {
        return false;
    }
    const bool is_container =
        schema->type == MESH_SCHEMA_OBJECT || schema->type == MESH_SCHEMA_ARRAY;
    if (is_container && reader->depth > MESH_EVENT_DEPTH_MAX) {
        return mesh_schema_refuse(reader->err, reader->at, "is nested deeper than %d levels",
                                  MESH_EVENT_DEPTH_MAX);
    }
    for (size_t i = 0; i < MESH_COUNT_OF(keywords); i++) {
        yyjson_val *value = yyjson_obj_get(json, keywords[i].name);
        const struct mesh_pointer here =
            mesh_pointer_key(reader->at, mesh_bytes_of_text(keywords[i].name));
        if (value != NULL && !keywords[i].read(reader, value, &here, schema)) {
            return false;
        }
    }
    return true;
}

const struct mesh_schema *mesh_schema_read(yyjson_val *json, const struct mesh_pointer *at,
                                           struct mesh_arena *arena, struct mesh_error *err)
{
    const struct mesh_schema_reader reader = {.arena = arena, .err = err, .at = at, .depth = 1};
    struct mesh_schema *schema = mesh_schema_alloc(arena, sizeof(*schema));
    return schema_read(&reader, json, schema) ? schema : NULL;
}
