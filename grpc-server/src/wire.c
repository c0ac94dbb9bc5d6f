/* SPDX-License-Identifier: Apache-2.0 */
/* https://protobuf.dev/programming-guides/encoding/ */
#include "wire.h"

#include "mesh/event.h"

#include <assert.h>

enum wire_type { WIRE_VARINT = 0, WIRE_64_BIT = 1, WIRE_BYTES = 2, WIRE_32_BIT = 5 };

/* Numbers in ingest.proto. */
enum { REQUEST_SEQUENCE = 1, REQUEST_EVENTS = 2 };
enum { EVENT_STREAM = 1, EVENT_ID, EVENT_PAYLOAD, EVENT_RECEIVED_AT, EVENT_TRACEPARENT };

/* An event has five fields; room for those that later versions add. */
enum { FIELDS_PER_EVENT_MAX = 16, FIELDS_BESIDES_MAX = 64 };

struct field {
    uint64_t number;
    enum wire_type type;
    uint64_t value;          /* of WIRE_VARINT */
    struct mesh_bytes bytes; /* of the others */
};

static bool long_varint_read(struct mesh_bytes *rest, uint64_t *out_value)
{
    uint64_t value = 0;

    for (size_t i = 0; i < 10 && i < rest->size; i++) {
        value |= (uint64_t)(rest->data[i] & 0x7f) << (7 * i);
        if ((rest->data[i] & 0x80) == 0) {
            *rest = mesh_bytes_of(rest->data + i + 1, rest->size - i - 1);
            *out_value = value;
            return true;
        }
    }
    return false;
}

static inline bool varint_read(struct mesh_bytes *rest, uint64_t *out_value)
{
    if (rest->size == 0 || rest->data[0] >= 0x80) {
        return long_varint_read(rest, out_value);
    }
    *out_value = rest->data[0]; /* all tags and most sizes */
    *rest = mesh_bytes_of(rest->data + 1, rest->size - 1);
    return true;
}

static inline bool bytes_read(struct mesh_bytes *rest, uint64_t size, struct mesh_bytes *out_bytes)
{
    if (size > rest->size) {
        return false;
    }
    *out_bytes = mesh_bytes_of(rest->data, (size_t)size);
    *rest = mesh_bytes_of(rest->data + size, rest->size - (size_t)size);
    return true;
}

static inline bool field_read(struct mesh_bytes *rest, struct field *out_field)
{
    uint64_t tag = 0;
    uint64_t size = 0;

    if (!varint_read(rest, &tag)) {
        return false;
    }
    out_field->number = tag >> 3;
    out_field->type = (enum wire_type)(tag & 7);
    switch (out_field->type) {
    case WIRE_BYTES:
        return varint_read(rest, &size) && bytes_read(rest, size, &out_field->bytes);
    case WIRE_VARINT:
        return varint_read(rest, &out_field->value);
    case WIRE_64_BIT:
        return bytes_read(rest, 8, &out_field->bytes);
    case WIRE_32_BIT:
        return bytes_read(rest, 4, &out_field->bytes);
    default: /* groups, which proto3 does not have */
        return false;
    }
}

static bool malformed(struct mesh_error *err)
{
    return mesh_fail(err, MESH_INVALID_ARGUMENT, "the message is not a PublishRequest");
}

bool wire_count(struct mesh_bytes message, size_t *out_count, uint64_t *out_sequence,
                struct mesh_error *err)
{
    size_t events = 0;
    size_t others = 0;
    struct field field;

    *out_sequence = 0;
    while (message.size > 0) {
        if (!field_read(&message, &field)) {
            return malformed(err);
        }
        if (field.number == REQUEST_EVENTS && field.type == WIRE_BYTES) {
            if (++events > MESH_EVENT_COUNT_MAX) {
                return mesh_fail(err, MESH_INVALID_ARGUMENT,
                                 "the request holds more than %d events", MESH_EVENT_COUNT_MAX);
            }
        } else if (++others > FIELDS_BESIDES_MAX || field.number == REQUEST_EVENTS) {
            return malformed(err);
        } else if (field.number == REQUEST_SEQUENCE) {
            if (field.type != WIRE_VARINT) {
                return malformed(err);
            }
            *out_sequence = field.value;
        }
    }
    if (events == 0) {
        return mesh_fail(err, MESH_INVALID_ARGUMENT, "the request holds no event");
    }
    *out_count = events;
    return true;
}

/* The last of a field counts, as proto3 wants it. */
static bool event_read(struct mesh_bytes event, struct wire_event *out)
{
    struct field field;

    *out = (struct wire_event){0};
    for (size_t fields = 0; event.size > 0; fields++) {
        if (fields == FIELDS_PER_EVENT_MAX || !field_read(&event, &field)) {
            return false;
        }
        struct mesh_bytes *bytes = NULL;
        switch (field.number) {
        case EVENT_STREAM:
            bytes = &out->stream;
            break;
        case EVENT_ID:
            bytes = &out->id;
            break;
        case EVENT_PAYLOAD:
            bytes = &out->payload;
            break;
        case EVENT_TRACEPARENT:
            bytes = &out->traceparent;
            break;
        case EVENT_RECEIVED_AT:
            if (field.type != WIRE_VARINT) {
                return false;
            }
            out->received_at = field.value;
            continue;
        default:
            continue;
        }
        if (field.type != WIRE_BYTES) {
            return false;
        }
        *bytes = field.bytes;
    }
    return true;
}

bool wire_read(struct mesh_bytes message, struct wire_event *out_events, size_t count,
               struct mesh_error *err)
{
    size_t read = 0;
    struct field field = {0};

    while (message.size > 0 && field_read(&message, &field)) {
        if (field.number == REQUEST_EVENTS) {
            assert(read < count);
            if (!event_read(field.bytes, &out_events[read++])) {
                return malformed(err);
            }
        }
    }
    assert(read == count);
    return true;
}
