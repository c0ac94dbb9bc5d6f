/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partition: what is known of one assigned partition: where reading stands, and the rows (one per
 * offset: group, duplicate or not) that MongoDB has and Redis has not settled yet.
 *
 *              settled                next                         end of the log
 *   |- kept rows -|--- rows (row_count) --|--- not archived yet ---------|
 *
 * Rows that are settled are kept for a while (topic.kept_len_max): when Redis is set back by less
 * than that, they are settled again from memory.
 *
 * Threads: the loop's. Plain memory; nothing blocks or fails.
 */
#ifndef PARTITION_H
#define PARTITION_H

#include "mesh/metrics.h"
#include "mesh/stream.h"
#include "recent.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A run of offsets without records (transaction markers, compaction) up to this long becomes rows;
 * a longer one is skipped, see partition_skip(). */
#define PARTITION_HOLE_LEN_MAX 65536
/* So many partitions, shared out among the topics, get gauges of their own: four each. */
#define PARTITION_GAUGE_COUNT_MAX 512

struct partition;

/* A stream's topic, as this process sees it. */
struct topic {
    const struct mesh_stream *stream;
    size_t index;                  /* among the topics */
    char *id;                      /* Kafka's id of the topic; NULL: not known yet */
    atomic_bool changed;           /* alarm: id or log are not what was counted; nothing settles */
    bool dirty;                    /* counts changed since they were last shown */
    struct partition **partitions; /* by number; NULL where not assigned to us */
    int64_t rebalanced_us;   /* when the group last shared out partitions; monotonic; 0: not yet */
    int64_t *settled_before; /* by number: how far we settled it when it was last ours; -1 */
    size_t partition_capacity;
    int32_t gauge_count_max; /* partitions from here on have no gauges */
    size_t kept_len_max;     /* settled rows that each partition keeps */
    struct mesh_metric *consumed;
    struct mesh_metric *archived;
    struct mesh_metric *redelivered;
    struct mesh_metric *repeated;
    struct mesh_metric *dead;
    struct mesh_metric *lost;
    struct mesh_metric *changed_gauge;
    struct mesh_metric *partitions_gauge;
    struct mesh_metric *exact_gauge;
    struct recent recent; /* last events for people */
};

/* How far a partition is: offsets below are in Kafka, in MongoDB, counted in Redis; -1: unknown. */
struct position {
    int64_t in_kafka;
    int64_t archived;
    int64_t settled;
};

struct partition {
    struct topic *topic;
    int32_t number;
    int64_t next;         /* first offset that has no row yet; -1: nothing read so far */
    int64_t settled;      /* first offset that Redis has not settled; -1: unknown */
    int64_t committed;    /* what we last had Kafka commit for the group; -1: nothing yet */
    int64_t end;          /* end of the log as last seen; -1: unknown */
    int64_t eof;          /* reading reached the end of the log here; -1: not since last looked */
    int64_t repair_until; /* offsets below were archived before: look them up, do not insert */
    int64_t skip_until;   /* offsets from `settled` to here hold nothing to read; -1: none */
    int64_t seek_to;      /* read on from here as soon as nothing is to be skipped; -1: no */
    int64_t swept;        /* bitmaps in Redis are dropped up to here */
    int64_t heartbeat_us; /* when Redis last heard of this partition */
    bool heartbeat_asked; /* one is under way */
    uint8_t *groups;      /* rows: groups[row_first .. row_first + row_count); kept ones before */
    uint8_t *duplicates;
    size_t row_first;
    size_t row_count;
    size_t row_capacity;
    struct position noticed;           /* what people were last told of it, see notices.h */
    struct mesh_metric *settled_gauge; /* NULL: has no gauges */
    struct mesh_metric *archived_gauge;
    struct mesh_metric *end_gauge;
    struct mesh_metric *lag_gauge;
};

/* Makes the topic of a stream, one of `count`, with its metrics. */
void topic_init(struct topic *topic, const struct mesh_stream *stream, size_t index, size_t count);
void topic_done(struct topic *topic);
/* Raises the alarm: from now on nothing of this topic is settled or committed. */
void topic_set_changed(struct topic *topic);

/* What to do with a partition. */
typedef void partition_fn(void *arg, struct partition *partition);

/* Calls visit for each assigned partition; visit may drop the one it is given. */
void topics_each(const struct topic *topics, size_t count, partition_fn *visit, void *arg);

/* The assigned partition, NULL: it is not ours. */
struct partition *topic_partition(const struct topic *topic, int32_t number);
/* How far this process has settled a partition that was taken away from it; -1: it never was ours.
 * Everything below is archived and counted, whatever Kafka has committed. */
int64_t topic_settled_before(const struct topic *topic, int32_t number);
/* Adds a partition that will be read from `next` (-1: from the first record there is). The topic
 * owns it until partition_drop(). */
struct partition *partition_add(struct topic *topic, int32_t number, int64_t next);
void partition_drop(struct partition *partition);

/* How far it is, as last seen. */
struct position partition_position(const struct partition *partition);
/* Whether all that is in Kafka is archived, and all of that is counted. */
bool partition_is_exact(const struct partition *partition);

/* Adds the row of an offset, and rows that count nothing for the offsets between. False: the
 * offset has a row already, will be read again, or lies so far ahead that partition_skip() was
 * called instead. */
bool partition_append(struct partition *partition, int64_t offset, uint8_t group, bool duplicate);
/* Where reading reached the end of the log (.eof), what lies between holds no records. */
void partition_append_end(struct partition *partition);
/* Offsets up to `offset` hold nothing: settle them as such once the rows are, then read on. */
void partition_skip(struct partition *partition, int64_t offset);
/* Redis settled `count` rows. */
void partition_settle(struct partition *partition, size_t count);
/* `count` offsets of what was to be skipped are settled; there are no rows. */
void partition_settle_skipped(struct partition *partition, size_t count);
/* Whether the rows since `watermark` are all there. */
bool partition_remembers(const struct partition *partition, int64_t watermark);
/* Redis was set back to `watermark`, which it remembers: settle the rows since then again. */
void partition_recall(struct partition *partition, int64_t watermark);
/* Redis was set back to `watermark`: forget the rows, read again from there, in repair. */
void partition_rewind(struct partition *partition, int64_t watermark);

#endif
