/* SPDX-License-Identifier: Apache-2.0 */
#include "event_walk.h"
#include "mesh/clock.h"
#include "mesh/country.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void mesh_event_problem(struct mesh_event_walk *walk, const struct mesh_pointer *at,
                        const char *format, ...)
{
    struct mesh_problems *problems = walk->problems;
    struct mesh_problem *problem = &problems->at[problems->count];
    va_list args;

    if (walk->stopped) {
        return;
    }
    mesh_pointer_write(at, problem->pointer, sizeof(problem->pointer));
    va_start(args, format);
    (void)vsnprintf(problem->reason, sizeof(problem->reason), format, args);
    va_end(args);
    problems->count++;
    walk->stopped = problems->count == MESH_PROBLEM_COUNT_MAX;
}

void mesh_event_too_big(struct mesh_event_walk *walk)
{
    const struct mesh_pointer root = {0};
    mesh_event_problem(walk, &root, "must have at most %d bytes as JSON without white space",
                       MESH_EVENT_BYTES_MAX);
    walk->stopped = true;
}

/* ---- strings ---- */

/* A text that needs no escape. */
static void plain_write(struct mesh_buffer *out, struct mesh_bytes text)
{
    char *room = mesh_buffer_room(out, text.size + 2);

    room[0] = '"';
    memcpy(room + 1, text.data, text.size);
    room[text.size + 1] = '"';
    room[text.size + 2] = '\0';
    out->size += text.size + 2;
}

bool mesh_event_write_text(struct mesh_event_walk *walk, yyjson_val *string)
{
    const struct mesh_bytes text = mesh_schema_text(string);

    /* The parser saw no backslash in it: so nothing is there that would need one. */
    if (yyjson_get_subtype(string) == YYJSON_SUBTYPE_NOESC) {
        plain_write(walk->out, text);
        return true;
    }
    if (memchr(text.data, '\0', text.size) != NULL) {
        return false;
    }
    mesh_buffer_add_json(walk->out, text);
    return true;
}

static void length_check(struct mesh_event_walk *walk, const struct mesh_schema *schema,
                         struct mesh_bytes text, const struct mesh_pointer *at)
{
    /* A code point has one to four bytes, so most texts need no counting. */
    if (text.size <= schema->length_max && text.size / 4 >= schema->length_min) {
        return;
    }
    const size_t length = mesh_bytes_code_points(text);
    if (length < schema->length_min) {
        mesh_event_problem(walk, at, "must have at least %zu character%s", schema->length_min,
                           schema->length_min == 1 ? "" : "s");
    } else if (length > schema->length_max) {
        mesh_event_problem(walk, at, "must have at most %zu character%s", schema->length_max,
                           schema->length_max == 1 ? "" : "s");
    }
}

void mesh_event_check_string(struct mesh_event_walk *walk, const struct mesh_schema *schema,
                             yyjson_val *value, const struct mesh_pointer *at)
{
    const struct mesh_bytes text = mesh_schema_text(value);
    int64_t ignored = 0;

    if (text.size > MESH_EVENT_BYTES_MAX) {
        mesh_event_too_big(walk);
        return;
    }
    length_check(walk, schema, text, at);
    if (schema->is_date_time && !mesh_time_parse(text, &ignored)) {
        mesh_event_problem(walk, at, "must be an RFC 3339 date-time");
    }
    if (schema->is_country) {
        const size_t country = mesh_country_find(text);
        if (schema == walk->stream->count_schema) {
            walk->group = country;
        }
        if (country != mesh_country_unknown()) {
            const char *name = mesh_country_name(country);
            plain_write(walk->out, mesh_bytes_of(name, strlen(name)));
            return;
        }
    }
    if (!mesh_event_write_text(walk, value)) {
        mesh_event_problem(walk, at, "must not contain U+0000");
    }
}

/* ---- numbers ---- */

static void integer_write(struct mesh_event_walk *walk, int64_t integer)
{
    char text[24];
    size_t at = sizeof(text);
    uint64_t rest = integer < 0 ? -(uint64_t)integer : (uint64_t)integer;
    do {
        text[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (integer < 0) {
        text[--at] = '-';
    }
    mesh_buffer_add(walk->out, mesh_bytes_of(text + at, sizeof(text) - at));
}

/* The shortest text that reads back as the same double. */
static void real_write(struct mesh_event_walk *walk, yyjson_val *value)
{
    MESH_UNINITIALIZED _Alignas(max_align_t) char memory[1024]; /* the writer's */
    yyjson_alc pool;
    size_t size = 0;

    if (yyjson_alc_pool_init(&pool, memory, sizeof(memory))) {
        const char *text = yyjson_val_write_opts(value, 0, &pool, &size, NULL);
        if (text != NULL) {
            mesh_buffer_add(walk->out, mesh_bytes_of(text, size));
        }
    }
}

/* NULL: it can be stored. MongoDB's integers are signed, and have 64 bits. */
static const char *number_problem(const struct mesh_schema *schema, yyjson_val *value)
{
    const long double number = mesh_schema_number(value);
    const bool is_integer = yyjson_is_int(value) || schema->type == MESH_SCHEMA_INTEGER;

    if (yyjson_is_real(value) && !isfinite(yyjson_get_real(value))) {
        return "must be a finite number";
    }
    if (is_integer && (number >= MESH_SCHEMA_INTEGER_END || number < -MESH_SCHEMA_INTEGER_END)) {
        return "must fit in a signed 64-bit integer";
    }
    return NULL;
}

void mesh_event_check_number(struct mesh_event_walk *walk, const struct mesh_schema *schema,
                             yyjson_val *value, const struct mesh_pointer *at)
{
    const long double number = mesh_schema_number(value);
    const char *problem = number_problem(schema, value);

    if (problem != NULL) {
        mesh_event_problem(walk, at, "%s", problem);
        return;
    }
    if (yyjson_is_int(value)) {
        integer_write(walk, yyjson_get_sint(value));
    } else {
        real_write(walk, value);
    }
    if (schema->minimum.given && number < schema->minimum.number) {
        mesh_event_problem(walk, at, "must be at least %s", schema->minimum.text);
    }
    if (schema->maximum.given && number > schema->maximum.number) {
        mesh_event_problem(walk, at, "must be at most %s", schema->maximum.text);
    }
}
