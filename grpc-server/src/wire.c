/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include "mesh/event.h"

#include <stdint.h>

/* https://protobuf.dev/programming-guides/encoding/ */
enum wire_type { WIRE_VARINT = 0, WIRE_64_BIT = 1, WIRE_BYTES = 2, WIRE_32_BIT = 5 };

enum {
    EVENTS_FIELD = 2, /* PublishRequest.events */
    /* An event has five fields; room for those that later versions add. */
    FIELDS_PER_EVENT_MAX = 16,
    FIELDS_BESIDES_MAX = 64,
};

struct field {
    uint64_t number;
    struct mesh_bytes bytes; /* of WIRE_BYTES, else empty */
};

static bool varint_read(struct mesh_bytes *rest, uint64_t *out_value)
{
    uint64_t value = 0;

    for (size_t i = 0; i < 10 && i < rest->size; i++) {
        value |= (uint64_t)(rest->data[i] & 0x7f) << (7 * i);
        if ((rest->data[i] & 0x80) == 0) {
            rest->data += i + 1;
            rest->size -= i + 1;
            *out_value = value;
            return true;
        }
    }
    return false;
}

static bool bytes_skip(struct mesh_bytes *rest, uint64_t size, struct mesh_bytes *out_bytes)
{
    if (size > rest->size) {
        return false;
    }
    *out_bytes = mesh_bytes_of(rest->data, (size_t)size);
    rest->data += size;
    rest->size -= (size_t)size;
    return true;
}

static bool field_read(struct mesh_bytes *rest, struct field *out_field)
{
    uint64_t tag = 0;
    uint64_t size = 0;
    struct mesh_bytes bytes = {0};

    if (!varint_read(rest, &tag)) {
        return false;
    }
    switch (tag & 7) {
    case WIRE_VARINT:
        if (!varint_read(rest, &size)) {
            return false;
        }
        break;
    case WIRE_64_BIT:
        if (!bytes_skip(rest, 8, &bytes)) {
            return false;
        }
        break;
    case WIRE_32_BIT:
        if (!bytes_skip(rest, 4, &bytes)) {
            return false;
        }
        break;
    case WIRE_BYTES:
        if (!varint_read(rest, &size) || !bytes_skip(rest, size, &bytes)) {
            return false;
        }
        break;
    default: /* groups, which proto3 does not have */
        return false;
    }
    *out_field = (struct field){.number = tag >> 3, .bytes = bytes};
    return true;
}

static bool malformed(struct mesh_error *err)
{
    return mesh_fail(err, MESH_INVALID_ARGUMENT, "the message is not a PublishRequest");
}

static bool event_check(struct mesh_bytes event, struct mesh_error *err)
{
    struct field field;

    for (size_t fields = 0; event.size > 0; fields++) {
        if (fields == FIELDS_PER_EVENT_MAX || !field_read(&event, &field)) {
            return malformed(err);
        }
    }
    return true;
}

bool wire_check(struct mesh_bytes message, struct mesh_error *err)
{
    size_t events = 0;
    size_t others = 0;
    struct field field;

    while (message.size > 0) {
        if (!field_read(&message, &field)) {
            return malformed(err);
        }
        if (field.number == EVENTS_FIELD) {
            events++;
            if (events > MESH_EVENT_COUNT_MAX) {
                return mesh_fail(err, MESH_INVALID_ARGUMENT,
                                 "the request holds more than %d events", MESH_EVENT_COUNT_MAX);
            }
            if (!event_check(field.bytes, err)) {
                return false;
            }
        } else if (++others > FIELDS_BESIDES_MAX) {
            return malformed(err);
        }
    }
    if (events == 0) {
        return mesh_fail(err, MESH_INVALID_ARGUMENT, "the request holds no event");
    }
    return true;
}
