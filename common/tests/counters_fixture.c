/* SPDX-License-Identifier: Apache-2.0 */
#include "counters_fixture.h"

#include "cmocka_all.h"
#include "mesh/alloc.h"

#include <stdlib.h>
#include <string.h>

static const char *const group_names[] = {"Chile", "C\xc3\xb4te d'Ivoire", "Peru", "Unknown"};

const struct mesh_stream counters_stream = {
    .name = "test",
    .count_by = "country",
    .group_names = group_names,
    .group_count = MESH_COUNT_OF(group_names),
};

struct counters_fixture test;

int counters_start(void **state)
{
    (void)state;
    test.fixture = redis_fixture_new(&(struct redis_fixture_options){.append_only = true});
    test.redis = redis_fixture_connect(test.fixture);
    test.command = mesh_counters_command_new();
    return 0;
}

int counters_stop(void **state)
{
    (void)state;
    mesh_counters_command_free(test.command);
    redisFree(test.redis);
    redis_fixture_free(test.fixture);
    return 0;
}

redisReply *redis_ask(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisReply *reply = redisvCommand(test.redis, format, args);
    va_end(args);
    assert_non_null(reply);
    return reply;
}

void redis_run(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    redisReply *reply = redisvCommand(test.redis, format, args);
    va_end(args);
    assert_non_null(reply);
    assert_int_not_equal(reply->type, REDIS_REPLY_ERROR);
    freeReplyObject(reply);
}

int counters_empty(void **state)
{
    (void)state;
    struct mesh_error err = {0};
    redis_run("FLUSHALL");
    assert_true(mesh_counters_load(test.redis, &err));
    return 0;
}

struct mesh_counters_reply counters_call(void)
{
    struct mesh_counters_reply reply;
    struct mesh_error err = {0};
    if (!mesh_counters_call(test.redis, test.command, &reply, &err)) {
        fail_msg("%s", err.text);
    }
    return reply;
}

static struct mesh_counters_reply range_call(bool settle, uint64_t first, const char *groups,
                                             const char *duplicates)
{
    uint8_t group_bytes[MESH_COUNTERS_RANGE_MAX];
    uint8_t duplicate_bytes[MESH_COUNTERS_RANGE_MAX] = {0};
    size_t count = strlen(groups);
    for (size_t i = 0; i < count; i++) {
        group_bytes[i] = groups[i] == 'x'   ? MESH_GROUP_NOT_COUNTED
                         : groups[i] == '-' ? MESH_GROUP_HOLE
                                            : (uint8_t)(groups[i] - '0');
        duplicate_bytes[i] = duplicates != NULL && duplicates[i] == '1';
    }
    struct mesh_counters_range range = {
        .stream = counters_stream.name,
        .partition = 0,
        .first_offset = first,
        .count = count,
        .groups = group_bytes,
        .group_names = group_names,
        .group_count = MESH_COUNT_OF(group_names),
        .duplicates = duplicate_bytes,
        .topic_id = TOPIC,
    };
    if (settle) {
        mesh_counters_settle(test.command, &range);
    } else {
        mesh_counters_apply(test.command, &range, 1);
    }
    return counters_call();
}

struct mesh_counters_reply counters_apply(uint64_t first, const char *groups)
{
    return range_call(false, first, groups, NULL);
}

struct mesh_counters_reply counters_settle(uint64_t first, const char *groups,
                                           const char *duplicates)
{
    return range_call(true, first, groups, duplicates);
}

void assert_field(const char *key, const char *field, const char *value)
{
    redisReply *reply = redis_ask("HGET %s %s", key, field);
    if (value == NULL) {
        assert_int_equal(reply->type, REDIS_REPLY_NIL);
    } else {
        assert_int_equal(reply->type, REDIS_REPLY_STRING);
        assert_string_equal(reply->str, value);
    }
    freeReplyObject(reply);
}

unsigned long long writes_so_far(void)
{
    static const char *const commands[] = {"hset",    "hdel",   "del",    "set",
                                           "hincrby", "incr",   "multi",  "exec",
                                           "hmset",   "hsetnx", "rename", "persist"};
    redisReply *reply = redis_ask("INFO commandstats");
    unsigned long long writes = 0;
    for (size_t i = 0; i < MESH_COUNT_OF(commands); i++) {
        char *name = mesh_format("cmdstat_%s:calls=", commands[i]);
        const char *at = strstr(reply->str, name);
        writes += at == NULL ? 0 : strtoull(at + strlen(name), NULL, 10);
        free(name);
    }
    freeReplyObject(reply);
    return writes;
}

static uint64_t hash_add(uint64_t hash, const redisReply *text)
{
    for (size_t i = 0; i < text->len; i++) {
        hash = (hash ^ (uint8_t)text->str[i]) * 1099511628211U;
    }
    return hash * 31 + text->len;
}

/* By hand, for Redis does not allow DEBUG DIGEST-VALUE unless told. In no order of the fields. */
uint64_t state_digest(void)
{
    redisReply *reply = redis_ask("HGETALL " STATE);
    uint64_t digest = 0;
    assert_int_equal(reply->type, REDIS_REPLY_ARRAY);
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        digest +=
            hash_add(hash_add(14695981039346656037U, reply->element[i]), reply->element[i + 1]);
    }
    freeReplyObject(reply);
    return digest;
}
