/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dead_letters: which records of a stream are in its dead letter topic.
 *
 * Threads: main. Reading blocks until the end of that topic.
 */
#ifndef DEAD_LETTERS_H
#define DEAD_LETTERS_H

#include "log_reader.h"
#include "mesh/error.h"
#include "mesh/stream.h"
#include "positions.h"

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: none. */
struct dead_letters {
    struct positions places; /* sorted */
};

/* The caller calls dead_letters_done(), also after a failure. */
MESH_MUST_CHECK
bool dead_letters_read(struct log_reader *reader, const struct mesh_stream *stream,
                       struct dead_letters *out, struct mesh_error *err);
bool dead_letters_have(const struct dead_letters *letters, int32_t partition, int64_t offset);
void dead_letters_done(struct dead_letters *letters);

#endif
