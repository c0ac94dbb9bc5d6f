/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include <inttypes.h>

/* One group of one stream in all stores. */
struct row {
    const char *name;
    uint64_t kafka, redis, shown, mongo;
};

static struct row row_of(const struct findings *findings, size_t group)
{
    if (group == findings->stream->group_count) {
        return (struct row){"(not in the stream file)", findings->kafka.foreign,
                            findings->redis.foreign, findings->shown.foreign,
                            findings->mongo.foreign};
    }
    return (struct row){findings->stream->group_names[group], findings->kafka.groups[group],
                        findings->redis.groups[group], findings->shown.groups[group],
                        findings->mongo.groups[group]};
}

static void add_name(struct mesh_buffer *out, const char *name)
{
    mesh_buffer_add_json(out, mesh_bytes_of_text(name));
}

/* Their names as JSON strings; those behind the limit are counted only. */
static void add_ids(struct mesh_buffer *out, const struct strays *strays)
{
    for (size_t i = 0; i < compare_named(strays); i++) {
        mesh_buffer_add_text(out, i == 0 ? "" : ", ");
        add_name(out, strays->ids[i]);
    }
}

/* {"missing": [ids]}; nothing when there are none. Returns what separates the next from it. */
static const char *add_strays(struct mesh_buffer *out, const char *comma, const char *name,
                              const struct strays *strays)
{
    if (strays->count == 0) {
        return comma;
    }
    mesh_buffer_add_format(out, "%s{\"%s\": [", comma, name);
    add_ids(out, strays);
    mesh_buffer_add_text(out, "]}");
    return ", ";
}

static void add_differences(struct mesh_buffer *out, const struct findings *findings)
{
    const char *comma = "";

    mesh_buffer_add_text(out, ", \"differences\": [");
    for (size_t group = 0; group <= findings->stream->group_count; group++) {
        if (compare_group(findings, group)) {
            continue;
        }
        struct row row = row_of(findings, group);
        mesh_buffer_add_format(out, "%s{\"group\": ", comma);
        add_name(out, row.name);
        mesh_buffer_add_format(out,
                               ", \"kafka\": %" PRIu64 ", \"redis\": %" PRIu64
                               ", \"shown\": %" PRIu64 ", \"mongo\": %" PRIu64 "}",
                               row.kafka, row.redis, row.shown, row.mongo);
        comma = ", ";
    }
    comma = add_strays(out, comma, "missing", &findings->missing);
    (void)add_strays(out, comma, "foreign", &findings->foreign);
    mesh_buffer_add_text(out, "]");
}

static void add_groups(struct mesh_buffer *out, const struct findings *findings)
{
    const char *comma = "";

    mesh_buffer_add_text(out, ", \"groups\": {");
    for (size_t group = 0; group < findings->stream->group_count; group++) {
        if (findings->kafka.groups[group] > 0) {
            mesh_buffer_add_text(out, comma);
            add_name(out, findings->stream->group_names[group]);
            mesh_buffer_add_format(out, ": %" PRIu64, findings->kafka.groups[group]);
            comma = ", ";
        }
    }
    mesh_buffer_add_text(out, "}");
}

static void add_stream(struct mesh_buffer *out, const struct findings *findings, bool all_groups)
{
    add_name(out, findings->stream->name);
    mesh_buffer_add_format(
        out,
        ": {\"kafka_records\": %" PRIu64 ", \"kafka_events\": %" PRIu64 ", \"redis\": %" PRIu64
        ", \"mongo\": %" PRIu64 ", \"groups_differing\": %zu, \"equal\": %s, \"shown\": %" PRIu64
        ", \"repeated\": %" PRIu64 ", \"dead_letters\": %" PRIu64 ", \"undeliverable\": %" PRIu64
        ", \"unsettled\": %" PRIu64 ", \"missing\": %" PRIu64 ", \"foreign\": %" PRIu64
        ", \"before_log\": %" PRIu64,
        findings->records, findings->kafka.total, findings->redis.total, findings->mongo.total,
        compare_differing(findings), compare_equal(findings) ? "true" : "false",
        findings->shown.total, findings->repeated, findings->dead_letters, findings->undeliverable,
        findings->unsettled, findings->missing.count, findings->foreign.count,
        findings->before_log);
    add_differences(out, findings);
    if (all_groups) {
        add_groups(out, findings);
    }
    mesh_buffer_add_text(out, "}");
}

void report_json(const struct findings *findings, size_t count, bool all_groups,
                 struct mesh_buffer *out)
{
    mesh_buffer_add_text(out, "{\"streams\": {");
    for (size_t i = 0; i < count; i++) {
        mesh_buffer_add_text(out, i == 0 ? "" : ", ");
        add_stream(out, &findings[i], all_groups);
    }
    mesh_buffer_add_text(out, "}}\n");
}

static void add_row(struct mesh_buffer *out, const struct row *row, const char *mark)
{
    mesh_buffer_add_format(out,
                           "  %-34s %12" PRIu64 " %12" PRIu64 " %12" PRIu64 " %12" PRIu64 "%s\n",
                           row->name, row->kafka, row->redis, row->shown, row->mongo, mark);
}

static void add_stray_line(struct mesh_buffer *out, const char *what, const struct strays *strays)
{
    if (strays->count > 0) {
        mesh_buffer_add_format(out, "  %" PRIu64 " %s: ", strays->count, what);
        add_ids(out, strays);
        mesh_buffer_add_text(out, strays->count > STRAY_NAMED_MAX ? ", ...\n" : "\n");
    }
}

static void add_table(struct mesh_buffer *out, const struct findings *findings, bool all_groups)
{
    const struct row total = {"total", findings->kafka.total, findings->redis.total,
                              findings->shown.total, findings->mongo.total};

    mesh_buffer_add_format(out, "%s: %s\n", findings->stream->name,
                           compare_equal(findings) ? "equal" : "DIFFERENT");
    mesh_buffer_add_format(out,
                           "  %" PRIu64 " records in Kafka, of which %" PRIu64
                           " repeat an event, %" PRIu64 " are dead letters, %" PRIu64
                           " undeliverable; %" PRIu64 " offsets not settled\n",
                           findings->records, findings->repeated, findings->dead_letters,
                           findings->undeliverable, findings->unsettled);
    if (findings->before_log > 0) {
        mesh_buffer_add_format(
            out, "  before the log's beginning: %" PRIu64 " archived, which count as Kafka's\n",
            findings->before_log);
    }
    mesh_buffer_add_format(out, "  %-34s %12s %12s %12s %12s\n", "events", "Kafka", "Redis",
                           "shown", "MongoDB");
    for (size_t group = 0; group <= findings->stream->group_count; group++) {
        struct row row = row_of(findings, group);
        bool same = compare_group(findings, group);
        if (!same || (all_groups && row.kafka > 0)) {
            add_row(out, &row, same ? "" : "  <-- differs");
        }
    }
    add_row(out, &total, "");
    add_stray_line(out, "missing in MongoDB", &findings->missing);
    add_stray_line(out, "in MongoDB, but not in Kafka", &findings->foreign);
}

void report_table(const struct findings *findings, size_t count, bool all_groups,
                  struct mesh_buffer *out)
{
    for (size_t i = 0; i < count; i++) {
        add_table(out, &findings[i], all_groups);
    }
}
