/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/clock.h"
#include "mesh/event.h"
#include "schema.h"
#include "store_name.h"

#include <string.h>

void mesh_event_write_record(const struct mesh_id *id, int64_t received_at_ms,
                             struct mesh_bytes normalised, struct mesh_buffer *out)
{
    char time[MESH_TIME_TEXT_SIZE];

    mesh_time_format(received_at_ms, time);
    mesh_buffer_add_text(out, "{\"id\":\"");
    mesh_buffer_add(out, mesh_bytes_of(id->text, MESH_ID_LENGTH));
    mesh_buffer_add_text(out, "\",\"received_at\":\"");
    mesh_buffer_add(out, mesh_bytes_of(time, sizeof(time) - 1));
    mesh_buffer_add_text(out, normalised.size > 2 ? "\"," : "\"");
    mesh_buffer_add(out, mesh_bytes_of(normalised.data + 1, normalised.size - 1));
}

const char *mesh_store_name_problem(struct mesh_bytes name)
{
    if (name.size == 0) {
        return "has an empty name";
    }
    if (name.data[0] == '$') {
        return "has a name that begins with $";
    }
    for (size_t i = 0; i < name.size; i++) { /* names are short: memchr() would cost more */
        if (name.data[i] == '.' || name.data[i] == '\0') {
            return name.data[i] == '.' ? "has a name with a dot" : "has a name with U+0000";
        }
    }
    return NULL;
}

bool mesh_store_name_is_double(yyjson_val *object, yyjson_val *key)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    yyjson_val *other;

    while ((other = yyjson_obj_iter_next(&iter)) != NULL && other != key) {
        if (mesh_bytes_equal(mesh_schema_text(other), mesh_schema_text(key))) {
            return true;
        }
    }
    return false;
}

static const char *value_problem(yyjson_val *value, size_t depth);

/* One of 64 bits for a name: names with different bits differ, so most need no comparing. */
static uint64_t name_bit(struct mesh_bytes name)
{
    return UINT64_C(1) << ((name.size ^ name.data[0]) & 63);
}

static const char *object_problem(yyjson_val *object, size_t depth)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    uint64_t seen = 0;
    yyjson_val *key;

    /* Two more than an event: id and received_at. */
    if (yyjson_obj_size(object) > MESH_EVENT_MEMBERS_MAX + 2) {
        return "an object has too many members";
    }
    while ((key = yyjson_obj_iter_next(&iter)) != NULL) {
        const struct mesh_bytes name = mesh_schema_text(key);
        if (mesh_store_name_problem(name) != NULL) {
            return "a member has a name that MongoDB cannot take";
        }
        if ((seen & name_bit(name)) != 0 && mesh_store_name_is_double(object, key)) {
            return "a member is there twice";
        }
        seen |= name_bit(name);
        const char *problem = value_problem(yyjson_obj_iter_get_val(key), depth);
        if (problem != NULL) {
            return problem;
        }
    }
    return NULL;
}

static const char *array_problem(yyjson_val *array, size_t depth)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(array);
    yyjson_val *value;

    while ((value = yyjson_arr_iter_next(&iter)) != NULL) {
        const char *problem = value_problem(value, depth);
        if (problem != NULL) {
            return problem;
        }
    }
    return NULL;
}

/* What the archive could not hold, or what would be read wrongly; NULL: nothing. */
static const char *value_problem(yyjson_val *value, size_t depth)
{
    static const char *const too_deep = "is nested too deeply";
    static const char *const too_wide = "a number does not fit in 64 bits";

    switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_RAW: /* see MESH_EVENT_READ_FLAGS */
        return too_wide;
    case YYJSON_TYPE_NUM:
        return yyjson_is_uint(value) && yyjson_get_uint(value) > INT64_MAX ? too_wide : NULL;
    case YYJSON_TYPE_OBJ:
        return depth >= MESH_EVENT_DEPTH_MAX ? too_deep : object_problem(value, depth + 1);
    case YYJSON_TYPE_ARR:
        return depth >= MESH_EVENT_DEPTH_MAX ? too_deep : array_problem(value, depth + 1);
    default:
        return NULL;
    }
}

/* The members of a record that have a meaning here. */
struct members {
    yyjson_val *id;
    yyjson_val *received_at;
    yyjson_val *count_by;
    bool reserved; /* there is one with a reserved name */
};

/* All in one pass; of doubles, which are refused later, the last. */
static struct members members_find(yyjson_val *root, struct mesh_bytes count_by)
{
    struct members members = {0};
    yyjson_obj_iter iter = yyjson_obj_iter_with(root);
    yyjson_val *key;

    while ((key = yyjson_obj_iter_next(&iter)) != NULL) {
        const struct mesh_bytes name = mesh_schema_text(key);
        if (mesh_bytes_equal(name, count_by)) {
            members.count_by = yyjson_obj_iter_get_val(key);
        } else if (mesh_bytes_equal_text(name, "id")) {
            members.id = yyjson_obj_iter_get_val(key);
        } else if (mesh_bytes_equal_text(name, "received_at")) {
            members.received_at = yyjson_obj_iter_get_val(key);
        } else if (mesh_bytes_equal_text(name, "_id") || mesh_bytes_equal_text(name, "kafka") ||
                   mesh_bytes_equal_text(name, "traceparent")) {
            members.reserved = true;
        }
    }
    return members;
}

static const char *record_problem(yyjson_val *root, const struct members *members,
                                  struct mesh_record *record)
{
    if (!yyjson_is_obj(root)) {
        return "is not a JSON object";
    }
    if (!yyjson_is_str(members->id) || !mesh_id_parse(mesh_schema_text(members->id), &record->id)) {
        return "id is missing or no UUID";
    }
    if (!yyjson_is_str(members->received_at) ||
        !mesh_time_parse(mesh_schema_text(members->received_at), &record->received_at_ms)) {
        return "received_at is missing or no RFC 3339 date-time";
    }
    if (members->reserved) {
        return "a member has a reserved name";
    }
    return value_problem(root, 0);
}

bool mesh_record_read(const struct mesh_stream *stream, struct mesh_bytes value,
                      struct mesh_record *out, const char **reason)
{
    return mesh_record_read_into(NULL, stream, value, out, reason);
}

bool mesh_record_read_into(const yyjson_alc *memory, const struct mesh_stream *stream,
                           struct mesh_bytes value, struct mesh_record *out, const char **reason)
{
    struct mesh_record record = {0};
    /* yyjson only writes to its input when asked to parse in place. */
    record.doc = yyjson_read_opts((char *)(uintptr_t)value.data, value.size, MESH_EVENT_READ_FLAGS,
                                  memory, NULL);
    if (record.doc == NULL) {
        *reason = "is not JSON";
        return false;
    }
    yyjson_val *root = yyjson_doc_get_root(record.doc);
    const struct members members = members_find(root, mesh_bytes_of_text(stream->count_by));
    const char *problem = record_problem(root, &members, &record);
    if (problem != NULL) {
        *reason = problem;
        yyjson_doc_free(record.doc);
        return false;
    }
    /* Without a text to count by: "Unknown", or the only group. */
    record.group = yyjson_is_str(members.count_by)
                       ? mesh_stream_group(stream, mesh_schema_text(members.count_by))
                       : (uint8_t)(stream->group_count - 1);
    *out = record;
    return true;
}

void mesh_record_done(struct mesh_record *record)
{
    yyjson_doc_free(record->doc);
    record->doc = NULL;
}
