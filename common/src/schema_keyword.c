/* SPDX-License-Identifier: Apache-2.0 */
#include "schema_keyword.h"

#include "mesh/country.h"
#include "mesh/event.h"

#include <stdlib.h>
#include <string.h>

static const char *const type_names[] = {
    [MESH_SCHEMA_OBJECT] = "object", [MESH_SCHEMA_ARRAY] = "array",
    [MESH_SCHEMA_STRING] = "string", [MESH_SCHEMA_INTEGER] = "integer",
    [MESH_SCHEMA_NUMBER] = "number", [MESH_SCHEMA_BOOLEAN] = "boolean",
    [MESH_SCHEMA_NULL] = "null",
};

const char *mesh_schema_type_name(enum mesh_schema_type type)
{
    return type_names[type];
}

void *mesh_schema_alloc(struct mesh_arena *arena, size_t size)
{
    return memset(mesh_arena_alloc(arena, size), 0, size);
}

bool mesh_schema_is_integer(long double number)
{
    /* From there on, doubles have no fraction. */
    return number >= MESH_SCHEMA_INTEGER_END || number <= -MESH_SCHEMA_INTEGER_END ||
           (long double)(int64_t)number == number;
}

long double mesh_schema_number(yyjson_val *number)
{
    return yyjson_is_uint(number)   ? (long double)yyjson_get_uint(number)
           : yyjson_is_sint(number) ? (long double)yyjson_get_sint(number)
                                    : (long double)yyjson_get_real(number);
}

static bool choice_read(const struct mesh_schema_reader *reader, yyjson_val *value,
                        const struct mesh_pointer *at, struct mesh_schema_choice *out)
{
    switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_STR:
        out->type = MESH_SCHEMA_STRING;
        out->text = mesh_arena_copy(reader->arena, mesh_schema_text(value));
        return true;
    case YYJSON_TYPE_NUM:
        out->type = MESH_SCHEMA_NUMBER;
        out->number = mesh_schema_number(value);
        return true;
    case YYJSON_TYPE_BOOL:
        out->type = MESH_SCHEMA_BOOLEAN;
        out->truth = yyjson_get_bool(value);
        return true;
    case YYJSON_TYPE_NULL:
        out->type = MESH_SCHEMA_NULL;
        return true;
    default:
        return mesh_schema_refuse(reader->err, at, "must be a string, number, boolean or null");
    }
}

static bool choice_fits(const struct mesh_schema_choice *choice, enum mesh_schema_type type)
{
    if (type == MESH_SCHEMA_INTEGER) {
        return choice->type == MESH_SCHEMA_NUMBER && mesh_schema_is_integer(choice->number);
    }
    return type == MESH_SCHEMA_ANY || choice->type == type;
}

static bool choice_equal(const struct mesh_schema_choice *a, const struct mesh_schema_choice *b)
{
    return a->type == b->type && mesh_bytes_equal(a->text, b->text) && a->number == b->number &&
           a->truth == b->truth;
}

/* `values` is the array of an enum, or the single value of a const. */
static bool choices_read(const struct mesh_schema_reader *reader, yyjson_val *values, size_t count,
                         const struct mesh_pointer *at, struct mesh_schema *schema)
{
    const bool is_enum = yyjson_is_arr(values);
    struct mesh_schema_choice *choices =
        mesh_schema_alloc(reader->arena, count * sizeof(struct mesh_schema_choice));

    for (size_t i = 0; i < count; i++) {
        const struct mesh_pointer here = is_enum ? mesh_pointer_item(at, i) : *at;
        if (!choice_read(reader, is_enum ? yyjson_arr_get(values, i) : values, &here,
                         &choices[i])) {
            return false;
        }
        if (!choice_fits(&choices[i], schema->type)) {
            return mesh_schema_refuse(reader->err, &here, "is not of type %s",
                                      type_names[schema->type]);
        }
        for (size_t k = 0; k < i; k++) {
            if (choice_equal(&choices[k], &choices[i])) {
                return mesh_schema_refuse(reader->err, &here, "is there twice");
            }
        }
    }
    schema->choices = choices;
    schema->choice_count = count;
    return true;
}

bool mesh_schema_read_enum(const struct mesh_schema_reader *reader, yyjson_val *value,
                           const struct mesh_pointer *at, struct mesh_schema *schema)
{
    const size_t count = yyjson_arr_size(value);
    if (count == 0 || count > MESH_SCHEMA_CHOICES_MAX) {
        return mesh_schema_refuse(reader->err, at, "must be an array of 1 to %d values",
                                  MESH_SCHEMA_CHOICES_MAX);
    }
    return choices_read(reader, value, count, at, schema);
}

bool mesh_schema_read_const(const struct mesh_schema_reader *reader, yyjson_val *value,
                            const struct mesh_pointer *at, struct mesh_schema *schema)
{
    if (schema->choice_count > 0) {
        return mesh_schema_refuse(reader->err, at, "cannot go with enum");
    }
    return yyjson_is_ctn(value)
               ? mesh_schema_refuse(reader->err, at, "must be a string, number, boolean or null")
               : choices_read(reader, value, 1, at, schema);
}

static bool size_read(const struct mesh_schema_reader *reader, yyjson_val *value,
                      const struct mesh_pointer *at, size_t *out)
{
    if (!yyjson_is_uint(value) || yyjson_get_uint(value) > MESH_EVENT_BYTES_MAX) {
        return mesh_schema_refuse(reader->err, at,
                                  "must be an integer from 0 to %d, the bytes of an event",
                                  MESH_EVENT_BYTES_MAX);
    }
    *out = (size_t)yyjson_get_uint(value);
    return true;
}

bool mesh_schema_read_max_items(const struct mesh_schema_reader *reader, yyjson_val *value,
                                const struct mesh_pointer *at, struct mesh_schema *schema)
{
    return size_read(reader, value, at, &schema->items_max);
}

bool mesh_schema_read_min_length(const struct mesh_schema_reader *reader, yyjson_val *value,
                                 const struct mesh_pointer *at, struct mesh_schema *schema)
{
    return size_read(reader, value, at, &schema->length_min);
}

bool mesh_schema_read_max_length(const struct mesh_schema_reader *reader, yyjson_val *value,
                                 const struct mesh_pointer *at, struct mesh_schema *schema)
{
    if (!size_read(reader, value, at, &schema->length_max)) {
        return false;
    }
    return schema->length_min <= schema->length_max ||
           mesh_schema_refuse(reader->err, at, "is below minLength");
}

bool mesh_schema_read_format(const struct mesh_schema_reader *reader, yyjson_val *value,
                             const struct mesh_pointer *at, struct mesh_schema *schema)
{
    schema->is_date_time = yyjson_equals_str(value, "date-time");
    return schema->is_date_time ||
           mesh_schema_refuse(reader->err, at, "must be \"date-time\", the only format known");
}

/* What normalising puts in must fit the schema too, since grpc-server checks it again. */
bool mesh_schema_read_normalise(const struct mesh_schema_reader *reader, yyjson_val *value,
                                const struct mesh_pointer *at, struct mesh_schema *schema)
{
    if (!yyjson_equals_str(value, "country")) {
        return mesh_schema_refuse(reader->err, at, "must be \"country\", the only rule known");
    }
    if (schema->choice_count > 0 || schema->is_date_time) {
        return mesh_schema_refuse(reader->err, at, "cannot go with enum, const or format");
    }
    for (size_t i = 0; i < mesh_country_unknown(); i++) {
        const size_t length = mesh_bytes_code_points(mesh_bytes_of_text(mesh_country_name(i)));
        if (length < schema->length_min || length > schema->length_max) {
            return mesh_schema_refuse(reader->err, at,
                                      "minLength and maxLength must let \"%s\" through",
                                      mesh_country_name(i));
        }
    }
    schema->is_country = true;
    return true;
}

static bool limit_read(const struct mesh_schema_reader *reader, yyjson_val *value,
                       const struct mesh_pointer *at, struct mesh_schema_limit *out)
{
    struct mesh_schema_choice number = {0};
    if (!yyjson_is_num(value) || !choice_read(reader, value, at, &number)) {
        return mesh_schema_refuse(reader->err, at, "must be a number");
    }
    char *text = yyjson_val_write(value, 0, NULL);
    out->given = true;
    out->number = number.number;
    out->text = (const char *)mesh_arena_copy(reader->arena, mesh_bytes_of_text(text)).data;
    free(text);
    return true;
}

bool mesh_schema_read_minimum(const struct mesh_schema_reader *reader, yyjson_val *value,
                              const struct mesh_pointer *at, struct mesh_schema *schema)
{
    return limit_read(reader, value, at, &schema->minimum);
}

bool mesh_schema_read_maximum(const struct mesh_schema_reader *reader, yyjson_val *value,
                              const struct mesh_pointer *at, struct mesh_schema *schema)
{
    if (!limit_read(reader, value, at, &schema->maximum)) {
        return false;
    }
    return !schema->minimum.given || schema->minimum.number <= schema->maximum.number ||
           mesh_schema_refuse(reader->err, at, "is below minimum");
}
