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
    if (memchr(name.data, '.', name.size) != NULL) {
        return "has a name with a dot";
    }
    if (memchr(name.data, '\0', name.size) != NULL) {
        return "has a name with U+0000";
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

static const char *object_problem(yyjson_val *object, size_t depth)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    yyjson_val *key;

    /* Two more than an event: id and received_at. */
    if (yyjson_obj_size(object) > MESH_EVENT_MEMBERS_MAX + 2) {
        return "an object has too many members";
    }
    while ((key = yyjson_obj_iter_next(&iter)) != NULL) {
        if (mesh_store_name_problem(mesh_schema_text(key)) != NULL) {
            return "a member has a name that MongoDB cannot take";
        }
        if (mesh_store_name_is_double(object, key)) {
            return "a member is there twice";
        }
        const char *problem = value_problem(yyjson_obj_iter_get_val(key), depth);
        if (problem != NULL) {
            return problem;
        }
    }
    return NULL;
}

/* What the archive could not hold, or what would be read wrongly; NULL: nothing. */
static const char *value_problem(yyjson_val *value, size_t depth)
{
    yyjson_arr_iter iter;
    yyjson_val *inner;

    if (yyjson_is_ctn(value) && depth >= MESH_EVENT_DEPTH_MAX) {
        return "is nested too deeply";
    }
    if (yyjson_is_raw(value) || (yyjson_is_uint(value) && yyjson_get_uint(value) > INT64_MAX)) {
        return "a number does not fit in 64 bits";
    }
    if (yyjson_is_obj(value)) {
        return object_problem(value, depth + 1);
    }
    if (yyjson_is_arr(value)) {
        iter = yyjson_arr_iter_with(value);
        while ((inner = yyjson_arr_iter_next(&iter)) != NULL) {
            const char *problem = value_problem(inner, depth + 1);
            if (problem != NULL) {
                return problem;
            }
        }
    }
    return NULL;
}

static const char *record_problem(yyjson_val *root, struct mesh_record *record)
{
    static const char *const reserved[] = {"_id", "kafka", "traceparent"};
    yyjson_val *id = yyjson_obj_get(root, "id");
    yyjson_val *received_at = yyjson_obj_get(root, "received_at");

    if (!yyjson_is_obj(root)) {
        return "is not a JSON object";
    }
    if (!yyjson_is_str(id) || !mesh_id_parse(mesh_schema_text(id), &record->id)) {
        return "id is missing or no UUID";
    }
    if (!yyjson_is_str(received_at) ||
        !mesh_time_parse(mesh_schema_text(received_at), &record->received_at_ms)) {
        return "received_at is missing or no RFC 3339 date-time";
    }
    for (size_t i = 0; i < MESH_COUNT_OF(reserved); i++) {
        if (yyjson_obj_get(root, reserved[i]) != NULL) {
            return "a member has a reserved name";
        }
    }
    return value_problem(root, 0);
}

bool mesh_record_read(const struct mesh_stream *stream, struct mesh_bytes value,
                      struct mesh_record *out, const char **reason)
{
    struct mesh_record record = {0};
    /* yyjson only writes to its input when asked to parse in place. */
    record.doc = yyjson_read_opts((char *)(uintptr_t)value.data, value.size, MESH_EVENT_READ_FLAGS,
                                  NULL, NULL);
    if (record.doc == NULL) {
        *reason = "is not JSON";
        return false;
    }
    yyjson_val *root = yyjson_doc_get_root(record.doc);
    const char *problem = record_problem(root, &record);
    if (problem != NULL) {
        *reason = problem;
        yyjson_doc_free(record.doc);
        return false;
    }
    yyjson_val *count_by = stream->count_by != NULL ? yyjson_obj_get(root, stream->count_by) : NULL;
    /* Without a text to count by: "Unknown", or the only group. */
    record.group = yyjson_is_str(count_by) ? mesh_stream_group(stream, mesh_schema_text(count_by))
                                           : (uint8_t)(stream->group_count - 1);
    *out = record;
    return true;
}

void mesh_record_done(struct mesh_record *record)
{
    yyjson_doc_free(record->doc);
    record->doc = NULL;
}
