/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/bson.h"

#include <bson/bson.h>
#include <string.h>

static void put_int32(char *at, int32_t value)
{
    uint32_t little = BSON_UINT32_TO_LE((uint32_t)value);

    memcpy(at, &little, sizeof little);
}

static void put_int64(char *at, uint64_t bits)
{
    uint64_t little = BSON_UINT64_TO_LE(bits);

    memcpy(at, &little, sizeof little);
}

/* A member's type and key; returns where its value of `size` bytes is to be put. */
static char *member(struct mesh_buffer *out, bson_type_t type, struct mesh_bytes key, size_t size)
{
    char *at = mesh_buffer_room(out, key.size + 2 + size);

    *at++ = (char)type;
    memcpy(at, key.data, key.size);
    at += key.size;
    *at++ = '\0';
    out->size += key.size + 2 + size;
    return at;
}

size_t mesh_bson_begin(struct mesh_buffer *out)
{
    (void)mesh_buffer_room(out, sizeof(int32_t));
    out->size += sizeof(int32_t); /* its length, which mesh_bson_end() knows */
    return out->size - sizeof(int32_t);
}

static size_t begin_of(struct mesh_buffer *out, bson_type_t type, struct mesh_bytes key)
{
    (void)member(out, type, key, sizeof(int32_t));
    return out->size - sizeof(int32_t);
}

size_t mesh_bson_begin_member(struct mesh_buffer *out, struct mesh_bytes key)
{
    return begin_of(out, BSON_TYPE_DOCUMENT, key);
}

void mesh_bson_end(struct mesh_buffer *out, size_t place)
{
    *mesh_buffer_room(out, 1) = '\0';
    out->size++;
    put_int32(out->data + place, (int32_t)(out->size - place));
}

void mesh_bson_add_text(struct mesh_buffer *out, struct mesh_bytes key, struct mesh_bytes text)
{
    char *at = member(out, BSON_TYPE_UTF8, key, sizeof(int32_t) + text.size + 1);

    put_int32(at, (int32_t)(text.size + 1));
    at += sizeof(int32_t);
    if (text.size > 0) {
        memcpy(at, text.data, text.size);
    }
    at[text.size] = '\0';
}

void mesh_bson_add_int32(struct mesh_buffer *out, struct mesh_bytes key, int32_t value)
{
    put_int32(member(out, BSON_TYPE_INT32, key, sizeof value), value);
}

void mesh_bson_add_int64(struct mesh_buffer *out, struct mesh_bytes key, int64_t value)
{
    put_int64(member(out, BSON_TYPE_INT64, key, sizeof value), (uint64_t)value);
}

void mesh_bson_add_date(struct mesh_buffer *out, struct mesh_bytes key, int64_t wall_ms)
{
    put_int64(member(out, BSON_TYPE_DATE_TIME, key, sizeof wall_ms), (uint64_t)wall_ms);
}

/* ---- JSON ---- */

static const char *add_array(struct mesh_buffer *out, yyjson_val *array, int depth);
static const char *add_object(struct mesh_buffer *out, yyjson_val *object, const char *const *skip,
                              int depth);

static void add_double(struct mesh_buffer *out, struct mesh_bytes key, double value)
{
    uint64_t bits = 0;

    memcpy(&bits, &value, sizeof bits);
    put_int64(member(out, BSON_TYPE_DOUBLE, key, sizeof bits), bits);
}

static void add_number(struct mesh_buffer *out, struct mesh_bytes key, yyjson_val *value)
{
    if (yyjson_is_sint(value)) {
        mesh_bson_add_int64(out, key, yyjson_get_sint(value));
    } else if (yyjson_is_real(value)) {
        add_double(out, key, yyjson_get_real(value));
    } else if (yyjson_get_uint(value) <= INT64_MAX) {
        mesh_bson_add_int64(out, key, (int64_t)yyjson_get_uint(value));
    } else {
        add_double(out, key, (double)yyjson_get_uint(value));
    }
}

/* Of a string, or of a number that was left as it is written. */
static struct mesh_bytes bytes_of(yyjson_val *text)
{
    return mesh_bytes_of(yyjson_is_raw(text) ? yyjson_get_raw(text) : yyjson_get_str(text),
                         yyjson_get_len(text));
}

static const char *add_value(struct mesh_buffer *out, struct mesh_bytes key, yyjson_val *value,
                             int depth)
{
    const char *reason = NULL;
    size_t place = 0;

    switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_NULL:
        (void)member(out, BSON_TYPE_NULL, key, 0);
        return NULL;
    case YYJSON_TYPE_BOOL:
        *member(out, BSON_TYPE_BOOL, key, 1) = yyjson_get_bool(value) ? 1 : 0;
        return NULL;
    case YYJSON_TYPE_NUM:
        add_number(out, key, value);
        return NULL;
    case YYJSON_TYPE_ARR:
        place = begin_of(out, BSON_TYPE_ARRAY, key);
        reason = add_array(out, value, depth - 1);
        mesh_bson_end(out, place);
        return reason;
    case YYJSON_TYPE_OBJ:
        place = begin_of(out, BSON_TYPE_DOCUMENT, key);
        reason = add_object(out, value, NULL, depth - 1);
        mesh_bson_end(out, place);
        return reason;
    default:
        mesh_bson_add_text(out, key, bytes_of(value));
        return NULL;
    }
}

static const char *add_array(struct mesh_buffer *out, yyjson_val *array, int depth)
{
    yyjson_arr_iter items = yyjson_arr_iter_with(array);
    uint32_t index = 0;

    if (depth <= 0) {
        return "is nested too deeply";
    }
    for (yyjson_val *item = yyjson_arr_iter_next(&items); item != NULL;
         item = yyjson_arr_iter_next(&items)) {
        char text[16];
        const char *key = NULL;
        size_t key_size = bson_uint32_to_string(index++, &key, text, sizeof text);
        const char *reason = add_value(out, mesh_bytes_of(key, key_size), item, depth);
        if (reason != NULL) {
            return reason;
        }
    }
    return NULL;
}

static bool is_skipped(struct mesh_bytes key, const char *const *skip)
{
    for (; skip != NULL && *skip != NULL; skip++) {
        /* Nearly all differ here. */
        if (key.size > 0 && (char)key.data[0] == **skip && mesh_bytes_equal_text(key, *skip)) {
            return true;
        }
    }
    return false;
}

static const char *add_object(struct mesh_buffer *out, yyjson_val *object, const char *const *skip,
                              int depth)
{
    yyjson_obj_iter members = yyjson_obj_iter_with(object);
    size_t before = out->size;

    if (depth <= 0) {
        return "is nested too deeply";
    }
    for (yyjson_val *name = yyjson_obj_iter_next(&members); name != NULL;
         name = yyjson_obj_iter_next(&members)) {
        struct mesh_bytes key = bytes_of(name);
        if (is_skipped(key, skip)) {
            continue;
        }
        if (memchr(key.data, '\0', key.size) != NULL) {
            return "has a NUL in a member's name";
        }
        const char *reason = add_value(out, key, yyjson_obj_iter_get_val(name), depth);
        if (reason != NULL) {
            return reason;
        }
    }
    return out->size - before <= MESH_BSON_DOCUMENT_BYTES_MAX ? NULL : "is too big for a document";
}

const char *mesh_bson_add_members(struct mesh_buffer *out, yyjson_val *object,
                                  const char *const *skip)
{
    return add_object(out, object, skip, MESH_BSON_DEPTH_MAX);
}
