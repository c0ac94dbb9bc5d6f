/* SPDX-License-Identifier: Apache-2.0 */
#include "levels.h"

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
    if (partition->settled_gauge != NULL && partition->settled >= 0) {
        mesh_metric_set(partition->settled_gauge, partition->settled);
        if (partition->end >= partition->settled) {
            mesh_metric_set(partition->lag_gauge, partition->end - partition->settled);
        }
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
