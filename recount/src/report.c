/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include <inttypes.h>

static void add_json(const struct rebuilt *rebuilt, struct mesh_buffer *out)
{
    mesh_buffer_add_json(out, mesh_bytes_of_text(rebuilt->stream->name));
    mesh_buffer_add_format(out,
                           ": {\"from\": \"%s\", \"total\": %" PRIu64 ", \"settled\": %" PRIu64
                           ", \"duplicates\": %" PRIu64 ", \"not_counted\": %" PRIu64
                           ", \"before_log\": %" PRIu64 ", \"took_ms\": %" PRId64,
                           rebuilt->source, rebuilt->total, rebuilt->settled, rebuilt->duplicates,
                           rebuilt->not_counted, rebuilt->archived_before, rebuilt->took_ms);
    if (rebuilt->had_total) {
        mesh_buffer_add_format(out, ", \"total_before\": %" PRIu64 "}", rebuilt->total_before);
    } else {
        mesh_buffer_add_text(out, ", \"total_before\": null}");
    }
}

static void add_line(const struct rebuilt *rebuilt, struct mesh_buffer *out)
{
    mesh_buffer_add_format(out, "%s: %" PRIu64 " events counted from %s", rebuilt->stream->name,
                           rebuilt->total, rebuilt->source);
    if (rebuilt->archived_before > 0) {
        mesh_buffer_add_format(out, " (%" PRIu64 " from before the log's beginning)",
                               rebuilt->archived_before);
    }
    if (rebuilt->had_total) {
        mesh_buffer_add_format(out, ", the counters had %" PRIu64, rebuilt->total_before);
    }
    mesh_buffer_add_format(out, "; %" PRId64 " ms\n", rebuilt->took_ms);
}

void report(const struct rebuilt *rebuilt, size_t count, bool json, struct mesh_buffer *out)
{
    mesh_buffer_add_text(out, json ? "{\"streams\": {" : "");
    for (size_t i = 0; i < count; i++) {
        if (json) {
            mesh_buffer_add_text(out, i == 0 ? "" : ", ");
            add_json(&rebuilt[i], out);
        } else {
            add_line(&rebuilt[i], out);
        }
    }
    mesh_buffer_add_text(out, json ? "}}\n" : "");
}
