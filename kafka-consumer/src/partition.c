/* SPDX-License-Identifier: Apache-2.0 */
#include "partition.h"

#include "mesh/alloc.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mesh_metric *stream_counter(const struct mesh_stream *stream, const char *name,
                                          const char *more, const char *help)
{
    char labels[160];

    (void)snprintf(labels, sizeof labels, "stream=\"%s\"%s", stream->name, more);
    return mesh_counter(name, labels, help);
}

void topic_init(struct topic *topic, const struct mesh_stream *stream, size_t index, size_t count)
{
    char labels[96];

    *topic = (struct topic){
        .stream = stream,
        .index = index,
        .gauge_count_max = (int32_t)(PARTITION_GAUGE_COUNT_MAX / count),
    };
    topic->consumed = stream_counter(stream, "tweetmesh_consumed_total", "",
                                     "Records taken from Kafka, redeliveries included.");
    topic->archived =
        stream_counter(stream, "tweetmesh_archived_total", "", "Events that MongoDB now has.");
    topic->redelivered =
        stream_counter(stream, "tweetmesh_duplicates_total", ",kind=\"redelivered\"",
                       "Records whose event was already in the archive.");
    topic->repeated = stream_counter(stream, "tweetmesh_duplicates_total", ",kind=\"repeated\"",
                                     "Records whose event was already in the archive.");
    topic->dead = stream_counter(stream, "tweetmesh_dead_letters_total", "",
                                 "Records that went to the dead letter topic.");
    topic->lost = stream_counter(
        stream, "tweetmesh_settle_lost_offsets_total", "",
        "Offsets that Redis has to count again but that Kafka does not keep any more.");
    (void)snprintf(labels, sizeof labels, "stream=\"%s\"", stream->name);
    topic->changed_gauge =
        mesh_gauge("tweetmesh_topic_changed", labels,
                   "1: the topic is not the one that was counted; nothing is settled.");
    topic->partitions_gauge =
        mesh_gauge("tweetmesh_partitions", labels, "Partitions that this process reads.");
    topic->exact_gauge =
        mesh_gauge("tweetmesh_exact", labels,
                   "1: of the partitions read here all that is in Kafka is archived and counted, "
                   "and Kafka, MongoDB and Redis answer.");
}

void topic_done(struct topic *topic)
{
    recent_done(&topic->recent);
    for (size_t i = 0; i < topic->partition_capacity; i++) {
        if (topic->partitions[i] != NULL) {
            partition_drop(topic->partitions[i]);
        }
    }
    free(topic->partitions);
    free(topic->settled_before);
    free(topic->id);
}

void topic_set_changed(struct topic *topic)
{
    atomic_store(&topic->changed, true);
    mesh_metric_set(topic->changed_gauge, 1);
}

void topics_each(const struct topic *topics, size_t count, partition_fn *visit, void *arg)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t n = 0; n < topics[i].partition_capacity; n++) {
            if (topics[i].partitions[n] != NULL) {
                visit(arg, topics[i].partitions[n]);
            }
        }
    }
}

struct partition *topic_partition(const struct topic *topic, int32_t number)
{
    return number >= 0 && (size_t)number < topic->partition_capacity ? topic->partitions[number]
                                                                     : NULL;
}

int64_t topic_settled_before(const struct topic *topic, int32_t number)
{
    return number >= 0 && (size_t)number < topic->partition_capacity ? topic->settled_before[number]
                                                                     : -1;
}

static void gauges_hide(struct partition *partition)
{
    if (partition->settled_gauge != NULL) {
        mesh_metric_hide(partition->settled_gauge);
        mesh_metric_hide(partition->archived_gauge);
        mesh_metric_hide(partition->end_gauge);
        mesh_metric_hide(partition->lag_gauge);
    }
}

static void gauges_add(struct partition *partition)
{
    char labels[128];

    if (partition->number >= partition->topic->gauge_count_max) {
        return;
    }
    (void)snprintf(labels, sizeof labels, "stream=\"%s\",partition=\"%d\"",
                   partition->topic->stream->name, partition->number);
    partition->settled_gauge =
        mesh_gauge("tweetmesh_settled_offset", labels, "Offsets below are archived and counted.");
    partition->archived_gauge =
        mesh_gauge("tweetmesh_archived_offset", labels, "Offsets below are archived.");
    partition->end_gauge = mesh_gauge("tweetmesh_log_end_offset", labels,
                                      "Offsets below are in Kafka, as the broker last said.");
    partition->lag_gauge =
        mesh_gauge("tweetmesh_lag_records", labels, "Records in Kafka that are not settled yet.");
    gauges_hide(partition); /* nothing is known yet */
}

struct partition *partition_add(struct topic *topic, int32_t number, int64_t next)
{
    assert(number >= 0 && topic_partition(topic, number) == NULL);

    struct partition *partition = mesh_new(struct partition);
    *partition = (struct partition){
        .topic = topic,
        .number = number,
        .next = next,
        .settled = next,
        .committed = -1,
        .end = -1,
        .eof = -1,
        .skip_until = -1,
        .seek_to = -1,
        .noticed = {-1, -1, -1},
    };
    if ((size_t)number >= topic->partition_capacity) {
        size_t capacity = (size_t)number + 16;
        topic->partitions = mesh_realloc(topic->partitions, capacity * sizeof(struct partition *));
        topic->settled_before = mesh_realloc(topic->settled_before, capacity * sizeof(int64_t));
        for (size_t i = topic->partition_capacity; i < capacity; i++) {
            topic->partitions[i] = NULL;
            topic->settled_before[i] = -1;
        }
        topic->partition_capacity = capacity;
    }
    topic->partitions[number] = partition;
    gauges_add(partition);
    return partition;
}

void partition_drop(struct partition *partition)
{
    partition->topic->partitions[partition->number] = NULL;
    partition->topic->settled_before[partition->number] = partition->settled;
    gauges_hide(partition); /* whoever reads it now reports it; two values would be added up */
    free(partition->groups);
    free(partition->duplicates);
    free(partition);
}

struct position partition_position(const struct partition *partition)
{
    return (struct position){
        /* What was read is in Kafka, even if the end was last seen before that. */
        .in_kafka = partition->end > partition->next ? partition->end : partition->next,
        .archived = partition->next,
        .settled = partition->settled,
    };
}

bool partition_is_exact(const struct partition *partition)
{
    return partition->end >= 0 && partition->settled >= 0 && partition->end <= partition->next &&
           partition->settled == partition->next && partition->skip_until < 0;
}

/* How many settled rows are kept; before row_first there may be more. */
static size_t kept_count(const struct partition *partition)
{
    return partition->row_first < partition->topic->kept_len_max ? partition->row_first
                                                                 : partition->topic->kept_len_max;
}

/* Forgets settled rows beyond those to keep, if that is worth the move. */
static void kept_trim(struct partition *partition)
{
    size_t kept = kept_count(partition);
    size_t gone = partition->row_first - kept;

    if (gone == 0 || gone < partition->row_capacity / 4) {
        return;
    }
    (void)memmove(partition->groups, partition->groups + gone, kept + partition->row_count);
    (void)memmove(partition->duplicates, partition->duplicates + gone, kept + partition->row_count);
    partition->row_first = kept;
}

static void row_add(struct partition *partition, uint8_t group, bool duplicate, size_t count)
{
    if (partition->row_first + partition->row_count + count > partition->row_capacity) {
        kept_trim(partition);
    }
    size_t end = partition->row_first + partition->row_count;
    if (end + count > partition->row_capacity) {
        size_t capacity = (end + count) * 2;
        partition->groups = mesh_realloc(partition->groups, capacity);
        partition->duplicates = mesh_realloc(partition->duplicates, capacity);
        partition->row_capacity = capacity;
    }
    (void)memset(partition->groups + end, group, count);
    (void)memset(partition->duplicates + end, duplicate ? 1 : 0, count);
    partition->row_count += count;
    partition->next += (int64_t)count;
}

static void start_at(struct partition *partition, int64_t offset)
{
    if (partition->next < 0) {
        partition->next = offset;
        partition->settled = offset;
    }
}

bool partition_append(struct partition *partition, int64_t offset, uint8_t group, bool duplicate)
{
    /* What was in hand before the place to go on from is not read again. */
    if (partition->seek_to >= 0 && offset >= partition->seek_to) {
        return false;
    }
    start_at(partition, offset);
    if (offset < partition->next) {
        return false;
    }
    int64_t hole = offset - partition->next;
    if (hole > PARTITION_HOLE_LEN_MAX) {
        partition_skip(partition, offset);
        return false;
    }
    if (hole > 0) {
        row_add(partition, MESH_GROUP_NOT_COUNTED, false, (size_t)hole);
    }
    row_add(partition, group, duplicate, 1);
    return true;
}

void partition_append_end(struct partition *partition)
{
    int64_t offset = partition->eof;

    partition->eof = -1;
    if (offset < 0 || partition->seek_to >= 0) {
        return;
    }
    start_at(partition, offset);
    int64_t hole = offset - partition->next;
    if (hole > PARTITION_HOLE_LEN_MAX) {
        partition_skip(partition, offset);
    } else if (hole > 0) {
        row_add(partition, MESH_GROUP_NOT_COUNTED, false, (size_t)hole);
    }
}

void partition_skip(struct partition *partition, int64_t offset)
{
    partition->skip_until = offset;
    partition->seek_to = offset;
}

void partition_settle(struct partition *partition, size_t count)
{
    assert(count <= partition->row_count);

    partition->settled += (int64_t)count;
    partition->row_count -= count;
    partition->row_first += count;
}

void partition_settle_skipped(struct partition *partition, size_t count)
{
    assert(partition->row_count == 0);

    partition->settled += (int64_t)count;
    partition->next = partition->settled;
    partition->row_first = 0; /* what is kept would not be contiguous */
}

static void swept_back(struct partition *partition, int64_t watermark)
{
    if (partition->swept > watermark) {
        partition->swept = watermark;
    }
}

bool partition_remembers(const struct partition *partition, int64_t watermark)
{
    return watermark <= partition->settled &&
           partition->settled - watermark <= (int64_t)kept_count(partition);
}

void partition_recall(struct partition *partition, int64_t watermark)
{
    assert(partition_remembers(partition, watermark));

    size_t count = (size_t)(partition->settled - watermark);
    partition->row_first -= count;
    partition->row_count += count;
    partition->settled = watermark;
    swept_back(partition, watermark);
}

void partition_rewind(struct partition *partition, int64_t watermark)
{
    if (partition->next > partition->repair_until) {
        partition->repair_until = partition->next;
    }
    swept_back(partition, watermark);
    partition->row_first = 0;
    partition->row_count = 0;
    partition->settled = watermark;
    partition->next = watermark;
    partition->eof = -1;
    partition->skip_until = -1;
    partition->seek_to = watermark;
}
