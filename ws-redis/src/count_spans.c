/* SPDX-License-Identifier: Apache-2.0 */
#include "count_spans.h"

#include "mesh/clock.h"
#include "mesh/spans.h"

#include <stdio.h>

void count_spans_record(const struct window *window, bool counted)
{
    const int64_t now_us = mesh_clock_mono_us();
    char partition[16];

    (void)snprintf(partition, sizeof(partition), "%u", window->partition);
    for (size_t i = 0; i < window->trace_count; i++) {
        const struct window_trace *trace = &window->traces[i];
        const struct mesh_span_attribute attributes[] = {
            MESH_SPAN_TEXT("tweetmesh.stream", window->stream->name),
            MESH_SPAN_TEXT("messaging.destination.partition.id", partition),
            MESH_SPAN_INT("messaging.kafka.offset", trace->offset),
            MESH_SPAN_TEXT("db.system.name", "redis"),
            MESH_SPAN_TEXT("db.operation.name", "FCALL"),
            MESH_SPAN_TEXT("db.stored_procedure.name", "tweetmesh_apply_many"),
            MESH_SPAN_TEXT("error.type", "redis_refused"), /* the last: left out when all is well */
        };
        struct mesh_trace_context context = trace->send;
        mesh_span_id_new(context.span_id);
        mesh_span_record(&(struct mesh_span){
            .name = "count",
            .kind = MESH_SPAN_CONSUMER,
            .context = context,
            .parent = trace->send.span_id,
            .start_us = trace->received_us,
            .end_us = now_us,
            .error = counted ? NULL : "Redis refused it; the consumer counts it",
            .attributes = attributes,
            .attribute_count = MESH_COUNT_OF(attributes) - (counted ? 1 : 0),
        });
    }
}
