/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshots.h"

#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/failpoint.h"
#include "mesh/log.h"
#include "mesh/snapshot.h"
#include "pause.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What was read of a snapshot holds for so long; after a loss each partition asks. */
#define KNOWN_US INT64_C(1000000)

/* After the group has shared out partitions anew nobody remembers the rows that were settled since
 * the last snapshot. So the next one follows soon, when the new readers have settled something, but
 * not at once after another. */
#define AFTER_REBALANCE_US INT64_C(2000000)
#define APART_US INT64_C(5000000)

/* Of one topic. */
struct record {
    int64_t due_us;         /* when the next is taken */
    int64_t taken_us;       /* when it was last tried */
    int64_t known_us;       /* when .watermarks were read */
    uint64_t *watermarks;   /* of the snapshot in MongoDB, by partition; NULL: not read yet */
    size_t watermark_count; /* 0: no snapshot that could be put back */
    struct mesh_metric *taken_at;
    struct mesh_metric *failures;
    struct mesh_metric *restores;
};

struct snapshots {
    mongoc_collection_t *collection;
    const char *database;
    uint32_t timeout_ms;
    struct settle *settle;
    struct topic *topics;
    struct record *records; /* by topic index */
    size_t topic_count;
    int64_t interval_us;
    struct pause pause; /* after Redis refused to have one put back */
};

static void metrics_make(struct record *record, const struct mesh_stream *stream)
{
    char labels[96];

    (void)snprintf(labels, sizeof labels, "stream=\"%s\"", stream->name);
    record->taken_at = mesh_gauge("tweetmesh_snapshot_timestamp_seconds", labels,
                                  "When this process last copied the counters to MongoDB.");
    record->failures = mesh_counter("tweetmesh_snapshot_failures_total", labels,
                                    "Copies of the counters that could not be taken.");
    record->restores = mesh_counter("tweetmesh_snapshot_restores_total", labels,
                                    "Times the counters were put back from MongoDB.");
}

void snapshots_follow(struct snapshots *snapshots, mongoc_client_t *client)
{
    if (client == NULL) {
        return;
    }
    mongoc_collection_destroy(snapshots->collection); /* accepts NULL */
    snapshots->collection =
        mesh_snapshot_collection(client, snapshots->database, snapshots->timeout_ms);
}

struct snapshots *snapshots_new(const struct snapshots_options *options)
{
    struct snapshots *snapshots = mesh_new(struct snapshots);

    snapshots->database = options->database;
    snapshots->timeout_ms = options->timeout_ms;
    snapshots_follow(snapshots, options->client);
    snapshots->settle = options->settle;
    snapshots->topics = options->topics;
    snapshots->topic_count = options->topic_count;
    snapshots->interval_us = (int64_t)options->interval_ms * 1000;
    snapshots->records = mesh_new_array(struct record, options->topic_count);
    for (size_t i = 0; i < options->topic_count; i++) {
        metrics_make(&snapshots->records[i], options->topics[i].stream);
        snapshots->records[i].due_us = mesh_clock_mono_us() + snapshots->interval_us;
    }
    return snapshots;
}

/* ---- taking one ---- */

/* Stores a copy if it may take the place of what is there. False: *err says why not. */
static bool store(struct snapshots *snapshots, const struct topic *topic,
                  const struct mesh_counters_copy *copy, struct mesh_error *err)
{
    struct mesh_counters_summary summary = {0};
    struct mesh_snapshot stored = {0};
    int64_t now_ms = mesh_clock_wall_ms();
    bool is_stored = false;

    if (!mesh_counters_copy_summary(copy, &summary, err)) {
        return false;
    }
    bool ok = mesh_snapshot_load(snapshots->collection, topic->stream->name, &stored, err);
    if (ok && strcmp(summary.topic_id, topic->id) != 0) {
        ok = mesh_fail(err, MESH_FAILED_PRECONDITION, "the counters are of another topic");
    } else if (ok && !mesh_snapshot_may_become(&stored, &summary, now_ms)) {
        ok = mesh_fail(err, MESH_FAILED_PRECONDITION, "the counters are behind the last snapshot");
    }
    if (ok) {
        MESH_FAILPOINT("consumer_before_snapshot");
        ok = mesh_snapshot_store(snapshots->collection,
                                 &(struct mesh_snapshot_next){.stream = topic->stream->name,
                                                              .replaces = stored.revision,
                                                              .taken_at_ms = now_ms,
                                                              .copy = copy,
                                                              .summary = &summary},
                                 &is_stored, err);
        ok = ok && (is_stored || mesh_fail(err, MESH_ABORTED, "another process was quicker"));
    }
    if (ok) {
        struct record *record = &snapshots->records[topic->index];
        mesh_metric_set(record->taken_at, now_ms / 1000);
        mesh_log(MESH_LOG_INFO, "snapshot_taken", MESH_LOG_TEXT("stream", topic->stream->name),
                 MESH_LOG_INT("revision", stored.revision + 1),
                 MESH_LOG_INT("settled", summary.settled), MESH_LOG_INT("bytes", copy->bytes));
    }
    mesh_snapshot_done(&stored);
    mesh_counters_summary_done(&summary);
    return ok;
}

static void take(struct snapshots *snapshots, const struct topic *topic, redisContext *redis)
{
    struct mesh_counters_copy copy = {0};
    struct mesh_error err = {0};

    bool ok = mesh_counters_copy_take(redis, topic->stream->name, &copy, &err);
    if (ok && copy.count == 0) {
        return; /* nothing is settled yet, or all is lost */
    }
    if (!ok || !store(snapshots, topic, &copy, &err)) {
        mesh_metric_add(snapshots->records[topic->index].failures, 1);
        mesh_log(MESH_LOG_WARN, "snapshot_not_taken", MESH_LOG_TEXT("stream", topic->stream->name),
                 MESH_LOG_TEXT("reason", err.text));
    }
    mesh_counters_copy_done(&copy);
}

/* Whether a topic's snapshot is ours to take. What another topic's counters say is not copied. */
static bool is_ours(const struct topic *topic)
{
    const struct partition *first = topic_partition(topic, 0);

    return first != NULL && first->settled >= 0 && topic->id != NULL &&
           !atomic_load(&topic->changed);
}

static int64_t later(int64_t a_us, int64_t b_us)
{
    return a_us > b_us ? a_us : b_us;
}

static int64_t due_us(const struct record *record, const struct topic *topic)
{
    bool memory_lost = topic->rebalanced_us > record->taken_us;
    int64_t again_us =
        later(record->taken_us + APART_US, topic->rebalanced_us + AFTER_REBALANCE_US);

    return memory_lost && again_us < record->due_us ? again_us : record->due_us;
}

int64_t snapshots_due_us(const struct snapshots *snapshots)
{
    int64_t first_us = INT64_MAX;

    for (size_t i = 0; i < snapshots->topic_count && snapshots->interval_us > 0; i++) {
        if (is_ours(&snapshots->topics[i])) {
            int64_t at_us = due_us(&snapshots->records[i], &snapshots->topics[i]);
            first_us = at_us < first_us ? at_us : first_us;
        }
    }
    return first_us;
}

void snapshots_take(struct snapshots *snapshots, bool all)
{
    int64_t now = mesh_clock_mono_us();

    for (size_t i = 0; i < snapshots->topic_count && snapshots->interval_us > 0; i++) {
        struct record *record = &snapshots->records[i];
        if ((!all && now < due_us(record, &snapshots->topics[i])) ||
            !is_ours(&snapshots->topics[i])) {
            continue;
        }
        redisContext *redis = settle_redis(snapshots->settle);
        if (redis == NULL) {
            return; /* due until it is back */
        }
        take(snapshots, &snapshots->topics[i], redis);
        record->taken_us = now;
        record->due_us = now + snapshots->interval_us;
    }
}

/* ---- putting one back ---- */

static void know(struct record *record, const struct mesh_snapshot *stored,
                 const struct topic *topic)
{
    bool ours = stored->usable && strcmp(stored->summary.topic_id, topic->id) == 0;

    if (stored->revision > 0 && !ours) {
        mesh_log(MESH_LOG_ERROR, "snapshot_useless", MESH_LOG_TEXT("stream", topic->stream->name),
                 MESH_LOG_INT("revision", stored->revision),
                 MESH_LOG_TEXT("reason", stored->usable ? "of another topic" : "damaged"));
    }
    free(record->watermarks);
    record->watermark_count = ours ? stored->summary.watermark_count : 0;
    record->watermarks = mesh_new_array(uint64_t, record->watermark_count + 1);
    for (size_t i = 0; i < record->watermark_count; i++) {
        record->watermarks[i] = stored->summary.watermarks[i];
    }
    record->known_us = mesh_clock_mono_us();
}

/* Whether it was read a moment ago that the snapshot is of no use for this partition. */
static bool is_known_useless(const struct record *record, const struct partition *partition,
                             int64_t watermark)
{
    size_t number = (size_t)partition->number;

    return record->watermarks != NULL && mesh_clock_mono_us() - record->known_us < KNOWN_US &&
           (number >= record->watermark_count || record->watermarks[number] <= (uint64_t)watermark);
}

/* Uploads a copy and installs it; *watermark is then the partition's. False: it was refused. */
static bool put_back(struct snapshots *snapshots, const struct partition *partition,
                     const struct mesh_snapshot *stored, redisContext *redis, int64_t *watermark)
{
    struct topic *topic = partition->topic;
    struct mesh_counters_reply reply = {0};
    struct mesh_error err = {0};
    char *key = NULL;

    bool ok = mesh_counters_copy_upload(redis, topic->stream->name, &stored->copy, &key, &err);
    if (ok) {
        MESH_FAILPOINT("consumer_in_restore");
        ok = mesh_counters_copy_install(
            redis, topic->stream->name,
            &(struct mesh_counters_restoration){.copy_key = key,
                                                .field_count = stored->copy.count,
                                                .topic_id = topic->id,
                                                .partition = (uint32_t)partition->number},
            &reply, &err);
        free(key);
    }
    if (!ok) {
        mesh_log_warn("restore_failed", &err);
        return false;
    }
    *watermark = (int64_t)reply.watermark;
    if (reply.outcome == MESH_COUNTERS_DONE) {
        topic->dirty = true;
        mesh_metric_add(snapshots->records[topic->index].restores, 1);
        mesh_log(MESH_LOG_WARN, "counters_restored", MESH_LOG_TEXT("stream", topic->stream->name),
                 MESH_LOG_INT("revision", stored->revision),
                 MESH_LOG_INT("taken_at_ms", stored->taken_at_ms),
                 MESH_LOG_INT("settled", stored->summary.settled));
    }
    return true;
}

enum snapshots_outcome snapshots_restore(struct snapshots *snapshots, struct partition *partition,
                                         int64_t *watermark, struct mesh_error *err)
{
    struct topic *topic = partition->topic;
    struct record *record = &snapshots->records[topic->index];
    struct mesh_snapshot stored = {0};
    enum snapshots_outcome outcome = SNAPSHOTS_KNOWN;

    if (is_known_useless(record, partition, *watermark)) {
        return SNAPSHOTS_KNOWN;
    }
    redisContext *redis = pause_is_on(&snapshots->pause) ? NULL : settle_redis(snapshots->settle);
    if (redis == NULL) {
        return SNAPSHOTS_NO_REDIS;
    }
    if (!mesh_snapshot_load(snapshots->collection, topic->stream->name, &stored, err)) {
        return SNAPSHOTS_NO_MONGODB;
    }
    know(record, &stored, topic);
    if (!is_known_useless(record, partition, *watermark)) {
        if (put_back(snapshots, partition, &stored, redis, watermark)) {
            pause_reset(&snapshots->pause);
        } else {
            pause_longer(&snapshots->pause);
            outcome = SNAPSHOTS_NO_REDIS;
        }
    }
    mesh_snapshot_done(&stored);
    return outcome;
}

void snapshots_free(struct snapshots *snapshots)
{
    if (snapshots == NULL) {
        return;
    }
    for (size_t i = 0; i < snapshots->topic_count; i++) {
        free(snapshots->records[i].watermarks);
    }
    mongoc_collection_destroy(snapshots->collection);
    free(snapshots->records);
    free(snapshots);
}
