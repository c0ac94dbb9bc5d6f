/* SPDX-License-Identifier: Apache-2.0 */
#include "stores.h"

#include "mesh/alloc.h"
#include "mesh/counters.h"
#include "mesh/mongo.h"
#include "mesh/redis.h"

#include <stdlib.h>
#include <string.h>

struct stores {
    const struct config *config;
    redisContext *redis;
    struct mesh_mongo *mongo;
};

struct stores *stores_new(const struct config *config, struct mesh_error *err)
{
    struct stores *stores = mesh_new(struct stores);

    stores->config = config;
    stores->redis = mesh_redis_connect(config->redis_url, (uint32_t)config->redis_ms_max, err);
    if (stores->redis == NULL) {
        goto fail;
    }
    stores->mongo = mesh_mongo_new(
        &(struct mesh_mongo_options){
            .uri = config->mongodb_uri,
            .app_name = "tweetmesh-audit",
            .timeout_ms = (uint32_t)config->mongodb_ms_max,
        },
        err);
    if (stores->mongo == NULL) {
        goto fail;
    }
    return stores;

fail:
    stores_free(stores);
    return NULL;
}

bool stores_unsettled(struct stores *stores, const struct mesh_stream *stream,
                      const struct log_extent *extent, uint64_t *out, struct mesh_error *err)
{
    struct mesh_counters_state state = {0};
    uint64_t unsettled = 0;

    if (!mesh_counters_state_read(stores->redis, stream, &state, err)) {
        return false;
    }
    for (size_t i = 0; i < extent->count; i++) {
        uint64_t end = (uint64_t)extent->partitions[i].end;
        uint64_t watermark = i < state.watermark_count ? state.watermarks[i] : 0;
        unsettled += watermark < end ? end - watermark : 0;
    }
    mesh_counters_state_done(&state);
    *out = unsettled;
    return true;
}

/* Adds a count under the name that a store gives the group. */
static void tally_add(struct tally *tally, const struct mesh_stream *stream, const char *name,
                      uint64_t count)
{
    tally->total += count;
    for (size_t i = 0; i < stream->group_count; i++) {
        if (strcmp(stream->group_names[i], name) == 0) {
            tally->groups[i] += count;
            return;
        }
    }
    tally->foreign += count;
}

static bool shown_read(struct stores *stores, const struct mesh_stream *stream, struct tally *out,
                       struct mesh_error *err)
{
    char *key = mesh_counters_groups_key(stream);
    redisReply *reply = redisCommand(stores->redis, "HGETALL %s", key);
    bool ok = reply != NULL && (reply->type == REDIS_REPLY_ARRAY || reply->type == REDIS_REPLY_MAP);

    if (!ok) {
        (void)mesh_redis_fail(stores->redis, reply, err);
    }
    for (size_t i = 0; ok && i + 1 < reply->elements; i += 2) {
        tally_add(out, stream, reply->element[i]->str,
                  strtoull(reply->element[i + 1]->str, NULL, 10));
    }
    freeReplyObject(reply);
    free(key);
    return ok;
}

bool stores_redis(struct stores *stores, const struct mesh_stream *stream,
                  struct findings *findings, struct mesh_error *err)
{
    struct mesh_counters_state state = {0};
    struct tally shown = {0};

    if (!mesh_counters_state_read(stores->redis, stream, &state, err)) {
        return false;
    }
    findings->redis = (struct tally){.total = state.total, .foreign = state.foreign};
    for (size_t i = 0; i < stream->group_count; i++) {
        findings->redis.groups[i] = state.counts[i];
    }
    mesh_counters_state_done(&state);
    if (!shown_read(stores, stream, &shown, err)) {
        return false;
    }
    findings->shown = shown;
    return true;
}

bool stores_documents(struct stores *stores, const struct mesh_stream *stream, document_fn *visit,
                      void *arg, struct mesh_error *err)
{
    return documents_read(mesh_mongo_client(stores->mongo), stores->config->mongodb_database,
                          stream, visit, arg, err);
}

void stores_free(struct stores *stores)
{
    if (stores == NULL) {
        return;
    }
    redisFree(stores->redis);
    mesh_mongo_free(stores->mongo);
    free(stores);
}
