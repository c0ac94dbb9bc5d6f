/* SPDX-License-Identifier: Apache-2.0 */
#include "events.h"

#include "mesh/alloc.h"

#include <stdlib.h>
#include <string.h>

void events_init(struct events *events, const struct mesh_stream *stream, size_t count)
{
    *events = (struct events){.stream = stream, .count = count};
    events->at = count == 1 ? &events->one : mesh_new_array(struct event, count);
    for (size_t i = 0; i < count; i++) {
        events->at[i].partition = -1;
        events->at[i].offset = -1;
    }
}

void events_refuse(struct events *events, size_t index, const struct mesh_problem *reasons,
                   size_t count)
{
    struct event *event = &events->at[index];
    size_t kept = event->reasons.count;
    size_t room = EVENTS_EXTRA_REASONS_MAX - events->extra_reasons;
    if (kept == 0) {
        room++;
    }
    size_t added = count < room ? count : room;
    if (added > 0) {
        event->reasons.at =
            mesh_realloc(event->reasons.at, (kept + added) * sizeof(event->reasons.at[0]));
        memcpy(event->reasons.at + kept, reasons, added * sizeof(reasons[0]));
        event->reasons.count = kept + added;
        events->extra_reasons += kept == 0 ? added - 1 : added;
    }
    event->code = MESH_INVALID_ARGUMENT;
}

size_t events_wire_begin(const struct events *events, size_t index)
{
    return index == 0 ? 0 : events->at[index - 1].wire_end;
}

bool events_sends(const struct events *events, size_t index)
{
    return events->at[index].wire_end > events_wire_begin(events, index);
}

void events_done(struct events *events)
{
    for (size_t i = 0; i < events->count; i++) {
        free(events->at[i].reasons.at);
    }
    if (events->at != &events->one) {
        free(events->at);
    }
    mesh_buffer_done(&events->wire);
    *events = (struct events){0};
}
