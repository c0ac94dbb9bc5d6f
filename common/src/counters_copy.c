/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/counters_copy.h"

#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/id.h"
#include "mesh/redis.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fields in one HSET: bounds the time Redis is busy. */
enum { UPLOAD_FIELDS = 500 };

/* A copy that was uploaded and never installed goes after this long. */
enum { UPLOAD_S = 600 };

void mesh_counters_copy_add(struct mesh_counters_copy *copy, const char *name,
                            struct mesh_bytes value)
{
    if (copy->count == copy->capacity) {
        copy->capacity = copy->capacity * 2 + 64;
        copy->fields =
            mesh_realloc(copy->fields, copy->capacity * sizeof(struct mesh_counters_field));
    }
    copy->fields[copy->count++] = (struct mesh_counters_field){
        .name = mesh_strdup(name),
        .value = mesh_strndup((const char *)value.data, value.size),
        .value_size = value.size,
    };
    copy->bytes += strlen(name) + value.size;
}

void mesh_counters_copy_add_number(struct mesh_counters_copy *copy, const char *name,
                                   uint64_t number)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%" PRIu64, number);
    mesh_counters_copy_add(copy, name, mesh_bytes_of_text(text));
}

const struct mesh_counters_field *mesh_counters_copy_find(const struct mesh_counters_copy *copy,
                                                          const char *name)
{
    for (size_t i = 0; i < copy->count; i++) {
        if (strcmp(copy->fields[i].name, name) == 0) {
            return &copy->fields[i];
        }
    }
    return NULL;
}

void mesh_counters_copy_done(struct mesh_counters_copy *copy)
{
    for (size_t i = 0; i < copy->count; i++) {
        free(copy->fields[i].name);
        free(copy->fields[i].value);
    }
    free(copy->fields);
    *copy = (struct mesh_counters_copy){0};
}

static bool number_read(const char *text, size_t size, uint64_t *out)
{
    char *end = NULL;

    if (size == 0 || size > 16 || text[0] < '0' || text[0] > '9') {
        return false;
    }
    *out = strtoull(text, &end, 10);
    return end == text + size;
}

static bool watermark_read(struct mesh_counters_summary *summary, const char *partition,
                           uint64_t number)
{
    uint64_t at = 0;

    if (!number_read(partition, strlen(partition), &at) ||
        at >= MESH_COUNTERS_PARTITION_COUNT_MAX) {
        return false;
    }
    summary->watermarks[at] = number;
    summary->settled += number;
    if (at >= summary->watermark_count) {
        summary->watermark_count = (size_t)at + 1;
    }
    return true;
}

/* Adds one field to the summary, and what is counted in a group to *counted. False: damaged. */
static bool field_read(struct mesh_counters_summary *summary,
                       const struct mesh_counters_field *field, uint64_t *counted)
{
    uint64_t number = 0;

    if (strcmp(field->name, "topic") == 0) {
        summary->topic_id = field->value;
        return field->value_size > 0;
    }
    if (strncmp(field->name, "b:", 2) == 0) {
        return true;
    }
    if (!number_read(field->value, field->value_size, &number)) {
        return false;
    }
    if (strcmp(field->name, "total") == 0) {
        summary->total = number;
    } else if (strcmp(field->name, "recounts") == 0) {
        summary->recounts = number;
    } else if (strncmp(field->name, "c:", 2) == 0) {
        *counted += number;
    } else if (strncmp(field->name, "w:", 2) == 0) {
        return watermark_read(summary, field->name + 2, number);
    }
    return true;
}

bool mesh_counters_copy_summary(const struct mesh_counters_copy *copy,
                                struct mesh_counters_summary *out, struct mesh_error *err)
{
    struct mesh_counters_summary summary = {
        .watermarks = mesh_new_array(uint64_t, MESH_COUNTERS_PARTITION_COUNT_MAX),
    };
    uint64_t counted = 0;

    for (size_t i = 0; i < copy->count; i++) {
        if (!field_read(&summary, &copy->fields[i], &counted)) {
            mesh_fail(err, MESH_DATA_LOSS, "the counters are damaged at field %s",
                      copy->fields[i].name);
            goto damaged;
        }
    }
    if (summary.topic_id == NULL) {
        mesh_fail(err, MESH_DATA_LOSS, "the counters have no topic");
        goto damaged;
    }
    if (counted != summary.total) {
        mesh_fail(err, MESH_DATA_LOSS,
                  "the counters are damaged: groups have %" PRIu64 ", the total is %" PRIu64,
                  counted, summary.total);
        goto damaged;
    }
    *out = summary;
    return true;

damaged:
    mesh_counters_summary_done(&summary);
    return false;
}

void mesh_counters_summary_done(struct mesh_counters_summary *summary)
{
    free(summary->watermarks);
    *summary = (struct mesh_counters_summary){0};
}

uint64_t mesh_counters_summary_watermark(const struct mesh_counters_summary *summary,
                                         size_t partition)
{
    return partition < summary->watermark_count ? summary->watermarks[partition] : 0;
}

bool mesh_counters_summary_may_follow(const struct mesh_counters_summary *stored,
                                      const struct mesh_counters_summary *next)
{
    if (strcmp(stored->topic_id, next->topic_id) != 0) {
        return true;
    }
    if (stored->recounts != next->recounts) {
        return stored->recounts < next->recounts;
    }
    for (size_t i = 0; i < stored->watermark_count; i++) {
        if (mesh_counters_summary_watermark(next, i) < stored->watermarks[i]) {
            return false;
        }
    }
    return true;
}

bool mesh_counters_copy_take(redisContext *redis, const char *stream,
                             struct mesh_counters_copy *out, struct mesh_error *err)
{
    redisReply *reply = redisCommand(redis, "HGETALL {%s}:state", stream);
    struct mesh_counters_copy copy = {0};
    bool ok = reply != NULL && reply->type == REDIS_REPLY_ARRAY;

    if (!ok) {
        (void)mesh_redis_fail(redis, reply, err);
    }
    for (size_t i = 0; ok && i + 1 < reply->elements; i += 2) {
        const redisReply *name = reply->element[i];
        const redisReply *value = reply->element[i + 1];
        struct mesh_bytes text = mesh_bytes_of(name->str, name->len);
        if (memchr(name->str, '\0', name->len) != NULL || !mesh_bytes_is_utf8(text)) {
            ok = mesh_fail(err, MESH_DATA_LOSS, "the counters have a field that is not ours");
        } else {
            mesh_counters_copy_add(&copy, name->str, mesh_bytes_of(value->str, value->len));
        }
    }
    if (ok && copy.bytes > MESH_COUNTERS_COPY_BYTES_MAX) {
        ok = mesh_fail(err, MESH_RESOURCE_EXHAUSTED,
                       "the counters have %zu bytes: too many to copy", copy.bytes);
    }
    freeReplyObject(reply);
    if (ok) {
        *out = copy;
    } else {
        mesh_counters_copy_done(&copy);
    }
    return ok;
}

/* Takes the reply over. */
static bool answered(redisContext *redis, redisReply *reply, struct mesh_error *err)
{
    bool ok = reply != NULL && reply->type != REDIS_REPLY_ERROR;

    if (!ok) {
        (void)mesh_redis_fail(redis, reply, err);
    }
    freeReplyObject(reply);
    return ok;
}

static bool upload_some(redisContext *redis, const char *key,
                        const struct mesh_counters_field *fields, size_t count,
                        struct mesh_error *err)
{
    const char *argv[2 + 2 * UPLOAD_FIELDS] = {"HSET", key};
    size_t sizes[2 + 2 * UPLOAD_FIELDS] = {4, strlen(key)};
    int argc = 2;

    for (size_t i = 0; i < count; i++, argc += 2) {
        argv[argc] = fields[i].name;
        sizes[argc] = strlen(fields[i].name);
        argv[argc + 1] = fields[i].value;
        sizes[argc + 1] = fields[i].value_size;
    }
    return answered(redis, redisCommandArgv(redis, argc, argv, sizes), err);
}

bool mesh_counters_copy_upload(redisContext *redis, const char *stream,
                               const struct mesh_counters_copy *copy, char **out_key,
                               struct mesh_error *err)
{
    struct mesh_id unique = mesh_id_new(mesh_clock_wall_ms()); /* others may do the same just now */
    char *key = mesh_format("{%s}:restoring:%s", stream, unique.text);
    bool ok = true;

    for (size_t at = 0; ok && at < copy->count; at += UPLOAD_FIELDS) {
        size_t left = copy->count - at;
        ok = upload_some(redis, key, copy->fields + at, left < UPLOAD_FIELDS ? left : UPLOAD_FIELDS,
                         err) &&
             answered(redis, redisCommand(redis, "EXPIRE %s %d", key, UPLOAD_S), err);
    }
    if (ok) {
        *out_key = key;
    } else {
        free(key);
    }
    return ok;
}

bool mesh_counters_copy_install(redisContext *redis, const char *stream,
                                const struct mesh_counters_restoration *how,
                                struct mesh_counters_reply *out, struct mesh_error *err)
{
    struct mesh_counters_command *command = mesh_counters_command_new();

    *out = (struct mesh_counters_reply){.outcome = MESH_COUNTERS_FAILED};
    /* RENAME takes the expiry along, and must be the function's only write. */
    bool ok = answered(redis, redisCommand(redis, "PERSIST %s", how->copy_key), err);
    if (ok) {
        mesh_counters_restore(command, stream, how);
        ok = mesh_counters_call(redis, command, out, err);
    }
    if (out->outcome != MESH_COUNTERS_DONE && redis->err == 0) {
        freeReplyObject(redisCommand(redis, "UNLINK %s", how->copy_key));
    }
    mesh_counters_command_free(command);
    return ok;
}
