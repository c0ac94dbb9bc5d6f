/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events: the events of one request: what the client sent, what goes to grpc-server, what became
 * of each.
 *
 * Threads: one at a time. Filled by body_read() on the HTTP thread; from publish_submit() until the
 * job is finished the outcomes belong to publish; afterwards to the HTTP thread again. `wire` and
 * ids do not change after body_read(), so publish may read them as long as it holds the job.
 */
#ifndef API_EVENTS_H
#define API_EVENTS_H

#include "mesh/bytes.h"
#include "mesh/error.h"
#include "mesh/event.h"
#include "mesh/id.h"
#include "mesh/stream.h"
#include "mesh/trace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reasons listed in one answer beyond each event's first. */
#define EVENTS_EXTRA_REASONS_MAX 1024

struct event_reasons {
    struct mesh_problem *at; /* owned */
    size_t count;
};

struct event {
    struct mesh_id id;
    uint8_t group;
    enum mesh_code code; /* INVALID_ARGUMENT from the start: refused here, has no wire bytes */
    int32_t partition;   /* -1: not told */
    int64_t offset;      /* -1: not told */
    size_t wire_end;     /* of its bytes in wire; they begin where the event before it ends */
    struct event_reasons reasons; /* why it was refused */
};

struct events {
    const struct mesh_stream *stream;
    bool single; /* one JSON object: answered without a list */
    size_t count;
    struct event *at; /* owned, in the client's order */
    struct event one; /* room for the most usual case: at == &one */
    size_t refused;   /* by the schema, here */
    struct mesh_buffer
        wire; /* `repeated Event events = 2` of a PublishRequest, one after another */
    size_t extra_reasons;
    const struct mesh_trace_context *trace; /* of the span above them; NULL: not sampled */
};

/* Makes room for count events. */
void events_init(struct events *events, const struct mesh_stream *stream, size_t count);
/* Copies why an event does not fit, within EVENTS_EXTRA_REASONS_MAX. Its code becomes
 * INVALID_ARGUMENT. */
void events_refuse(struct events *events, size_t index, const struct mesh_problem *reasons,
                   size_t count);
/* Where an event's wire bytes begin. */
size_t events_wire_begin(const struct events *events, size_t index);
/* Whether it has wire bytes, so that it goes to grpc-server. */
bool events_sends(const struct events *events, size_t index);
void events_done(struct events *events);

#endif
