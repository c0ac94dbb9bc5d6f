/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/event.h"

#include "event_walk.h"
#include "mesh/country.h"
#include "store_name.h"

/* A value on its way: where it is and how deep. */
struct place {
    const struct mesh_pointer *at;
    size_t depth; /* of the containers around it */
};

/* For members that no schema describes. */
static const struct mesh_schema anything = {.items_max = SIZE_MAX, .length_max = SIZE_MAX};

static void value_check(struct mesh_event_walk *walk, const struct mesh_schema *schema,
                        yyjson_val *value, struct place place);

/* ---- objects and arrays ---- */

/* The name or alias `key`, first looked for where the last one was found: members mostly come in
 * the schema's order. */
static const struct mesh_schema_name *name_find(const struct mesh_schema *schema,
                                                struct mesh_bytes key, size_t *cursor)
{
    for (size_t i = 0; i < schema->name_count; i++) {
        const size_t at = *cursor;
        *cursor = at + 1 < schema->name_count ? at + 1 : 0;
        if (mesh_bytes_equal(schema->names[at].text, key)) {
            return &schema->names[at];
        }
    }
    return NULL;
}

/* A member that the schema does not name; may it be here? */
static bool extra_check(struct mesh_event_walk *walk, const struct mesh_schema *schema,
                        yyjson_val *object, yyjson_val *key, struct place place)
{
    const char *reason = mesh_store_name_problem(mesh_schema_text(key));
    if (schema->closed) {
        reason = "is not a known member";
    } else if (reason == NULL && place.depth == 1 && mesh_schema_reserved(mesh_schema_text(key))) {
        reason = "has a reserved name";
    } else if (reason == NULL && mesh_store_name_is_double(object, key)) {
        reason = "is given more than once";
    }
    if (reason != NULL) {
        mesh_event_problem(walk, place.at, "%s", reason);
    }
    return reason == NULL;
}

/* Writes ,"name": - of an object's first member without the comma. */
static void name_write(struct mesh_buffer *out, struct mesh_bytes json)
{
    const size_t skipped = out->data[out->size - 1] == '{' ? 1 : 0;
    mesh_buffer_add(out, mesh_bytes_of(json.data + skipped, json.size - skipped));
}

/* One member; sets its bit in *seen when the schema names it. */
static void member_check(struct mesh_event_walk *walk, const struct mesh_schema *schema,
                         yyjson_val *object, yyjson_val *key, size_t *cursor, uint64_t *seen,
                         struct place place)
{
    const struct mesh_schema_name *name = name_find(schema, mesh_schema_text(key), cursor);

    if (name == NULL) {
        if (extra_check(walk, schema, object, key, place)) {
            name_write(walk->out, mesh_bytes_of(",", 1));
            (void)mesh_event_write_text(walk, key); /* no U+0000: checked */
            mesh_buffer_add_text(walk->out, ":");
            value_check(walk, &anything, yyjson_obj_iter_get_val(key), place);
        }
        return;
    }
    const struct mesh_schema_property *property = &schema->properties[name->property];
    const uint64_t bit = UINT64_C(1) << name->property;
    if ((*seen & bit) != 0) {
        mesh_event_problem(walk, place.at, "is given more than once, under its name or an alias");
        return;
    }
    *seen |= bit;
    name_write(walk->out, property->json);
    value_check(walk, property->schema, yyjson_obj_iter_get_val(key), place);
}

static void required_check(struct mesh_event_walk *walk, const struct mesh_schema *schema,
                           uint64_t missing, const struct mesh_pointer *at)
{
    for (size_t i = 0; missing != 0; i++, missing >>= 1) {
        if ((missing & 1) != 0) {
            const struct mesh_pointer here = mesh_pointer_key(at, schema->properties[i].name);
            mesh_event_problem(walk, &here, "is required");
        }
    }
}

static void object_check(struct mesh_event_walk *walk, const struct mesh_schema *schema,
                         yyjson_val *object, struct place place)
{
    uint64_t seen = 0;
    size_t cursor = 0;
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    yyjson_val *key;

    if (yyjson_obj_size(object) > MESH_EVENT_MEMBERS_MAX) {
        mesh_event_problem(walk, place.at, "must have at most %d members", MESH_EVENT_MEMBERS_MAX);
        return;
    }
    mesh_buffer_add_text(walk->out, "{");
    while (!walk->stopped && (key = yyjson_obj_iter_next(&iter)) != NULL) {
        const struct mesh_pointer here = mesh_pointer_key(place.at, mesh_schema_text(key));
        member_check(walk, schema, object, key, &cursor, &seen,
                     (struct place){.at = &here, .depth = place.depth + 1});
    }
    mesh_buffer_add_text(walk->out, "}");
    required_check(walk, schema, schema->required & ~seen, place.at);
}

static void array_check(struct mesh_event_walk *walk, const struct mesh_schema *schema,
                        yyjson_val *array, struct place place)
{
    const struct mesh_schema *items = schema->items != NULL ? schema->items : &anything;
    yyjson_arr_iter iter = yyjson_arr_iter_with(array);
    yyjson_val *value;

    if (yyjson_arr_size(array) > schema->items_max) {
        mesh_event_problem(walk, place.at, "must have at most %zu item%s", schema->items_max,
                           schema->items_max == 1 ? "" : "s");
        return;
    }
    mesh_buffer_add_text(walk->out, "[");
    for (size_t i = 0; !walk->stopped && (value = yyjson_arr_iter_next(&iter)) != NULL; i++) {
        const struct mesh_pointer here = mesh_pointer_item(place.at, i);
        if (i > 0) {
            mesh_buffer_add_text(walk->out, ",");
        }
        value_check(walk, items, value, (struct place){.at = &here, .depth = place.depth + 1});
    }
    mesh_buffer_add_text(walk->out, "]");
}

/* ---- any value ---- */

#define BIT(type) (1U << YYJSON_TYPE_##type)

static bool type_fits(enum mesh_schema_type type, yyjson_val *value)
{
    static const uint8_t fitting[] = {
        [MESH_SCHEMA_ANY] = (uint8_t)~BIT(RAW), [MESH_SCHEMA_OBJECT] = BIT(OBJ),
        [MESH_SCHEMA_ARRAY] = BIT(ARR),         [MESH_SCHEMA_STRING] = BIT(STR),
        [MESH_SCHEMA_INTEGER] = BIT(NUM),       [MESH_SCHEMA_NUMBER] = BIT(NUM),
        [MESH_SCHEMA_BOOLEAN] = BIT(BOOL),      [MESH_SCHEMA_NULL] = BIT(NULL),
    };
    if ((fitting[type] & 1U << yyjson_get_type(value)) == 0) {
        return false;
    }
    /* 1.0 is one: JSON Schema 2020-12, validation 6.1.1 */
    return type != MESH_SCHEMA_INTEGER || !yyjson_is_real(value) ||
           mesh_schema_is_integer(mesh_schema_number(value));
}

static void type_problem(struct mesh_event_walk *walk, enum mesh_schema_type type,
                         yyjson_val *value, const struct mesh_pointer *at)
{
    static const char *const types[] = {
        [MESH_SCHEMA_OBJECT] = "an object", [MESH_SCHEMA_ARRAY] = "an array",
        [MESH_SCHEMA_STRING] = "a string",  [MESH_SCHEMA_INTEGER] = "an integer",
        [MESH_SCHEMA_NUMBER] = "a number",  [MESH_SCHEMA_BOOLEAN] = "true or false",
        [MESH_SCHEMA_NULL] = "null",
    };
    const bool is_number_type =
        type == MESH_SCHEMA_ANY || type == MESH_SCHEMA_INTEGER || type == MESH_SCHEMA_NUMBER;

    if (yyjson_is_raw(value) && is_number_type) { /* see MESH_EVENT_READ_FLAGS */
        mesh_event_problem(walk, at, "must be a number that 64 bits can hold");
    } else {
        mesh_event_problem(walk, at, "must be %s", types[type]);
    }
}

static bool choice_is(const struct mesh_schema_choice *choice, yyjson_val *value)
{
    switch (choice->type) {
    case MESH_SCHEMA_STRING:
        return yyjson_is_str(value) && mesh_bytes_equal(choice->text, mesh_schema_text(value));
    case MESH_SCHEMA_NUMBER:
        return yyjson_is_num(value) && choice->number == mesh_schema_number(value);
    case MESH_SCHEMA_BOOLEAN:
        return yyjson_is_bool(value) && choice->truth == yyjson_get_bool(value);
    default:
        return yyjson_is_null(value);
    }
}

static void choices_check(struct mesh_event_walk *walk, const struct mesh_schema *schema,
                          yyjson_val *value, const struct mesh_pointer *at)
{
    for (size_t i = 0; i < schema->choice_count; i++) {
        if (choice_is(&schema->choices[i], value)) {
            if (schema == walk->stream->count_schema) {
                walk->group = i;
            }
            return;
        }
    }
    mesh_event_problem(walk, at, "is not one of the values that the schema lists");
}

static void value_write(struct mesh_event_walk *walk, const struct mesh_schema *schema,
                        yyjson_val *value, struct place place)
{
    switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_OBJ:
        object_check(walk, schema, value, place);
        break;
    case YYJSON_TYPE_ARR:
        array_check(walk, schema, value, place);
        break;
    case YYJSON_TYPE_STR:
        mesh_event_check_string(walk, schema, value, place.at);
        break;
    case YYJSON_TYPE_NUM:
        mesh_event_check_number(walk, schema, value, place.at);
        break;
    case YYJSON_TYPE_BOOL:
        mesh_buffer_add_text(walk->out, yyjson_get_bool(value) ? "true" : "false");
        break;
    default:
        mesh_buffer_add_text(walk->out, "null");
    }
}

static void value_check(struct mesh_event_walk *walk, const struct mesh_schema *schema,
                        yyjson_val *value, struct place place)
{
    if (!type_fits(schema->type, value)) {
        type_problem(walk, schema->type, value, place.at);
        return;
    }
    if (yyjson_is_ctn(value) && place.depth >= MESH_EVENT_DEPTH_MAX) {
        mesh_event_problem(walk, place.at, "must not be nested deeper than %d levels",
                           MESH_EVENT_DEPTH_MAX);
        return;
    }
    if (schema->choice_count > 0) {
        choices_check(walk, schema, value, place.at);
    }
    value_write(walk, schema, value, place);
    if (walk->out->size - walk->out_start > MESH_EVENT_BYTES_MAX) {
        mesh_event_too_big(walk);
    }
}

bool mesh_event_check(const struct mesh_stream *stream, yyjson_val *value, struct mesh_buffer *out,
                      uint8_t *out_group, struct mesh_problems *problems)
{
    const struct mesh_pointer root = {0};
    struct mesh_event_walk walk = {
        .stream = stream,
        .out = out,
        .out_start = out->size,
        .problems = problems,
        /* "Unknown", or the only group */
        .group = stream->group_count - 1,
    };

    problems->count = 0;
    value_check(&walk, stream->schema, value, (struct place){.at = &root});
    if (problems->count > 0) {
        out->size = walk.out_start;
        if (out->data != NULL) {
            out->data[out->size] = '\0';
        }
        return false;
    }
    *out_group = (uint8_t)walk.group;
    return true;
}

uint8_t mesh_stream_group(const struct mesh_stream *stream, struct mesh_bytes count_by_value)
{
    const struct mesh_schema *schema = stream->count_schema;

    if (schema != NULL && schema->is_country) {
        return (uint8_t)mesh_country_find(count_by_value);
    }
    if (schema != NULL) {
        for (size_t i = 0; i < schema->choice_count; i++) {
            if (mesh_bytes_equal(schema->choices[i].text, count_by_value)) {
                return (uint8_t)i;
            }
        }
    }
    return (uint8_t)(stream->group_count - 1);
}
