/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include "output.h"

#include <inttypes.h>

static void write_times(const struct tally_times *times, const char *name, double seconds,
                        struct mesh_buffer *out)
{
    uint64_t count = times->since_sent.count;
    mesh_buffer_add_format(out, ",\n \"%s\": {\"count\": %" PRIu64 ", \"per_s\": %.1f", name, count,
                           (double)count / seconds);
    mesh_buffer_add_text(out, ", ");
    output_add_quantiles(out, "ms_since_sent", &times->since_sent);
    mesh_buffer_add_text(out, ", ");
    output_add_quantiles(out, "ms_since_due", &times->since_due);
    mesh_buffer_add_text(out, "}");
}

static void write_seconds(const uint32_t *by_second, uint32_t seconds, const char *name,
                          struct mesh_buffer *out)
{
    mesh_buffer_add_format(out, ",\n \"%s\": [", name);
    for (uint32_t i = 0; i < seconds; i++) {
        mesh_buffer_add_format(out, "%s%" PRIu32, i == 0 ? "" : ", ", by_second[i]);
    }
    mesh_buffer_add_text(out, "]");
}

void report_write(const struct tally *tally, double seconds, struct mesh_buffer *out)
{
    mesh_buffer_add_format(out,
                           "{\"seconds\": %.3f, \"due\": %" PRIu64 ", \"sent\": %" PRIu64
                           ", \"retried\": %" PRIu64 ", \"connects\": %" PRIu64
                           ", \"broken\": %" PRIu64 ", \"unanswered\": %" PRIu64
                           ", \"without_retry_after\": %" PRIu64 ",\n \"statuses\": {",
                           seconds, tally->due, tally->sent, tally->retried, tally->connects,
                           tally->broken, tally->unanswered, tally->without_retry_after);
    const char *between = "";
    for (int status = 0; status < TALLY_STATUS_MAX; status++) {
        if (tally->statuses[status] > 0) {
            mesh_buffer_add_format(out, "%s\"%d\": %" PRIu64, between, status,
                                   tally->statuses[status]);
            between = ", ";
        }
    }
    mesh_buffer_add_text(out, "}");
    write_times(&tally->acked, "acked", seconds, out);
    write_times(&tally->refused, "refused", seconds, out);
    write_seconds(tally->acked_by_second, tally->seconds, "acked_by_second", out);
    write_seconds(tally->refused_by_second, tally->seconds, "refused_by_second", out);
    mesh_buffer_add_text(out, "}\n");
}
