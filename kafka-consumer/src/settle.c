/* SPDX-License-Identifier: Apache-2.0 */
#include "settle.h"

#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/counters.h"
#include "mesh/log.h"
#include "mesh/redis.h"
#include "pause.h"

#include <stdlib.h>
#include <string.h>

/* Redis hears of each partition that often, or in each round where rounds are longer. */
enum { HEARTBEAT_US = 1000 * 1000 };

/* Those that are nearly due go with those that are. */
enum { HEARTBEAT_EARLY_US = HEARTBEAT_US * 3 / 4 };

/* Calls for one partition before the others get their turn. */
enum { CALL_COUNT_MAX = 64 };

/* Bitmaps are dropped once the watermark is this far beyond. */
enum { SWEEP_LEN = 2048 };

struct settle {
    const char *url;
    uint32_t timeout_ms;
    redisContext *redis; /* NULL: not connected */
    struct mesh_counters_command *command;
    struct pause pause;
    int64_t heard_us;                         /* when Redis last answered */
    bool away;                                /* said so in the log */
    bool show_refused;                        /* likewise */
    uint8_t nothing[MESH_COUNTERS_RANGE_MAX]; /* a row of offsets that count nothing */
    uint8_t no_duplicates[MESH_COUNTERS_RANGE_MAX];
    struct mesh_metric *settle_seconds;
    struct mesh_metric *show_seconds;
    struct mesh_metric *sweep_seconds;
    struct mesh_metric *up;
    struct mesh_metric *refused;
};

static struct mesh_metric *call_histogram(const char *labels)
{
    return mesh_histogram_seconds("tweetmesh_redis_call_seconds", labels,
                                  "Time of one call of a Redis function.");
}

struct settle *settle_new(const char *url, uint32_t timeout_ms)
{
    struct settle *settle = mesh_new(struct settle);

    settle->url = url;
    settle->timeout_ms = timeout_ms;
    settle->command = mesh_counters_command_new();
    (void)memset(settle->nothing, MESH_GROUP_NOT_COUNTED, sizeof settle->nothing);
    settle->settle_seconds = call_histogram("function=\"settle\"");
    settle->show_seconds = call_histogram("function=\"show\"");
    settle->sweep_seconds = call_histogram("function=\"sweep\"");
    settle->up = mesh_gauge("tweetmesh_redis_up", NULL, "1: the last call to Redis succeeded.");
    settle->refused = mesh_gauge("tweetmesh_show_refused", NULL,
                                 "1: Redis refuses to write what people see; the log says why.");
    return settle;
}

static void set_away(struct settle *settle, const struct mesh_error *err)
{
    if (!settle->away) {
        mesh_log_warn("redis_away", err);
    }
    settle->away = true;
    mesh_metric_set(settle->up, 0);
    pause_longer(&settle->pause);
    redisFree(settle->redis);
    settle->redis = NULL;
}

static void set_there(struct settle *settle)
{
    if (settle->away) {
        mesh_log(MESH_LOG_INFO, "redis_back");
    }
    settle->away = false;
    settle->heard_us = mesh_clock_mono_us();
    mesh_metric_set(settle->up, 1);
    pause_reset(&settle->pause);
}

static bool connected(struct settle *settle)
{
    struct mesh_error err = {0};

    if (settle->redis != NULL) {
        return true;
    }
    if (pause_is_on(&settle->pause)) {
        return false;
    }
    settle->redis = mesh_redis_connect(settle->url, settle->timeout_ms, &err);
    if (settle->redis == NULL) {
        set_away(settle, &err);
        return false;
    }
    return true;
}

/* Runs the command in hand. False: not answered, or refused. */
static bool try_call(struct settle *settle, struct mesh_metric *seconds,
                     struct mesh_counters_reply *out, struct mesh_error *err)
{
    int64_t started = mesh_clock_mono_us();

    if (!mesh_counters_call(settle->redis, settle->command, out, err)) {
        return false;
    }
    mesh_metric_observe_us(seconds, mesh_clock_mono_us() - started);
    set_there(settle);
    return true;
}

/* Runs the command in hand. False: Redis is away. */
static bool call(struct settle *settle, struct mesh_metric *seconds,
                 struct mesh_counters_reply *out)
{
    struct mesh_error err = {0};

    if (!try_call(settle, seconds, out, &err)) {
        set_away(settle, &err);
        return false;
    }
    return true;
}

/* Makes the command in hand one for `count` offsets from .settled on. */
static void settle_command(struct settle *settle, const struct partition *partition,
                           const uint8_t *groups, const uint8_t *duplicates, size_t count)
{
    const struct topic *topic = partition->topic;

    mesh_counters_settle(settle->command, &(struct mesh_counters_range){
                                              .stream = topic->stream->name,
                                              .partition = (uint32_t)partition->number,
                                              .first_offset = (uint64_t)partition->settled,
                                              .count = count,
                                              .groups = groups,
                                              .group_names = topic->stream->group_names,
                                              .group_count = topic->stream->group_count,
                                              .duplicates = duplicates,
                                              .topic_id = topic->id,
                                          });
}

/* One settle call. */
static enum settle_outcome settle_range(struct settle *settle, struct partition *partition,
                                        const uint8_t *groups, const uint8_t *duplicates,
                                        size_t count, int64_t *out_watermark)
{
    struct mesh_counters_reply reply = {0};

    settle_command(settle, partition, groups, duplicates, count);
    if (!call(settle, settle->settle_seconds, &reply)) {
        return SETTLE_AWAY;
    }
    partition->heartbeat_us = mesh_clock_mono_us();
    switch (reply.outcome) {
    case MESH_COUNTERS_DONE:
        return SETTLE_DONE;
    case MESH_COUNTERS_GAP:
        *out_watermark = (int64_t)reply.watermark;
        return SETTLE_GAP;
    case MESH_COUNTERS_OTHER_TOPIC:
        return SETTLE_OTHER_TOPIC;
    default: /* mesh_counters_call() has dealt with the others */
        return SETTLE_AWAY;
    }
}

static enum settle_outcome settle_rows(struct settle *settle, struct partition *partition,
                                       int64_t *out_watermark)
{
    for (int calls = 0; partition->row_count > 0; calls++) {
        size_t count = partition->row_count < MESH_COUNTERS_RANGE_MAX ? partition->row_count
                                                                      : MESH_COUNTERS_RANGE_MAX;
        if (calls == CALL_COUNT_MAX) {
            return SETTLE_MORE;
        }
        enum settle_outcome outcome =
            settle_range(settle, partition, partition->groups + partition->row_first,
                         partition->duplicates + partition->row_first, count, out_watermark);
        if (outcome != SETTLE_DONE) {
            return outcome;
        }
        partition_settle(partition, count);
        partition->topic->dirty = true;
    }
    return SETTLE_DONE;
}

/* What lies between .settled and .skip_until holds nothing that could be read. */
static enum settle_outcome settle_skipped(struct settle *settle, struct partition *partition,
                                          int64_t *out_watermark)
{
    for (int calls = 0; partition->settled < partition->skip_until; calls++) {
        int64_t left = partition->skip_until - partition->settled;
        size_t count = left < MESH_COUNTERS_RANGE_MAX ? (size_t)left : MESH_COUNTERS_RANGE_MAX;
        if (calls == CALL_COUNT_MAX) {
            return SETTLE_MORE;
        }
        enum settle_outcome outcome = settle_range(settle, partition, settle->nothing,
                                                   settle->no_duplicates, count, out_watermark);
        if (outcome != SETTLE_DONE) {
            return outcome;
        }
        partition_settle_skipped(partition, count);
        partition->topic->dirty = true;
    }
    partition->skip_until = -1;
    return SETTLE_DONE;
}

static void sweep(struct settle *settle, struct partition *partition)
{
    struct mesh_counters_reply reply = {0};

    mesh_counters_sweep(settle->command, partition->topic->stream->name,
                        (uint32_t)partition->number, (uint64_t)partition->swept);
    if (call(settle, settle->sweep_seconds, &reply) && reply.outcome == MESH_COUNTERS_DONE) {
        partition->swept = (int64_t)reply.watermark;
    }
}

enum settle_outcome settle_partition(struct settle *settle, struct partition *partition,
                                     int64_t *out_watermark)
{
    if (partition->topic->id == NULL || partition->settled < 0) {
        return SETTLE_DONE; /* nothing to say yet */
    }
    if (!connected(settle)) {
        return SETTLE_AWAY;
    }
    enum settle_outcome outcome = settle_rows(settle, partition, out_watermark);
    if (outcome == SETTLE_DONE && partition->skip_until >= 0) {
        outcome = settle_skipped(settle, partition, out_watermark);
    }
    if (outcome == SETTLE_DONE && mesh_clock_mono_us() - partition->heartbeat_us > HEARTBEAT_US) {
        outcome = settle_range(settle, partition, settle->nothing, settle->no_duplicates, 0,
                               out_watermark);
    }
    if (outcome == SETTLE_DONE && partition->settled - partition->swept >= SWEEP_LEN) {
        sweep(settle, partition);
    }
    return outcome;
}

/* ---- heartbeats ---- */

static void heartbeat_send(void *arg, struct partition *partition)
{
    struct settle *settle = arg;
    bool quiet = partition->topic->id != NULL && !atomic_load(&partition->topic->changed) &&
                 partition->settled >= 0 && partition->row_count == 0 && partition->skip_until < 0;

    if (!quiet || mesh_clock_mono_us() - partition->heartbeat_us <= HEARTBEAT_EARLY_US) {
        return;
    }
    settle_command(settle, partition, settle->nothing, settle->no_duplicates, 0);
    partition->heartbeat_asked =
        redisAppendCommandArgv(settle->redis, settle->command->argc, settle->command->argv,
                               settle->command->argv_sizes) == REDIS_OK;
}

static void heartbeat_receive(void *arg, struct partition *partition)
{
    struct settle *settle = arg;
    struct mesh_counters_reply read = {0};
    struct mesh_error err = {0};
    redisReply *reply = NULL;

    if (!partition->heartbeat_asked) {
        return;
    }
    partition->heartbeat_asked = false;
    if (settle->redis == NULL) {
        return;
    }
    if (redisGetReply(settle->redis, (void **)&reply) != REDIS_OK) {
        (void)mesh_redis_fail(settle->redis, NULL, &err);
        set_away(settle, &err);
        return;
    }
    set_there(settle);
    mesh_counters_read_reply(reply, &read, &err);
    freeReplyObject(reply);
    /* Anything but good news settle_partition() asks for once more, and deals with. */
    partition->heartbeat_us = read.outcome == MESH_COUNTERS_DONE ? mesh_clock_mono_us() : 0;
}

static void notices_read(struct settle *settle, struct notices *notices)
{
    struct mesh_error err = {0};

    if (!notices_receive(notices, settle->redis, &err)) {
        set_away(settle, &err);
    }
}

void settle_heartbeats(struct settle *settle, const struct topic *topics, size_t count,
                       struct notices *notices)
{
    if (connected(settle)) {
        if (notices != NULL) {
            notices_send(notices, settle->redis);
        }
        topics_each(topics, count, heartbeat_send, settle);
        if (notices != NULL) {
            notices_read(settle, notices);
        }
        topics_each(topics, count, heartbeat_receive, settle);
    }
}

/* Runs the show call in hand. What Redis refuses for good (a key that holds something else) is told
 * once, tried again next time, and holds up nothing else: it is not the truth, only a copy. */
static bool show(struct settle *settle)
{
    struct mesh_counters_reply reply = {0};
    struct mesh_error err = {0};

    if (try_call(settle, settle->show_seconds, &reply, &err)) {
        return true;
    }
    if (err.code != MESH_FAILED_PRECONDITION && err.code != MESH_INVALID_ARGUMENT) {
        set_away(settle, &err);
    } else if (!settle->show_refused) {
        settle->show_refused = true;
        mesh_log_warn("show_refused", &err);
    }
    return false;
}

void settle_show(struct settle *settle, struct topic *topics, size_t count)
{
    bool refused = false;

    for (size_t i = 0; i < count && settle->redis != NULL; i++) {
        if (!topics[i].dirty) {
            continue;
        }
        mesh_counters_show_groups(settle->command, topics[i].stream);
        bool shown = show(settle);
        if (settle->redis != NULL) {
            mesh_counters_show_totals(settle->command, topics[i].stream);
            shown = show(settle) && shown;
        }
        topics[i].dirty = !shown;
        refused = refused || !shown;
    }
    if (settle->redis != NULL) {
        settle->show_refused = settle->show_refused && refused;
        mesh_metric_set(settle->refused, settle->show_refused ? 1 : 0);
    }
}

bool settle_ping(struct settle *settle)
{
    struct mesh_error err = {0};

    if (!connected(settle)) {
        return false;
    }
    if (mesh_clock_mono_us() - settle->heard_us < HEARTBEAT_US) {
        return true;
    }
    redisReply *reply = redisCommand(settle->redis, "PING");
    bool ok = reply != NULL && reply->type != REDIS_REPLY_ERROR;
    if (ok) {
        set_there(settle);
    } else {
        (void)mesh_redis_fail(settle->redis, reply, &err);
        set_away(settle, &err);
    }
    freeReplyObject(reply);
    return ok;
}

redisContext *settle_redis(struct settle *settle)
{
    return connected(settle) ? settle->redis : NULL;
}

void settle_free(struct settle *settle)
{
    if (settle == NULL) {
        return;
    }
    redisFree(settle->redis);
    mesh_counters_command_free(settle->command);
    free(settle);
}
