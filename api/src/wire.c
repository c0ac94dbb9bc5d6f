/* SPDX-License-Identifier: Apache-2.0 */
/* https://protobuf.dev/programming-guides/encoding/ */
#include "wire.h"

#include "mesh/trace.h"
#include "mesh/varint.h"

#include <assert.h>
#include <string.h>

#define STREAM_NAME_MAX 63

enum wire_type { WIRE_VARINT = 0, WIRE_BYTES = 2 };

/* Numbers in ingest.proto. All are below 16, so a tag is one byte. */
enum { REQUEST_SEQUENCE = 1, REQUEST_EVENTS = 2 };
enum { EVENT_STREAM = 1, EVENT_ID, EVENT_PAYLOAD, EVENT_RECEIVED_AT, EVENT_TRACEPARENT };

static uint8_t tag(unsigned field, enum wire_type type)
{
    return (uint8_t)(field << 3 | type);
}

static size_t put_bytes(uint8_t *out, unsigned field, const char *text, size_t text_size)
{
    assert(text_size < 0x80);
    out[0] = tag(field, WIRE_BYTES);
    out[1] = (uint8_t)text_size;
    memcpy(out + 2, text, text_size);
    return text_size + 2;
}

void wire_add_event(struct mesh_buffer *out, const struct wire_event *event)
{
    uint8_t fields[(2 + STREAM_NAME_MAX) + (2 + MESH_ID_LENGTH) + (1 + MESH_VARINT_SIZE_MAX) +
                   (2 + MESH_TRACEPARENT_LENGTH) + (1 + MESH_VARINT_SIZE_MAX)];
    size_t size = 0;
    size += put_bytes(fields + size, EVENT_STREAM, event->stream, strlen(event->stream));
    size += put_bytes(fields + size, EVENT_ID, event->id->text, MESH_ID_LENGTH);
    fields[size++] = tag(EVENT_RECEIVED_AT, WIRE_VARINT);
    size += mesh_varint_write(fields + size, (uint64_t)event->received_at_ms);
    size +=
        put_bytes(fields + size, EVENT_TRACEPARENT, event->traceparent, strlen(event->traceparent));
    fields[size++] = tag(EVENT_PAYLOAD, WIRE_BYTES);
    size += mesh_varint_write(fields + size, event->payload.size);

    uint8_t head[1 + MESH_VARINT_SIZE_MAX];
    head[0] = tag(REQUEST_EVENTS, WIRE_BYTES);
    size_t head_size = 1 + mesh_varint_write(head + 1, size + event->payload.size);

    mesh_buffer_add(out, mesh_bytes_of(head, head_size));
    mesh_buffer_add(out, mesh_bytes_of(fields, size));
    mesh_buffer_add(out, event->payload);
}

size_t wire_write_sequence(uint8_t out[static WIRE_SEQUENCE_SIZE_MAX], uint64_t sequence)
{
    out[0] = tag(REQUEST_SEQUENCE, WIRE_VARINT);
    return 1 + mesh_varint_write(out + 1, sequence);
}
