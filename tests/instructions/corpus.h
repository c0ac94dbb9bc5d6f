/* SPDX-License-Identifier: Apache-2.0 */
/*
 * corpus: the same events each time: the project's tweets with ids and places that never change.
 *
 * Threads: read-only once made. Must be made with the project as the working folder.
 */
#ifndef INSTRUCTIONS_CORPUS_H
#define INSTRUCTIONS_CORPUS_H

#include "mesh/bytes.h"
#include "mesh/id.h"
#include "mesh/stream.h"

#include <stddef.h>
#include <stdint.h>

#define CORPUS_LEN 1000
#define CORPUS_RECEIVED_MS INT64_C(1795219200123) /* when every event was received */
#define CORPUS_PARTITION 3                        /* where they are in Kafka, */
#define CORPUS_FIRST_OFFSET INT64_C(12345678)     /* one behind the other */

struct corpus_event {
    struct mesh_bytes json;       /* as a client sends it */
    struct mesh_bytes normalised; /* as mesh_event_check() writes it */
    uint8_t group;
    struct mesh_id id;
};

struct corpus {
    struct mesh_streams *streams;
    const struct mesh_stream *stream;
    struct corpus_event at[CORPUS_LEN];
    struct mesh_buffer text;       /* of all json */
    struct mesh_buffer normalised; /* of all normalised */
};

/* The caller owns the result. NULL, after a line on stderr: a file is missing, too short, or has an
 * event that does not fit its schema. */
struct corpus *corpus_new(void);
/* The event that is `index`-th of a round; they come again after CORPUS_LEN. */
const struct corpus_event *corpus_event(const struct corpus *corpus, size_t round, size_t index);
/* The offset of a round's first event in Kafka. */
int64_t corpus_offset(size_t round);
/* Accepts NULL. */
void corpus_free(struct corpus *corpus);

#endif
