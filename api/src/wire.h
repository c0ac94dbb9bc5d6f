/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire: writes PublishRequest as protobuf, piece by piece.
 *
 * protobuf-c would want every event unpacked into structs again each time a message is put
 * together; an event written once on the HTTP thread is only copied afterwards. The test reads the
 * bytes back with protobuf-c. Threads: any; no shared state.
 */
#ifndef API_WIRE_H
#define API_WIRE_H

#include "mesh/bytes.h"
#include "mesh/id.h"

#include <stddef.h>
#include <stdint.h>

struct wire_event {
    const char *stream;
    const struct mesh_id *id;
    const char *traceparent; /* MESH_TRACEPARENT_LENGTH characters; empty: it has no trace */
    int64_t received_at_ms;
    struct mesh_bytes payload;
};

/* What an entry has besides payload, stream and traceparent, at most. */
#define WIRE_EVENT_MORE_BYTES 72
/* Appends one entry of `repeated Event events`. */
void wire_add_event(struct mesh_buffer *out, const struct wire_event *event);

#define WIRE_SEQUENCE_SIZE_MAX 11
/* Writes the field `sequence`; returns its size. */
size_t wire_write_sequence(uint8_t out[static WIRE_SEQUENCE_SIZE_MAX], uint64_t sequence);

#endif
