/* SPDX-License-Identifier: Apache-2.0 */
#include "hint_traces.h"

/* Batches until a trace without a hint is forgotten; a queue of the usual length gives 25. */
#define WAITED_MAX 64

static struct hint_trace take_oldest(struct hint_traces *traces)
{
    const struct hint_trace trace = traces->ring[traces->first];
    traces->first = (traces->first + 1) % HINT_TRACES_MAX;
    traces->count--;
    return trace;
}

void hint_traces_add(struct hint_traces *traces, const struct hint_trace *trace)
{
    if (traces->count == HINT_TRACES_MAX) {
        (void)take_oldest(traces);
    }
    traces->ring[(traces->first + traces->count) % HINT_TRACES_MAX] = *trace;
    traces->count++;
}

void hint_traces_move(struct hint_traces *from, hint_traces_wanted_fn *wanted, const void *arg,
                      struct hint_traces *to)
{
    to->first = 0;
    to->count = 0;
    for (size_t left = from->count; left > 0; left--) {
        struct hint_trace trace = take_oldest(from);
        if (wanted(arg, &trace)) {
            hint_traces_add(to, &trace);
        } else if (++trace.waited < WAITED_MAX) {
            hint_traces_add(from, &trace);
        }
    }
}

void hint_traces_find(const struct hint_traces *traces, const struct hint_trace *first,
                      uint64_t width, struct hint_frame_traces *out)
{
    out->count = 0;
    for (size_t i = 0; i < traces->count && out->count < HINT_FRAME_TRACES_MAX; i++) {
        const struct hint_trace *trace = &traces->ring[(traces->first + i) % HINT_TRACES_MAX];
        if (trace->stream != first->stream || trace->partition != first->partition ||
            trace->offset - first->offset >= width) {
            continue;
        }
        Tweetmesh__V1__HintTrace *message = &out->at[out->count];
        tweetmesh__v1__hint_trace__init(message);
        message->index = (uint32_t)(trace->offset - first->offset);
        message->trace_id.data = (uint8_t *)(uintptr_t)trace->context.trace_id;
        message->trace_id.len = MESH_TRACE_ID_SIZE;
        message->span_id.data = (uint8_t *)(uintptr_t)trace->context.span_id;
        message->span_id.len = MESH_SPAN_ID_SIZE;
        out->pointers[out->count++] = message;
    }
}
