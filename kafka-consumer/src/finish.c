/* SPDX-License-Identifier: Apache-2.0 */
#include "finish.h"

#include "mesh/clock.h"

/* Neighbours of which the metrics say the same, since events come in batches. To tell each alone
 * would cost more than its row. */
struct run {
    const struct topic *topic; /* NULL: none yet */
    enum entry_state state;
    int64_t received_at_ms;
    uint64_t count;
};

typedef void run_fn(const struct finish *finish, const struct run *run, int64_t now_ms);

struct finish finish_make(void)
{
    return (struct finish){
        .batch_events =
            mesh_histogram_count("tweetmesh_batch_events", NULL, "Records in one batch."),
        .archived_seconds =
            mesh_histogram_seconds("tweetmesh_stage_seconds", "stage=\"accepted_archived\"",
                                   "Time from acceptance to the end of a stage."),
        .settled_seconds =
            mesh_histogram_seconds("tweetmesh_stage_seconds", "stage=\"accepted_settled\"",
                                   "Time from acceptance to the end of a stage."),
    };
}

static void runs_each(const struct finish *finish, const struct batch *batch, run_fn *visit)
{
    int64_t now_ms = mesh_clock_wall_ms();
    struct run run = {0};

    for (size_t i = 0; i < batch->count; i++) {
        const struct entry *entry = &batch->entries[i];
        if (entry->partition == NULL) {
            continue;
        }
        if (run.topic != entry->partition->topic || run.state != entry->state ||
            run.received_at_ms != entry->record.received_at_ms) {
            if (run.count > 0) {
                visit(finish, &run, now_ms);
            }
            run = (struct run){.topic = entry->partition->topic,
                               .state = entry->state,
                               .received_at_ms = entry->record.received_at_ms};
        }
        run.count++;
    }
    if (run.count > 0) {
        visit(finish, &run, now_ms);
    }
}

static void see_archived(const struct finish *finish, const struct run *run, int64_t now_ms)
{
    const struct topic *topic = run->topic;

    if (run->state == ENTRY_ARCHIVED) {
        mesh_metric_observe_us_times(finish->archived_seconds,
                                     (now_ms - run->received_at_ms) * 1000, run->count);
    }
    mesh_metric_add(run->state == ENTRY_ARCHIVED      ? topic->archived
                    : run->state == ENTRY_REDELIVERED ? topic->redelivered
                    : run->state == ENTRY_REPEATED    ? topic->repeated
                                                      : topic->dead,
                    run->count);
}

static void see_settled(const struct finish *finish, const struct run *run, int64_t now_ms)
{
    if (run->state == ENTRY_ARCHIVED) {
        mesh_metric_observe_us_times(finish->settled_seconds, (now_ms - run->received_at_ms) * 1000,
                                     run->count);
    }
}

void finish_archived(struct finish *finish, const struct batch *batch)
{
    size_t count = 0;

    for (size_t i = 0; i < batch->count; i++) {
        const struct entry *entry = &batch->entries[i];
        if (entry->partition == NULL) {
            continue;
        }
        /* An event that MongoDB refused may be counted by a hint already: as a duplicate that is
         * taken back. */
        bool refused = entry->state == ENTRY_DEAD && entry->readable;
        uint8_t group =
            entry->state == ENTRY_DEAD && !refused ? MESH_GROUP_NOT_COUNTED : entry->record.group;
        (void)partition_append(entry->partition, entry->message->offset, group,
                               entry->state == ENTRY_REPEATED || refused);
        count++;
        if (entry->state == ENTRY_ARCHIVED) {
            recent_add(&entry->partition->topic->recent,
                       mesh_bytes_of(entry->message->payload, entry->message->len));
        }
    }
    batch_spans_archived(&finish->spans);
    runs_each(finish, batch, see_archived);
    mesh_metric_observe(finish->batch_events, count);
}

void finish_settled(struct finish *finish, const struct batch *batch, bool settled)
{
    if (settled) {
        runs_each(finish, batch, see_settled);
    }
    batch_spans_end(&finish->spans, batch, settled);
}
