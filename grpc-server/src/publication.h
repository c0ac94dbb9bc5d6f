/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publication: one event on its way to Kafka, and the batch it belongs to.
 *
 * Threads: the maker's until publisher_send(), the publisher's until the batch is done, then the
 * maker's again. Ownership: the maker's memory all the time.
 */
#ifndef PUBLICATION_H
#define PUBLICATION_H

#include "mesh/bytes.h"
#include "mesh/error.h"
#include "mesh/id.h"
#include "mesh/trace.h"

#include <stddef.h>
#include <stdint.h>

struct publication_batch;

struct publication {
    /* The maker fills in. */
    size_t stream;           /* index among the declared streams */
    struct mesh_bytes value; /* borrowed, not copied, until the batch is done */
    int64_t received_at_ms;
    struct mesh_id id;
    struct mesh_trace trace; /* empty: the record gets no header */

    /* MESH_OK: to be sent; anything else: refused already, left alone. When the batch is done: what
     * became of it, and where it is. */
    enum mesh_code code;
    int32_t partition; /* -1: not stored */
    int64_t offset;    /* -1: not stored, or Kafka did not tell */

    struct publication_batch *batch; /* the publisher's */
};

/* Called once, when the last report of a batch is in; runs on a producer's thread and must not
 * block. */
typedef void publication_done_fn(void *arg);

struct publication_batch {
    struct publication *at;
    size_t count;
    publication_done_fn *done;
    void *arg; /* for done() */

    struct publication_batch *next; /* the publisher's */
    /* The publisher's: events without a report, and one more until all are handed over. Once it is
     * sent, its producer's thread's alone. */
    size_t pending;
    int64_t sent_us; /* the publisher's: mesh_clock_mono_us() */
};

#endif
