/* SPDX-License-Identifier: Apache-2.0 */
#include "notices.h"

#include "mesh/alloc.h"
#include "mesh/bytes.h"
#include "mesh/clock.h"
#include "mesh/health.h"
#include "mesh/log.h"
#include "mesh/redis.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARCHIVE_US INT64_C(1000000)
#define HEALTH_US (MESH_HEALTH_MS * INT64_C(1000))
/* Words of one partition in the command; four numbers fit into each. */
enum { WORDS = 2, WORD_BYTES_MAX = 96 };

struct notices {
    char *field; /* in MESH_HEALTH_KEY */
    const struct loop_levels *levels;
    struct topic *topics;
    size_t topic_count;
    int64_t archive_us; /* when it was last sent, both */
    int64_t health_us;
    size_t asked; /* answers to come */
    bool refused; /* said so in the log */
    char *words;  /* of the command that is being made: .capacity of WORD_BYTES_MAX */
    const char **argv;
    size_t argc;
    size_t capacity;
};

static char *field_of(const char *instance)
{
    char host[128] = "";
    char text[384];

    if (instance == NULL || instance[0] == '\0') {
        (void)gethostname(host, sizeof host - 1);
        (void)snprintf(text, sizeof text, "kafka-consumer/%s-%ld", host, (long)getpid());
    } else {
        (void)snprintf(text, sizeof text, "kafka-consumer/%s", instance);
    }
    return mesh_strdup(text);
}

struct notices *notices_new(const struct notices_options *options)
{
    struct notices *notices = mesh_new(struct notices);

    notices->field = field_of(options->instance);
    notices->levels = options->levels;
    notices->topics = options->topics;
    notices->topic_count = options->topic_count;
    for (size_t i = 0; i < options->topic_count; i++) {
        options->topics[i].recent.max = options->recent_max;
    }
    notices->archive_us = -ARCHIVE_US; /* both are due at once */
    notices->health_us = -HEALTH_US;
    return notices;
}

static bool is_noticed(const struct partition *partition)
{
    struct position at = partition_position(partition);
    const struct position *noticed = &partition->noticed;

    return at.settled < 0 || (at.in_kafka == noticed->in_kafka &&
                              at.archived == noticed->archived && at.settled == noticed->settled);
}

/* ---- {<stream>}:archive ---- */

static void partition_add_words(void *arg, struct partition *partition)
{
    struct notices *notices = arg;
    struct position at = partition_position(partition);

    if (is_noticed(partition)) {
        return;
    }
    if (notices->argc + WORDS > notices->capacity) {
        notices->capacity = (notices->argc + WORDS) * 2;
        notices->words = mesh_realloc(notices->words, notices->capacity * WORD_BYTES_MAX);
        notices->argv = mesh_realloc(notices->argv, notices->capacity * sizeof(char *));
    }
    char *words = notices->words + notices->argc * WORD_BYTES_MAX;
    (void)snprintf(words, WORD_BYTES_MAX, "%" PRId32, partition->number);
    (void)snprintf(words + WORD_BYTES_MAX, WORD_BYTES_MAX,
                   "%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64, at.in_kafka, at.archived,
                   at.settled, mesh_clock_wall_ms());
    notices->argc += WORDS;
    partition->noticed = at;
}

/* One HSET for all partitions of a topic that have moved. */
static void archive_send(struct notices *notices, struct topic *topic, redisContext *redis)
{
    char key[160];

    (void)snprintf(key, sizeof key, "{%s}:archive", topic->stream->name);
    notices->argc = WORDS; /* room for the command and the key */
    topics_each(topic, 1, partition_add_words, notices);
    if (notices->argc == WORDS) {
        return;
    }
    /* Only now, since the words may have moved. */
    for (size_t i = WORDS; i < notices->argc; i++) {
        notices->argv[i] = notices->words + i * WORD_BYTES_MAX;
    }
    notices->argv[0] = "HSET";
    notices->argv[1] = key;
    notices->asked +=
        redisAppendCommandArgv(redis, (int)notices->argc, notices->argv, NULL) == REDIS_OK ? 1 : 0;
}

/* ---- tweetmesh:health ---- */

static void lag_add(void *arg, struct partition *partition)
{
    struct position at = partition_position(partition);
    int64_t *lag = arg;

    if (at.settled >= 0 && __builtin_add_overflow(*lag, at.in_kafka - at.settled, lag)) {
        *lag = INT64_MAX;
    }
}

static void health_send(struct notices *notices, redisContext *redis)
{
    const char *trouble = loop_levels_trouble(notices->levels);
    bool draining = atomic_load(&notices->levels->draining);
    const char *state = draining ? "draining" : trouble != NULL ? trouble : "ready";
    struct mesh_buffer text = {0};
    char more[96];
    int64_t lag = 0;

    topics_each(notices->topics, notices->topic_count, lag_add, &lag);
    (void)snprintf(more, sizeof more, ",\"partitions\":%zu,\"lag\":%" PRId64,
                   atomic_load(&notices->levels->partitions), lag);
    mesh_health_write(&text, state, !draining && trouble == NULL, mesh_clock_wall_ms(), more);
    notices->asked += redisAppendCommand(redis, "HSET " MESH_HEALTH_KEY " %s %s", notices->field,
                                         text.data) == REDIS_OK
                          ? 1
                          : 0;
    mesh_buffer_done(&text);
}

/* ---- both ---- */

void notices_send(struct notices *notices, redisContext *redis)
{
    int64_t now = mesh_clock_mono_us();

    notices->asked = 0; /* answers that broke off with a connection never come */
    if (now - notices->archive_us >= ARCHIVE_US) {
        notices->archive_us = now;
        for (size_t i = 0; i < notices->topic_count; i++) {
            struct topic *topic = &notices->topics[i];
            archive_send(notices, topic, redis);
            notices->asked += recent_append(&topic->recent, topic->stream->name, redis);
        }
    }
    if (now - notices->health_us >= HEALTH_US) {
        notices->health_us = now;
        health_send(notices, redis);
    }
}

static void forget(void *arg, struct partition *partition)
{
    (void)arg;
    partition->noticed = (struct position){-1, -1, -1};
}

static void refused(struct notices *notices, const redisContext *redis, const redisReply *reply)
{
    struct mesh_error err = {0};

    topics_each(notices->topics, notices->topic_count, forget, NULL); /* to be sent again */
    if (!notices->refused) {
        (void)mesh_redis_fail(redis, reply, &err);
        mesh_log_warn("notice_refused", &err);
    }
    notices->refused = true;
}

bool notices_receive(struct notices *notices, redisContext *redis, struct mesh_error *err)
{
    bool all_taken = notices->asked > 0;

    for (; notices->asked > 0; notices->asked--) {
        redisReply *reply = NULL;
        if (redisGetReply(redis, (void **)&reply) != REDIS_OK) {
            notices->asked = 0;
            topics_each(notices->topics, notices->topic_count, forget, NULL);
            return mesh_redis_fail(redis, NULL, err);
        }
        if (reply->type == REDIS_REPLY_ERROR) {
            all_taken = false;
            refused(notices, redis, reply);
        }
        freeReplyObject(reply);
    }
    notices->refused = notices->refused && !all_taken;
    return true;
}

static void not_noticed_count(void *arg, struct partition *partition)
{
    *(size_t *)arg += is_noticed(partition) ? 0 : 1;
}

int64_t notices_due_us(const struct notices *notices)
{
    size_t count = 0;

    topics_each(notices->topics, notices->topic_count, not_noticed_count, &count);
    return count > 0 ? notices->archive_us + ARCHIVE_US : INT64_MAX;
}

void notices_end(struct notices *notices, redisContext *redis)
{
    if (redis != NULL) {
        freeReplyObject(redisCommand(redis, "HDEL " MESH_HEALTH_KEY " %s", notices->field));
    }
}

void notices_free(struct notices *notices)
{
    if (notices == NULL) {
        return;
    }
    free(notices->words);
    free(notices->argv);
    free(notices->field);
    free(notices);
}
