/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire: reads a PublishRequest where it lies: no copies, no memory of its own.
 *
 * Why not protobuf-c: it walks the message twice, allocates and copies each field of each event,
 * and would first have to be kept from spending 48 bytes on every field of two bytes. Threads: any;
 * all memory is the caller's.
 */
#ifndef WIRE_H
#define WIRE_H

#include "mesh/bytes.h"
#include "mesh/error.h"
#include "mesh/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Views of the message; what is not there is empty. Text is any bytes: neither UTF-8 nor free of
 * NULs. */
struct wire_event {
    struct mesh_bytes stream;
    struct mesh_bytes id;
    struct mesh_bytes payload;
    struct mesh_bytes traceparent;
    uint64_t received_at;
};

/* Counts a message's events, without looking into them, and finds its sequence. False, with *err
 * filled in (INVALID_ARGUMENT): malformed, no event, or more than MESH_EVENT_COUNT_MAX. */
MESH_MUST_CHECK
bool wire_count(struct mesh_bytes message, size_t *out_count, uint64_t *out_sequence,
                struct mesh_error *err);

/* Reads the events of a message for which wire_count() gave `count`. False, with *err filled in
 * (INVALID_ARGUMENT): one of them is malformed. */
MESH_MUST_CHECK
bool wire_read(struct mesh_bytes message, struct wire_event *out_events, size_t count,
               struct mesh_error *err);

#endif
