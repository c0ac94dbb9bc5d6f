/* SPDX-License-Identifier: Apache-2.0 */
/*
 * id: an event's identity, a UUID (RFC 9562) in its canonical text form.
 *
 * UUIDv7 where the client gave no Idempotency-Key: time-ordered, unique. UUIDv8 derived by SHA-256
 * from stream, client, key and index where it did: a retry to any replica gives the same id.
 * Threads: any. Nothing blocks (but getrandom() at boot).
 */
#ifndef MESH_ID_H
#define MESH_ID_H

#include "mesh/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESH_ID_LENGTH 36

struct mesh_id {
    char text[MESH_ID_LENGTH + 1]; /* lower case, NUL at the end */
};

struct mesh_id_source {
    const char *stream;
    struct mesh_bytes client; /* who was authenticated; empty: nobody */
    struct mesh_bytes key;    /* Idempotency-Key */
    size_t index;             /* in a batch; 0 for a single event */
};

struct mesh_id mesh_id_new(int64_t wall_ms);
struct mesh_id mesh_id_derive(const struct mesh_id_source *source);
/* True when text is a UUID in canonical lower-case form; then *out_id holds it. */
bool mesh_id_parse(struct mesh_bytes text, struct mesh_id *out_id);

#endif
