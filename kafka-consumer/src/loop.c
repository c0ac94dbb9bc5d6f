/* SPDX-License-Identifier: Apache-2.0 */
#include "loop.h"

#include "archive.h"
#include "batch.h"
#include "dead_letters.h"
#include "finish.h"
#include "levels.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/failpoint.h"
#include "mesh/log.h"
#include "mesh/memory.h"
#include "notices.h"
#include "partition.h"
#include "pause.h"
#include "reader.h"
#include "settle.h"
#include "snapshots.h"

#include <stdlib.h>

/* How long a round waits for a record when something is left to be done soon. */
enum { IDLE_MS = 50 };

/* How often the servers are asked for a sign of life, and Kafka for its topics' ids. */
#define CHECK_US INT64_C(2000000)
#define CALM_CHECK_US INT64_C(3000000)
#define TOPICS_US INT64_C(10000000)

/* How long all must be calm before memory is given back, and how far apart that is. */
#define TIDY_AFTER_US INT64_C(500000)
#define TIDY_APART_US INT64_C(3000000)

struct loop {
    const struct config *config;
    struct loop_levels *levels;
    struct topic *topics;
    size_t topic_count;
    struct reader *reader;
    struct member *member; /* the reader's */
    struct archive *archive;
    struct dead_letters *letters;
    struct settle *settle;
    struct snapshots *snapshots;
    struct notices *notices;
    struct pause pause; /* after MongoDB or the dead letter topic failed */
    bool full;          /* too many rows wait for Redis */
    bool redis_failed;  /* in this round */
    int64_t commit_us;  /* when last done */
    int64_t show_us;
    int64_t check_us;
    int64_t topics_us;
    int64_t work_us; /* when a batch was last finished */
    int64_t tidy_us; /* when memory was last given back */
    bool begun;      /* the servers were asked before anything was read, behind which the
                        answer would wait */
    bool calm;       /* nothing is left to be done but what is due at a time */
    struct finish finish;
    bool mongodb_told;
    struct mesh_metric *mongodb_up;
    struct mesh_metric *full_total;
};

static void set_mongodb(struct loop *loop, const struct mesh_error *err)
{
    bool there = err == NULL;

    if (there != atomic_load(&loop->levels->mongodb) || !loop->mongodb_told) {
        if (there) {
            mesh_log(MESH_LOG_INFO, "mongodb_back");
        } else {
            mesh_log_warn("mongodb_away", err);
        }
    }
    loop->mongodb_told = true;
    atomic_store(&loop->levels->mongodb, there);
    mesh_metric_set(loop->mongodb_up, there ? 1 : 0);
}

/* Brings the batch in hand forward. False: some server is away; what is done stays done. */
static bool batch_work(struct loop *loop, struct batch *batch)
{
    struct mesh_error err = {0};

    batch_spans_begin(&loop->finish.spans);
    MESH_FAILPOINT("consumer_before_archive");
    bool archived = archive_batch(loop->archive, batch, &err);
    set_mongodb(loop, archived ? NULL : &err);
    loop->check_us = mesh_clock_mono_us(); /* a sign of life, or of none */
    if (!archived) {
        return false;
    }
    if (!dead_letters_send(loop->letters, batch, &err)) {
        mesh_log_warn("dead_letters_away", &err);
        return false;
    }
    return true;
}

/* Redis has lost what it had from `watermark` on. When it is empty the snapshot comes first, before
 * a partition goes on that remembers all of its rows, and with the state ahead of the snapshot. */
static void gap_close(struct loop *loop, struct partition *partition, int64_t watermark)
{
    struct mesh_error err = {0};

    if (watermark == 0 || !partition_remembers(partition, watermark)) {
        if (!atomic_load(&loop->levels->mongodb)) {
            return; /* found again when it is back */
        }
        switch (snapshots_restore(loop->snapshots, partition, &watermark, &err)) {
        case SNAPSHOTS_KNOWN:
            break;
        case SNAPSHOTS_NO_MONGODB:
            set_mongodb(loop, &err);
            return;
        case SNAPSHOTS_NO_REDIS:
            loop->redis_failed = true;
            return;
        }
    }
    if (watermark < partition->settled) {
        reader_rewind(loop->reader, partition, watermark);
    }
}

static void settle_one(void *arg, struct partition *partition)
{
    struct loop *loop = arg;
    int64_t watermark = 0;

    if (atomic_load(&partition->topic->changed) || loop->redis_failed) {
        return;
    }
    switch (settle_partition(loop->settle, partition, &watermark)) {
    case SETTLE_DONE:
    case SETTLE_MORE:
        return;
    case SETTLE_GAP:
        gap_close(loop, partition, watermark);
        return;
    case SETTLE_OTHER_TOPIC:
        mesh_log(MESH_LOG_ERROR, "counts_of_another_topic",
                 MESH_LOG_TEXT("stream", partition->topic->stream->name),
                 MESH_LOG_TEXT("topic_id", partition->topic->id));
        topic_set_changed(partition->topic);
        return;
    case SETTLE_AWAY:
        loop->redis_failed = true;
        return;
    }
}

/* Before a partition is given away. What Redis does not take now its next reader settles. */
static void give_away(void *arg, struct partition *partition)
{
    struct loop *loop = arg;
    int64_t watermark = 0;

    while (!atomic_load(&partition->topic->changed) &&
           settle_partition(loop->settle, partition, &watermark) == SETTLE_MORE) {
    }
}

static void append_end(void *arg, struct partition *partition)
{
    (void)arg;
    partition_append_end(partition);
}

static bool is_well(const struct loop_levels *levels)
{
    return atomic_load(&levels->kafka) && atomic_load(&levels->joined) &&
           atomic_load(&levels->mongodb) && atomic_load(&levels->redis) &&
           atomic_load(&levels->in_hand) == 0;
}

static void levels_see(struct loop *loop)
{
    struct levels levels =
        levels_of(loop->topics, loop->topic_count, loop->config->remembered_len_max);

    atomic_store(&loop->levels->unsettled, levels.unsettled);
    atomic_store(&loop->levels->partitions, levels.partitions);
    atomic_store(&loop->levels->in_hand, reader_batch(loop->reader)->count);
    atomic_store(&loop->levels->topics_changed, levels.topics_changed);
    atomic_store(&loop->levels->redis, !loop->redis_failed);
    atomic_store(&loop->levels->kafka, member_is_connected(loop->member));
    atomic_store(&loop->levels->joined, member_is_joined(loop->member));
    if (!loop->full && levels.unsettled >= loop->config->unsettled_len_max) {
        loop->full = true;
        mesh_metric_add(loop->full_total, 1);
    } else if (levels.unsettled < loop->config->unsettled_len_max / 2) {
        loop->full = false;
    }
    loop->calm = !levels.unfinished && !loop->full && is_well(loop->levels);
    levels_show(loop->topics, loop->topic_count, loop_levels_trouble(loop->levels) == NULL);
}

/* Asks servers that had no reason to answer for a while. */
static void servers_check(struct loop *loop, int64_t now)
{
    struct mesh_error err = {0};

    if (now - loop->check_us >= (loop->calm ? CALM_CHECK_US : CHECK_US)) {
        snapshots_follow(loop->snapshots, archive_log_in(loop->archive));
        set_mongodb(loop, archive_ping(loop->archive, &err) ? NULL : &err);
        loop->check_us = mesh_clock_mono_us();
        if (!loop->redis_failed) {
            loop->redis_failed = !settle_ping(loop->settle);
        }
    }
    if (now - loop->topics_us >= TOPICS_US) {
        member_check_topics(loop->member);
        loop->topics_us = mesh_clock_mono_us();
        if (!member_is_connected(loop->member)) {
            loop->topics_us += CHECK_US - TOPICS_US; /* ask sooner */
        }
    }
}

static int64_t sooner(int64_t a_us, int64_t b_us)
{
    return a_us < b_us ? a_us : b_us;
}

/* When memory is to be given back; INT64_MAX: that was done since there last was work. */
static int64_t tidy_due_us(const struct loop *loop)
{
    int64_t after_us = loop->work_us + TIDY_AFTER_US;
    int64_t apart_us = loop->tidy_us + TIDY_APART_US;

    if (loop->tidy_us > loop->work_us) {
        return INT64_MAX;
    }
    return after_us > apart_us ? after_us : apart_us;
}

/* What is due every now and then. */
static void chores(struct loop *loop)
{
    int64_t now = mesh_clock_mono_us();

    if (now - loop->commit_us >= (int64_t)loop->config->commit_ms * 1000) {
        member_commit(loop->member, false);
        loop->commit_us = now;
    }
    if (now - loop->show_us >= (int64_t)loop->config->show_ms * 1000) {
        settle_show(loop->settle, loop->topics, loop->topic_count);
        member_see_ends(loop->member);
        loop->show_us = now;
    }
    if (atomic_load(&loop->levels->mongodb) && !loop->redis_failed) {
        snapshots_take(loop->snapshots, false);
    }
    servers_check(loop, now);
    if (loop->calm && now >= tidy_due_us(loop)) {
        batch_tidy(reader_batch(loop->reader));
        mesh_memory_give_back();
        loop->tidy_us = now;
    }
}

/* How long there is nothing to do if no record comes. */
static uint32_t wait_ms(const struct loop *loop)
{
    if (!loop->calm) {
        return IDLE_MS;
    }
    int64_t until_us = sooner(loop->check_us + CALM_CHECK_US, loop->topics_us + TOPICS_US);
    until_us = sooner(until_us, snapshots_due_us(loop->snapshots));
    until_us = sooner(until_us, tidy_due_us(loop));
    until_us = sooner(until_us, notices_due_us(loop->notices));
    int64_t left_us = until_us - mesh_clock_mono_us();
    return left_us <= 0 ? 0 : (uint32_t)(left_us / 1000 + 1);
}

/* Gets the batch of this round, or keeps the one in hand while its server is away. */
static void read_on(struct loop *loop, struct batch *batch, bool draining)
{
    uint32_t left_ms = pause_left_ms(&loop->pause);
    bool wait = batch->count > 0 || loop->full || draining;

    member_set_paused(loop->member, wait);
    if (wait) {
        reader_serve(loop->reader, left_ms < IDLE_MS ? left_ms : IDLE_MS);
    } else {
        reader_collect(loop->reader, wait_ms(loop));
    }
}

void loop_interrupt(struct loop *loop)
{
    member_wake(loop->member);
}

void loop_round(struct loop *loop, bool draining)
{
    struct batch *batch = reader_batch(loop->reader);
    bool done = false;

    atomic_store(&loop->levels->draining, draining);
    if (!reader_revive(loop->reader, IDLE_MS)) {
        levels_see(loop);
        return;
    }
    if (!loop->begun) {
        loop->begun = true;
        servers_check(loop, mesh_clock_mono_us());
    }
    read_on(loop, batch, draining);
    if (batch->count > 0 && !pause_is_on(&loop->pause)) {
        done = batch_work(loop, batch);
        if (done) {
            pause_reset(&loop->pause);
            loop->work_us = mesh_clock_mono_us();
            finish_archived(&loop->finish, batch);
            MESH_FAILPOINT("consumer_archived_before_settle");
        } else {
            pause_longer(&loop->pause);
        }
    }
    if (batch->count == 0 || done) {
        topics_each(loop->topics, loop->topic_count, append_end, NULL);
    }
    loop->redis_failed = false;
    settle_heartbeats(loop->settle, loop->topics, loop->topic_count, loop->notices);
    topics_each(loop->topics, loop->topic_count, settle_one, loop);
    reader_seek(loop->reader);
    if (done) {
        finish_settled(&loop->finish, batch, !loop->redis_failed); /* the others are later */
        batch_clear(batch);
    }
    chores(loop);
    levels_see(loop);
}

static void metrics_make(struct loop *loop)
{
    loop->finish = finish_make();
    loop->mongodb_up =
        mesh_gauge("tweetmesh_mongodb_up", NULL, "1: the last call to MongoDB succeeded.");
    loop->full_total =
        mesh_counter("tweetmesh_limit_reached_total", "limit=\"UNSETTLED_LEN_MAX\"",
                     "How often reading paused because too many rows waited for Redis.");
}

static bool clients_make(struct loop *loop, struct mesh_error *err)
{
    const struct config *config = loop->config;

    loop->settle = settle_new(config->redis_url, (uint32_t)config->redis_ms_max);
    loop->notices = notices_new(&(struct notices_options){.instance = config->kafka_instance_id,
                                                          .levels = loop->levels,
                                                          .recent_max = config->recent_events_max,
                                                          .topics = loop->topics,
                                                          .topic_count = loop->topic_count});
    loop->letters = dead_letters_new(config->kafka_brokers);
    loop->archive = archive_new(
        &(struct archive_options){
            .uri = config->mongodb_uri,
            .database = config->mongodb_database,
            .timeout_ms = (uint32_t)config->mongodb_ms_max,
            .ttl_days = (uint32_t)config->archive_ttl_days,
            .topics = loop->topics,
            .topic_count = loop->topic_count,
        },
        err);
    if (loop->archive == NULL) {
        return false;
    }
    loop->snapshots = snapshots_new(&(struct snapshots_options){
        .client = archive_client(loop->archive),
        .database = config->mongodb_database,
        .timeout_ms = (uint32_t)config->mongodb_ms_max,
        .interval_ms = config->snapshot_ms,
        .settle = loop->settle,
        .topics = loop->topics,
        .topic_count = loop->topic_count,
    });
    loop->reader = reader_new(
        &(struct reader_options){
            .member = {.brokers = config->kafka_brokers,
                       .group_id = config->kafka_group_id,
                       .instance_id = config->kafka_instance_id,
                       .session_ms = (uint32_t)config->session_ms,
                       .fetch_kb_max = (uint32_t)config->fetch_kb_max,
                       .topics = loop->topics,
                       .topic_count = loop->topic_count,
                       .finish = give_away,
                       .arg = loop},
            .batch_len_max = (uint32_t)config->batch_len_max,
            .batch_kb_max = (uint32_t)config->batch_kb_max,
        },
        err);
    if (loop->reader == NULL) {
        return false;
    }
    loop->member = reader_member(loop->reader);
    return true;
}

struct loop *loop_new(const struct config *config, const struct mesh_streams *streams,
                      struct loop_levels *levels, struct mesh_error *err)
{
    struct loop *loop = mesh_new(struct loop);

    loop->config = config;
    loop->levels = levels;
    loop->topic_count = mesh_streams_count(streams);
    loop->topics = mesh_new_array(struct topic, loop->topic_count);
    for (size_t i = 0; i < loop->topic_count; i++) {
        topic_init(&loop->topics[i], mesh_streams_at(streams, i), i, loop->topic_count);
    }
    /* Both are due at once. */
    loop->check_us = -CHECK_US;
    loop->topics_us = -TOPICS_US;
    loop->tidy_us = -TIDY_APART_US;
    metrics_make(loop);
    if (!clients_make(loop, err)) {
        loop_free(loop);
        return NULL;
    }
    return loop;
}

void loop_free(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    if (loop->snapshots != NULL && atomic_load(&loop->levels->mongodb)) {
        snapshots_take(loop->snapshots, true); /* while partitions are ours */
    }
    reader_free(loop->reader); /* its callbacks settle */
    if (loop->settle != NULL) {
        settle_show(loop->settle, loop->topics, loop->topic_count);
        notices_end(loop->notices, settle_redis(loop->settle));
    }
    notices_free(loop->notices);
    dead_letters_free(loop->letters);
    snapshots_free(loop->snapshots); /* borrows the archive's client */
    archive_free(loop->archive);
    settle_free(loop->settle);
    for (size_t i = 0; i < loop->topic_count; i++) {
        topic_done(&loop->topics[i]);
    }
    free(loop->topics);
    free(loop);
}
