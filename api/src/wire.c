/* SPDX-License-Identifier: Apache-2.0 */
/* https://protobuf.dev/programming-guides/encoding/ */
#include "wire.h"

#include "mesh/trace.h"
#include "mesh/varint.h"

#include <assert.h>
#include <string.h>

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
    const size_t stream_size = strlen(event->stream);
    const uint64_t received_at = (uint64_t)event->received_at_ms;
    const bool traced = event->traceparent[0] != '\0';
    const size_t size = 2 + stream_size + 2 + MESH_ID_LENGTH + 1 + mesh_varint_size(received_at) +
                        (traced ? 2 + MESH_TRACEPARENT_LENGTH : 0) + 1 +
                        mesh_varint_size(event->payload.size) + event->payload.size;
    uint8_t *room = (uint8_t *)mesh_buffer_room(out, 1 + MESH_VARINT_SIZE_MAX + size);
    uint8_t *at = room;

    *at++ = tag(REQUEST_EVENTS, WIRE_BYTES);
    at += mesh_varint_write(at, size);
    at += put_bytes(at, EVENT_STREAM, event->stream, stream_size);
    at += put_bytes(at, EVENT_ID, event->id->text, MESH_ID_LENGTH);
    *at++ = tag(EVENT_RECEIVED_AT, WIRE_VARINT);
    at += mesh_varint_write(at, received_at);
    if (traced) {
        at += put_bytes(at, EVENT_TRACEPARENT, event->traceparent, MESH_TRACEPARENT_LENGTH);
    }
    *at++ = tag(EVENT_PAYLOAD, WIRE_BYTES);
    at += mesh_varint_write(at, event->payload.size);
    memcpy(at, event->payload.data, event->payload.size);
    at += event->payload.size;
    *at = '\0';
    out->size += (size_t)(at - room);
}

size_t wire_write_sequence(uint8_t out[static WIRE_SEQUENCE_SIZE_MAX], uint64_t sequence)
{
    out[0] = tag(REQUEST_SEQUENCE, WIRE_VARINT);
    return 1 + mesh_varint_write(out + 1, sequence);
}
