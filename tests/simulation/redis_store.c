/* SPDX-License-Identifier: Apache-2.0 */
#include "redis_store.h"

#include "ledger.h"
#include "mesh/alloc.h"
#include "redis_hash.h"
#include "redis_library.h"
#include "verdict.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATE_KEY "{simulated}:state"
#define GROUPS_KEY "{simulated}:kind"
#define TOTALS_KEY "{simulated}:totals"

static unsigned int life;

void redis_store_start(void)
{
    redis_hash_start();
    redis_library_forget();
    life = 1;
}

void redis_store_stop(void)
{
    redis_library_stop();
}

void redis_store_set_back(size_t writes)
{
    trace("Redis comes back without its last %zu writes", writes);
    redis_hash_undo(writes);
    life++;
}

void redis_store_flush(void)
{
    trace("Redis is emptied");
    redis_hash_start();
}

void redis_store_forget_library(void)
{
    trace("Redis forgets the functions");
    redis_library_forget();
}

unsigned int redis_store_life(void)
{
    return life;
}

size_t redis_store_writes(void)
{
    return redis_hash_writes();
}

long long redis_store_number(const char *key, const char *field, long long otherwise)
{
    const struct mesh_bytes *value =
        redis_hash_get(mesh_bytes_of_text(key), mesh_bytes_of_text(field));
    char digits[24] = {0};

    if (value == NULL || value->size >= sizeof(digits)) {
        return otherwise;
    }
    memcpy(digits, value->data, value->size);
    return strtoll(digits, NULL, 10);
}

/* ---- replies ---- */

redisReply *redis_reply_new(int type)
{
    redisReply *reply = mesh_new(redisReply);

    reply->type = type;
    return reply;
}

redisReply *redis_reply_text(int type, const char *text, size_t size)
{
    redisReply *reply = redis_reply_new(type);

    reply->str = mesh_strndup(text, size);
    reply->len = size;
    return reply;
}

void freeReplyObject(void *object)
{
    redisReply *reply = object;

    if (reply == NULL) {
        return;
    }
    for (size_t i = 0; i < reply->elements; i++) {
        freeReplyObject(reply->element[i]);
    }
    free(reply->element);
    free(reply->str);
    free(reply);
}

/* ---- commands ---- */

static redisReply *all_of(struct mesh_bytes key)
{
    redisReply *reply = redis_reply_new(REDIS_REPLY_ARRAY);
    struct mesh_bytes name;
    const struct mesh_bytes *value;

    for (size_t i = 0; (value = redis_hash_at(key, i, &name)) != NULL; i++) {
        reply->element = mesh_realloc(reply->element, (reply->elements + 2) * sizeof(redisReply *));
        reply->element[reply->elements++] =
            redis_reply_text(REDIS_REPLY_STRING, (const char *)name.data, name.size);
        reply->element[reply->elements++] =
            redis_reply_text(REDIS_REPLY_STRING, (const char *)value->data, value->size);
    }
    return reply;
}

redisReply *redis_store_command(size_t argc, const struct mesh_bytes *argv)
{
    static const char unknown[] = "ERR unknown command";

    if (mesh_bytes_equal_text(argv[0], "FCALL") || mesh_bytes_equal_text(argv[0], "FCALL_RO")) {
        return redis_library_call(argc, argv);
    }
    if (mesh_bytes_equal_text(argv[0], "FUNCTION")) {
        return redis_library_load(argv[argc - 1]);
    }
    if (mesh_bytes_equal_text(argv[0], "HGETALL")) {
        return all_of(argv[1]);
    }
    if (mesh_bytes_equal_text(argv[0], "HSET") || mesh_bytes_equal_text(argv[0], "UNLINK")) {
        redis_hash_write();
        for (size_t i = 2; i + 1 < argc; i += 2) {
            redis_hash_set(argv[1], argv[i], argv[i + 1]);
        }
        if (argc == 2) {
            redis_hash_drop(argv[1]);
        }
        return redis_reply_new(REDIS_REPLY_INTEGER);
    }
    if (mesh_bytes_equal_text(argv[0], "HDEL")) {
        redis_hash_write();
        for (size_t i = 2; i < argc; i++) {
            redis_hash_set(argv[1], argv[i], (struct mesh_bytes){0});
        }
        return redis_reply_new(REDIS_REPLY_INTEGER);
    }
    if (mesh_bytes_equal_text(argv[0], "EXPIRE") || mesh_bytes_equal_text(argv[0], "PERSIST")) {
        return redis_reply_new(REDIS_REPLY_INTEGER);
    }
    if (mesh_bytes_equal_text(argv[0], "PING")) {
        return redis_reply_text(REDIS_REPLY_STATUS, "PONG", 4);
    }
    verdict_broken("the simulated Redis does not know %.*s", (int)argv[0].size,
                   (const char *)argv[0].data);
    return redis_reply_text(REDIS_REPLY_ERROR, unknown, sizeof(unknown) - 1);
}

/* ---- checks ---- */

bool redis_store_is_settled(void)
{
    for (int i = 0; i < PARTITION_COUNT; i++) {
        char field[16];
        (void)snprintf(field, sizeof(field), "w:%d", i);
        if (redis_store_number(STATE_KEY, field, 0) != ledger.partitions[i].end) {
            return false;
        }
    }
    return true;
}

static void check_number(const char *key, const char *field, long long expected)
{
    long long found = redis_store_number(key, field, 0);

    if (found != expected) {
        verdict_broken("I3: %s %s is %lld and should be %lld", key, field, found, expected);
    }
}

void redis_store_check_end(void)
{
    long long counts[GROUP_COUNT] = {0};
    long long total = 0;
    long long records = 0;
    long long ends = 0;

    for (size_t i = 0; i < ledger.event_count; i++) {
        if (ledger.events[i].records > 0 && !ledger.events[i].refused) {
            counts[ledger.events[i].group]++;
            total++;
        }
        records += (long long)ledger.events[i].records;
    }
    for (size_t i = 0; i < GROUP_COUNT; i++) {
        char field[32];
        (void)snprintf(field, sizeof(field), "c:%s", ledger_groups[i]);
        check_number(STATE_KEY, field, counts[i]);
        check_number(GROUPS_KEY, ledger_groups[i], counts[i]);
    }
    for (int i = 0; i < PARTITION_COUNT; i++) {
        char field[16];
        (void)snprintf(field, sizeof(field), "w:%d", i);
        check_number(STATE_KEY, field, ledger.partitions[i].end);
        ends += ledger.partitions[i].end;
    }
    check_number(STATE_KEY, "total", total);
    check_number(TOTALS_KEY, "total", total);
    check_number(TOTALS_KEY, "settled", ends);
    check_number(STATE_KEY, "duplicates", records - total);
    check_number(STATE_KEY, "not_counted", ends - records);
}

/* A field of the state was written. */
void redis_hash_written(struct mesh_bytes key, struct mesh_bytes name, struct mesh_bytes value)
{
    char text[32] = {0};
    char digits[24] = {0};

    if (!mesh_bytes_equal_text(key, STATE_KEY) || name.size >= sizeof(text) ||
        value.size >= sizeof(digits)) {
        return;
    }
    memcpy(text, name.data, name.size);
    memcpy(digits, value.data, value.size);
    long long number = strtoll(digits, NULL, 10);
    if (strncmp(text, "c:", 2) == 0) {
        for (size_t i = 0; i < GROUP_COUNT; i++) {
            if (strcmp(text + 2, ledger_groups[i]) == 0 &&
                (number < 0 || (size_t)number > ledger.records_of[i])) {
                verdict_broken("I3: %lld of group %s are counted, Kafka has %zu records", number,
                               ledger_groups[i], ledger.records_of[i]);
            }
        }
    } else if (strncmp(text, "w:", 2) == 0) {
        ledger_settled((int32_t)strtol(text + 2, NULL, 10), number);
    }
}
