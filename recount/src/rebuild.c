/* SPDX-License-Identifier: Apache-2.0 */
#include "rebuild.h"

#include "count.h"
#include "cut.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/counters.h"
#include "mesh/counters_copy.h"
#include "mesh/mongo.h"
#include "mesh/redis.h"
#include "mesh/snapshot.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The consumer may take a snapshot just now. */
enum { STORE_ATTEMPTS = 5 };

/* How long a majority of MongoDB may take for the snapshot. */
enum { MONGODB_WRITE_MS = 30000 };

struct rebuilder {
    const struct config *config;
    struct log_reader *reader;
    redisContext *redis;
    struct mesh_mongo *mongo;
    mongoc_collection_t *snapshots;
};

/* What the counters say before; a state that is damaged or no hash says nothing. */
struct before {
    char *topic_id; /* NULL: none */
    uint64_t recounts;
    uint64_t total;
    bool has_total;
};

struct rebuilder *rebuilder_new(const struct config *config, struct mesh_error *err)
{
    struct rebuilder *rebuilder = mesh_new(struct rebuilder);

    rebuilder->config = config;
    rebuilder->reader = log_reader_new(config->kafka_brokers, config->kafka_group_id,
                                       (uint32_t)config->kafka_ms_max, err);
    if (rebuilder->reader == NULL) {
        goto fail;
    }
    rebuilder->redis = mesh_redis_connect(config->redis_url, (uint32_t)config->redis_ms_max, err);
    if (rebuilder->redis == NULL) {
        goto fail;
    }
    rebuilder->mongo = mesh_mongo_new(
        &(struct mesh_mongo_options){
            .uri = config->mongodb_uri,
            .app_name = "tweetmesh-recount",
            .timeout_ms = (uint32_t)config->mongodb_ms_max,
        },
        err);
    if (rebuilder->mongo == NULL) {
        goto fail;
    }
    rebuilder->snapshots = mesh_snapshot_collection(mesh_mongo_client(rebuilder->mongo),
                                                    config->mongodb_database, MONGODB_WRITE_MS);
    return rebuilder;

fail:
    rebuilder_free(rebuilder);
    return NULL;
}

static bool number_of(const redisReply *reply, uint64_t *out)
{
    char *end = NULL;

    if (reply->type != REDIS_REPLY_STRING || reply->len == 0 || reply->str[0] == '-') {
        return false;
    }
    *out = strtoull(reply->str, &end, 10);
    return *end == '\0';
}

static bool before_read(redisContext *redis, const struct mesh_stream *stream, struct before *out,
                        struct mesh_error *err)
{
    redisReply *reply = redisCommand(redis, "HMGET {%s}:state topic recounts total", stream->name);

    *out = (struct before){0};
    if (reply == NULL) {
        return mesh_redis_fail(redis, NULL, err);
    }
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 3) {
        out->topic_id = reply->element[0]->type == REDIS_REPLY_STRING
                            ? mesh_strdup(reply->element[0]->str)
                            : NULL;
        (void)number_of(reply->element[1], &out->recounts);
        out->has_total = number_of(reply->element[2], &out->total);
    }
    freeReplyObject(reply);
    return true;
}

/* Nothing may be rebuilt out of the wrong log without being told so. */
static bool topic_check(const struct before *before, const struct cut *cut,
                        const struct mesh_stream *stream, bool new_topic, struct mesh_error *err)
{
    if (new_topic || before->topic_id == NULL || strcmp(before->topic_id, cut->topic_id) == 0) {
        return true;
    }
    return mesh_fail(err, MESH_FAILED_PRECONDITION,
                     "stream %s: the counters are of topic %s, Kafka's topic %s is %s: it was made "
                     "anew; --new-topic replaces them",
                     stream->name, before->topic_id, stream->topic, cut->topic_id);
}

/* Where everything of the offsets below the cut went. */
static bool account(const struct cut *cut, const struct count_result *counted,
                    struct rebuilt *rebuilt, struct mesh_error *err)
{
    uint64_t settled = cut_settled(cut);

    if (counted->counts.total + counted->not_counted > settled) {
        return mesh_fail(err, MESH_FAILED_PRECONDITION,
                         "stream %s: %" PRIu64 " events below the cut, which has %" PRIu64
                         " offsets: the archive holds documents of another log; --from kafka",
                         rebuilt->stream->name, counted->counts.total, settled);
    }
    rebuilt->source = counted->source;
    rebuilt->settled = settled;
    rebuilt->total = counted->counts.total;
    rebuilt->archived_before = counted->counts.archived_before;
    rebuilt->not_counted = counted->not_counted;
    rebuilt->duplicates = settled - rebuilt->total - rebuilt->not_counted;
    return true;
}

static void copy_build(const struct cut *cut, const struct count_result *counted,
                       const struct rebuilt *rebuilt, uint64_t recounts,
                       struct mesh_counters_copy *copy)
{
    char name[320];
    size_t partitions = 0; /* the highest that is settled, plus one */

    mesh_counters_copy_add(copy, "topic", mesh_bytes_of_text(cut->topic_id));
    mesh_counters_copy_add_number(copy, "recounts", recounts);
    mesh_counters_copy_add_number(copy, "total", rebuilt->total);
    mesh_counters_copy_add_number(copy, "duplicates", rebuilt->duplicates);
    mesh_counters_copy_add_number(copy, "not_counted", rebuilt->not_counted);
    for (size_t i = 0; i < cut->log.count; i++) {
        if (cut->marks[i] > 0) {
            (void)snprintf(name, sizeof name, "w:%zu", i);
            mesh_counters_copy_add_number(copy, name, (uint64_t)cut->marks[i]);
            partitions = i + 1;
        }
    }
    mesh_counters_copy_add_number(copy, "partitions", partitions);
    for (size_t i = 0; i < rebuilt->stream->group_count; i++) {
        if (counted->counts.groups[i] > 0) {
            (void)snprintf(name, sizeof name, "c:%s", rebuilt->stream->group_names[i]);
            mesh_counters_copy_add_number(copy, name, counted->counts.groups[i]);
        }
    }
}

/* The snapshot goes first: whoever finds Redis set back would put the old one over our counters. */
static bool snapshot_replace(struct rebuilder *rebuilder, const struct mesh_stream *stream,
                             const struct mesh_counters_copy *copy, struct mesh_error *err)
{
    struct mesh_counters_summary summary = {0};
    bool stored = false;
    bool ok = mesh_counters_copy_summary(copy, &summary, err);

    for (int attempt = 0; ok && !stored && attempt < STORE_ATTEMPTS; attempt++) {
        struct mesh_snapshot old = {0};
        ok = mesh_snapshot_load(rebuilder->snapshots, stream->name, &old, err) &&
             mesh_snapshot_store(rebuilder->snapshots,
                                 &(struct mesh_snapshot_next){.stream = stream->name,
                                                              .replaces = old.revision,
                                                              .taken_at_ms = mesh_clock_wall_ms(),
                                                              .copy = copy,
                                                              .summary = &summary},
                                 &stored, err);
        mesh_snapshot_done(&old);
    }
    mesh_counters_summary_done(&summary);
    return ok &&
           (stored || mesh_fail(err, MESH_ABORTED,
                                "stream %s: others write its snapshot all the time", stream->name));
}

static bool show(redisContext *redis, const struct mesh_stream *stream, struct mesh_error *err)
{
    struct mesh_counters_command *command = mesh_counters_command_new();
    struct mesh_counters_reply reply = {0};

    mesh_counters_show_groups(command, stream);
    bool ok = mesh_counters_call(redis, command, &reply, err);
    mesh_counters_show_totals(command, stream);
    ok = ok && mesh_counters_call(redis, command, &reply, err);
    mesh_counters_command_free(command);
    return ok;
}

static bool install(struct rebuilder *rebuilder, const struct mesh_stream *stream,
                    const struct cut *cut, const struct mesh_counters_copy *copy,
                    struct mesh_error *err)
{
    struct mesh_counters_reply reply = {0};
    char *key = NULL;

    if (!mesh_counters_copy_upload(rebuilder->redis, stream->name, copy, &key, err)) {
        return false;
    }
    bool ok = mesh_counters_copy_install(
        rebuilder->redis, stream->name,
        &(struct mesh_counters_restoration){
            .copy_key = key, .field_count = copy->count, .topic_id = cut->topic_id, .forced = true},
        &reply, err);
    free(key);
    return ok && show(rebuilder->redis, stream, err);
}

/* The number of recounts that comes after all there were. */
static bool recounts_next(struct rebuilder *rebuilder, const struct mesh_stream *stream,
                          const struct before *before, uint64_t *out, struct mesh_error *err)
{
    struct mesh_snapshot stored = {0};

    if (!mesh_snapshot_load(rebuilder->snapshots, stream->name, &stored, err)) {
        return false;
    }
    uint64_t known = stored.usable ? stored.summary.recounts : 0;
    *out = (known > before->recounts ? known : before->recounts) + 1;
    mesh_snapshot_done(&stored);
    return true;
}

bool rebuild_stream(struct rebuilder *rebuilder, const struct mesh_stream *stream,
                    const struct arguments *arguments, struct rebuilt *out, struct mesh_error *err)
{
    const struct config *config = rebuilder->config;
    int64_t started = mesh_clock_mono_us();
    struct rebuilt rebuilt = {.stream = stream};
    struct before before = {0};
    struct cut cut = {0};
    struct count_result counted = {0};
    struct mesh_counters_copy copy = {0};
    uint64_t recounts = 0;

    bool ok = before_read(rebuilder->redis, stream, &before, err) &&
              cut_read(rebuilder->reader, stream, arguments->new_topic, &cut, err) &&
              topic_check(&before, &cut, stream, arguments->new_topic, err) &&
              count_events(
                  &(struct count_options){
                      .stream = stream,
                      .cut = &cut,
                      .reader = rebuilder->reader,
                      .client = mesh_mongo_client(rebuilder->mongo),
                      .database = config->mongodb_database,
                      .source = arguments->source,
                      .new_topic = arguments->new_topic,
                      .bytes_max = (size_t)config->memory_mb_max * 1024 * 1024,
                  },
                  &counted, err) &&
              account(&cut, &counted, &rebuilt, err) &&
              recounts_next(rebuilder, stream, &before, &recounts, err);
    if (ok) {
        copy_build(&cut, &counted, &rebuilt, recounts, &copy);
        ok = snapshot_replace(rebuilder, stream, &copy, err) &&
             install(rebuilder, stream, &cut, &copy, err);
    }
    if (ok) {
        rebuilt.had_total = before.has_total;
        rebuilt.total_before = before.total;
        rebuilt.took_ms = (mesh_clock_mono_us() - started) / 1000;
        *out = rebuilt;
    }
    mesh_counters_copy_done(&copy);
    cut_done(&cut);
    free(before.topic_id);
    return ok;
}

void rebuilder_free(struct rebuilder *rebuilder)
{
    if (rebuilder == NULL) {
        return;
    }
    mongoc_collection_destroy(rebuilder->snapshots);
    mesh_mongo_free(rebuilder->mongo);
    redisFree(rebuilder->redis);
    log_reader_free(rebuilder->reader);
    free(rebuilder);
}
