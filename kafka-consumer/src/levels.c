/* SPDX-License-Identifier: Apache-2.0 */
#include "levels.h"

const char *loop_levels_trouble(const struct loop_levels *levels)
{
    if (!atomic_load(&levels->kafka)) {
        return "Kafka does not answer";
    }
    if (!atomic_load(&levels->joined)) {
        return "not in the consumer group yet";
    }
    if (!atomic_load(&levels->mongodb)) {
        return "MongoDB does not answer";
    }
    if (!atomic_load(&levels->redis)) {
        return "Redis does not answer";
    }
    if (atomic_load(&levels->topics_changed) > 0) {
        return "a topic is not the one that was counted";
    }
    return NULL;
}

static void add(void *arg, struct partition *partition)
{
    struct levels *levels = arg;
    /* Where the alarm is up, nobody waits for anything any more. */
    bool changed = atomic_load(&partition->topic->changed);
    bool uncommitted = partition->settled > partition->committed;
    bool elsewhere = partition->skip_until >= 0 || partition->seek_to >= 0;

    levels->partitions++;
    if (!changed) {
        levels->unsettled += partition->row_count;
        levels->unfinished |= partition->row_count > 0 || uncommitted || elsewhere;
    }
}

struct levels levels_of(struct topic *topics, size_t count, size_t remembered_len_max)
{
    struct levels levels = {0};

    topics_each(topics, count, add, &levels);
    for (size_t i = 0; i < count; i++) {
        levels.topics_changed += atomic_load(&topics[i].changed) ? 1 : 0;
        levels.unfinished |= topics[i].dirty || topics[i].id == NULL;
        topics[i].kept_len_max =
            remembered_len_max / (levels.partitions > 0 ? levels.partitions : 1);
    }
    return levels;
}

/* ---- gauges ---- */

struct sum {
    int64_t partitions;
    bool exact;
};

static void show_partition(void *arg, struct partition *partition)
{
    struct sum *sum = arg;
    struct position at = partition_position(partition);

    sum->partitions++;
    sum->exact = sum->exact && partition_is_exact(partition);
    if (partition->settled_gauge == NULL || at.settled < 0) {
        return;
    }
    mesh_metric_set(partition->settled_gauge, at.settled);
    mesh_metric_set(partition->archived_gauge, at.archived);
    if (partition->end >= 0) {
        mesh_metric_set(partition->end_gauge, at.in_kafka);
        mesh_metric_set(partition->lag_gauge, at.in_kafka - at.settled);
    }
}

void levels_show(const struct topic *topics, size_t count, bool well)
{
    for (size_t i = 0; i < count; i++) {
        struct sum sum = {.exact = well && !atomic_load(&topics[i].changed)};
        topics_each(&topics[i], 1, show_partition, &sum);
        mesh_metric_set(topics[i].partitions_gauge, sum.partitions);
        mesh_metric_set(topics[i].exact_gauge, sum.exact ? 1 : 0);
    }
}
