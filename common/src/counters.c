/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/counters.h"

#include "mesh/alloc.h"
#include "mesh/redis.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* counters.lua, embedded by mesh_embed(). */
extern const unsigned char mesh_counters_lua[];
extern const size_t mesh_counters_lua_size;

/* FCALL name 1 key range_count, three words a range, and the group names. */
#define ARGS_MAX (5 + 3 * MESH_COUNTERS_RANGES_MAX + MESH_GROUP_COUNT_MAX)
#define KEY_BYTES_MAX 160 /* a stream name and a count_by, both at most 63 bytes, fit */
#define NUMBER_BYTES_MAX 24

struct mesh_counters_scratch {
    const char *argv[ARGS_MAX];
    size_t argv_sizes[ARGS_MAX];
    char keys[2][KEY_BYTES_MAX];
    char range_count[NUMBER_BYTES_MAX];
    struct {
        char partition[NUMBER_BYTES_MAX];
        char offset[NUMBER_BYTES_MAX];
    } positions[MESH_COUNTERS_RANGES_MAX];
    uint8_t groups[MESH_COUNTERS_RANGE_MAX]; /* index of the name among those passed, or a mark */
};

/* The names that occur, in order of appearance: a call of 100 events names perhaps 20 of 250
 * groups. */
struct names {
    uint8_t dense[MESH_GROUP_COUNT_MAX]; /* index in `text` by group, or HOLE */
    const char *text[MESH_GROUP_COUNT_MAX];
    size_t count;
};

struct mesh_counters_command *mesh_counters_command_new(void)
{
    struct mesh_counters_command *command = mesh_new(struct mesh_counters_command);
    command->scratch = mesh_new(struct mesh_counters_scratch);
    command->argv = command->scratch->argv;
    command->argv_sizes = command->scratch->argv_sizes;
    return command;
}

void mesh_counters_command_free(struct mesh_counters_command *command)
{
    if (command != NULL) {
        free(command->scratch);
        free(command);
    }
}

static void add_bytes(struct mesh_counters_command *command, const void *data, size_t size)
{
    assert((size_t)command->argc < ARGS_MAX);
    command->argv[command->argc] = data;
    command->argv_sizes[command->argc] = size;
    command->argc++;
}

static void add_text(struct mesh_counters_command *command, const char *text)
{
    add_bytes(command, text, strlen(text));
}

static void add_key(struct mesh_counters_command *command, size_t index, const char *stream,
                    const char *suffix)
{
    char *key = command->scratch->keys[index];
    int length = snprintf(key, KEY_BYTES_MAX, "{%s}:%s", stream, suffix);
    assert(length > 0 && length < KEY_BYTES_MAX);
    (void)length;
    add_text(command, key);
}

/* FCALL function, one key: the state. */
static void begin(struct mesh_counters_command *command, const char *function, const char *stream)
{
    command->argc = 0;
    add_text(command, "FCALL");
    add_text(command, function);
    add_text(command, "1");
    add_key(command, 0, stream, "state");
}

static void add_position(struct mesh_counters_command *command, size_t index, uint32_t partition,
                         uint64_t first_offset)
{
    char *words[2] = {command->scratch->positions[index].partition,
                      command->scratch->positions[index].offset};
    (void)snprintf(words[0], NUMBER_BYTES_MAX, "%" PRIu32, partition);
    (void)snprintf(words[1], NUMBER_BYTES_MAX, "%" PRIu64, first_offset);
    add_text(command, words[0]);
    add_text(command, words[1]);
}

/* Adds the range's groups, as indexes of `names`, behind `used` bytes that other ranges have. */
static void add_groups(struct mesh_counters_command *command,
                       const struct mesh_counters_range *range, size_t used, struct names *names)
{
    uint8_t *out = command->scratch->groups + used;

    assert(used + range->count <= MESH_COUNTERS_RANGE_MAX);
    for (size_t i = 0; i < range->count; i++) {
        uint8_t group = range->groups[i];
        if (group < MESH_GROUP_COUNT_MAX) {
            assert(group < range->group_count);
            if (names->dense[group] == MESH_GROUP_HOLE) {
                names->dense[group] = (uint8_t)names->count;
                names->text[names->count++] = range->group_names[group];
            }
            group = names->dense[group];
        }
        out[i] = group;
    }
    add_bytes(command, out, range->count);
}

static void names_begin(struct names *names)
{
    memset(names->dense, MESH_GROUP_HOLE, sizeof(names->dense));
    names->count = 0;
}

static void add_names(struct mesh_counters_command *command, const struct names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        add_text(command, names->text[i]);
    }
}

void mesh_counters_apply(struct mesh_counters_command *command,
                         const struct mesh_counters_range *ranges, size_t range_count)
{
    struct names names;
    size_t used = 0;

    assert(range_count > 0 && range_count <= MESH_COUNTERS_RANGES_MAX);
    names_begin(&names);
    begin(command, "tweetmesh_apply_many", ranges[0].stream);
    (void)snprintf(command->scratch->range_count, NUMBER_BYTES_MAX, "%zu", range_count);
    add_text(command, command->scratch->range_count);
    for (size_t i = 0; i < range_count; i++) {
        add_position(command, i, ranges[i].partition, ranges[i].first_offset);
        add_groups(command, &ranges[i], used, &names);
        used += ranges[i].count;
    }
    add_names(command, &names);
}

void mesh_counters_settle(struct mesh_counters_command *command,
                          const struct mesh_counters_range *range)
{
    struct names names;

    assert(range->topic_id != NULL && range->topic_id[0] != '\0');
    assert(range->count == 0 || range->duplicates != NULL);
    names_begin(&names);
    begin(command, "tweetmesh_settle", range->stream);
    add_position(command, 0, range->partition, range->first_offset);
    add_text(command, range->topic_id);
    add_groups(command, range, 0, &names);
    add_bytes(command, range->count == 0 ? (const void *)"" : range->duplicates, range->count);
    add_names(command, &names);
}

/* FCALL function, two keys: the state and the derived hash. */
static void begin_show(struct mesh_counters_command *command, const char *function,
                       const char *stream, const char *suffix)
{
    begin(command, function, stream);
    command->argv[2] = "2";
    add_key(command, 1, stream, suffix);
}

static const char *groups_suffix(const struct mesh_stream *stream)
{
    return stream->count_by == NULL ? "all" : stream->count_by;
}

void mesh_counters_show_groups(struct mesh_counters_command *command,
                               const struct mesh_stream *stream)
{
    begin_show(command, "tweetmesh_show_groups", stream->name, groups_suffix(stream));
    for (size_t i = 0; i < stream->group_count; i++) {
        add_text(command, stream->group_names[i]);
    }
}

void mesh_counters_show_totals(struct mesh_counters_command *command,
                               const struct mesh_stream *stream)
{
    begin_show(command, "tweetmesh_show_totals", stream->name, "totals");
}

void mesh_counters_sweep(struct mesh_counters_command *command, const char *stream,
                         uint32_t partition, uint64_t first_offset)
{
    begin(command, "tweetmesh_sweep", stream);
    add_position(command, 0, partition, first_offset);
}

void mesh_counters_restore(struct mesh_counters_command *command, const char *stream,
                           const struct mesh_counters_restoration *how)
{
    char *count = command->scratch->positions[0].offset;
    char *partition = command->scratch->positions[0].partition;

    command->argc = 0;
    add_text(command, "FCALL");
    add_text(command, "tweetmesh_restore");
    add_text(command, "2");
    add_text(command, how->copy_key);
    add_key(command, 0, stream, "state");
    add_text(command, how->topic_id);
    (void)snprintf(count, NUMBER_BYTES_MAX, "%zu", how->field_count);
    add_text(command, count);
    if (how->forced) {
        (void)snprintf(partition, NUMBER_BYTES_MAX, "force");
    } else {
        (void)snprintf(partition, NUMBER_BYTES_MAX, "%" PRIu32, how->partition);
    }
    add_text(command, partition);
}

char *mesh_counters_groups_key(const struct mesh_stream *stream)
{
    return mesh_format("{%s}:%s", stream->name, groups_suffix(stream));
}

char *mesh_counters_totals_key(const struct mesh_stream *stream)
{
    return mesh_format("{%s}:totals", stream->name);
}

static bool says_no_function(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR && strstr(reply->str, "Function not found") != NULL;
}

void mesh_counters_read_reply(const redisReply *reply, struct mesh_counters_reply *out,
                              struct mesh_error *err)
{
    static const struct {
        const char *word;
        enum mesh_counters_outcome outcome;
    } words[] = {
        {"OK", MESH_COUNTERS_DONE},
        {"GAP", MESH_COUNTERS_GAP},
        {"OTHER_TOPIC", MESH_COUNTERS_OTHER_TOPIC},
        {"AHEAD", MESH_COUNTERS_AHEAD},
    };

    *out = (struct mesh_counters_reply){.outcome = MESH_COUNTERS_FAILED};
    if (says_no_function(reply)) {
        out->outcome = MESH_COUNTERS_NO_LIBRARY;
        return;
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_INTEGER || reply->element[1]->integer < 0 ||
        reply->element[2]->type != REDIS_REPLY_INTEGER) {
        mesh_redis_fail(NULL, reply, err);
        return;
    }
    for (size_t i = 0; i < MESH_COUNT_OF(words); i++) {
        if (strcmp(reply->element[0]->str, words[i].word) == 0) {
            out->outcome = words[i].outcome;
            out->watermark = (uint64_t)reply->element[1]->integer;
            out->counted = reply->element[2]->integer;
            return;
        }
    }
    mesh_fail(err, MESH_INTERNAL, "Redis: a reply of another library: replace tweetmesh's");
}

/* The version of counters.lua, of which there is one copy: in its own text. */
static long long own_version(void)
{
    static const char mark[] = "local VERSION = ";
    const char *at = strstr((const char *)mesh_counters_lua, mark);
    assert(at != NULL);
    return strtoll(at + sizeof(mark) - 1, NULL, 10);
}

/* *out_version is 0 where the library is missing. */
static bool loaded_version(redisContext *redis, long long *out_version, struct mesh_error *err)
{
    redisReply *reply = redisCommand(redis, "FCALL_RO tweetmesh_version 0");
    bool good = true;
    if (reply != NULL && reply->type == REDIS_REPLY_INTEGER) {
        *out_version = reply->integer;
    } else if (reply != NULL && says_no_function(reply)) {
        *out_version = 0;
    } else {
        good = mesh_redis_fail(redis, reply, err);
    }
    freeReplyObject(reply);
    return good;
}

bool mesh_counters_load(redisContext *redis, struct mesh_error *err)
{
    /* A first attempt replaces nothing: "already exists" means that another program was quicker
     * with perhaps a newer version, so look again. */
    for (int attempt = 0; attempt < 3; attempt++) {
        long long version = 0;
        if (!loaded_version(redis, &version, err)) {
            return false;
        }
        if (version >= own_version()) {
            return true;
        }
        bool replace = version > 0 || attempt > 0;
        const char *const text = (const char *)mesh_counters_lua;
        redisReply *reply =
            replace ? redisCommand(redis, "FUNCTION LOAD REPLACE %b", text, mesh_counters_lua_size)
                    : redisCommand(redis, "FUNCTION LOAD %b", text, mesh_counters_lua_size);
        bool again = reply != NULL && reply->type == REDIS_REPLY_ERROR &&
                     strstr(reply->str, "already exists") != NULL;
        if (reply == NULL || (reply->type == REDIS_REPLY_ERROR && !again)) {
            mesh_redis_fail(redis, reply, err);
            freeReplyObject(reply);
            return mesh_error_prefix(err, "cannot load the function library");
        }
        freeReplyObject(reply);
        if (!again) {
            return true;
        }
    }
    return mesh_fail(err, MESH_ABORTED, "Redis: another function library is in tweetmesh's way");
}

bool mesh_counters_call(redisContext *redis, const struct mesh_counters_command *command,
                        struct mesh_counters_reply *out, struct mesh_error *err)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        redisReply *reply =
            redisCommandArgv(redis, command->argc, command->argv, command->argv_sizes);
        if (reply == NULL) {
            *out = (struct mesh_counters_reply){.outcome = MESH_COUNTERS_FAILED};
            return mesh_redis_fail(redis, NULL, err);
        }
        mesh_counters_read_reply(reply, out, err);
        freeReplyObject(reply);
        if (out->outcome != MESH_COUNTERS_NO_LIBRARY) {
            return out->outcome != MESH_COUNTERS_FAILED;
        }
        if (!mesh_counters_load(redis, err)) {
            return false;
        }
    }
    out->outcome = MESH_COUNTERS_FAILED;
    return mesh_fail(err, MESH_ABORTED, "Redis: the function library vanishes");
}

/* One field of the state hash. False: it is damaged. */
static bool state_field(const struct mesh_stream *stream, const redisReply *name,
                        const redisReply *value, struct mesh_counters_state *state)
{
    const char *field = name->str;
    if (strncmp(field, "b:", 2) == 0 || strcmp(field, "topic") == 0 ||
        strcmp(field, "partitions") == 0 || strcmp(field, "recounts") == 0) {
        return true;
    }
    char *end = NULL;
    uint64_t number = strtoull(value->str, &end, 10);
    if (value->len == 0 || *end != '\0' || value->str[0] == '-') {
        return false;
    }
    if (strcmp(field, "total") == 0) {
        state->total = number;
    } else if (strcmp(field, "duplicates") == 0) {
        state->duplicates = number;
    } else if (strcmp(field, "not_counted") == 0) {
        state->not_counted = number;
    } else if (strncmp(field, "w:", 2) == 0) {
        size_t partition = strtoull(field + 2, NULL, 10);
        if (partition >= MESH_COUNTERS_PARTITION_COUNT_MAX) {
            return false;
        }
        if (partition >= state->watermark_count) {
            state->watermark_count = partition + 1;
        }
        state->watermarks[partition] = number;
    } else if (strncmp(field, "c:", 2) == 0) {
        size_t group = 0;
        while (group < stream->group_count && strcmp(stream->group_names[group], field + 2) != 0) {
            group++;
        }
        uint64_t *count = group < stream->group_count ? &state->counts[group] : &state->foreign;
        *count += number;
    }
    return true;
}

bool mesh_counters_state_read(redisContext *redis, const struct mesh_stream *stream,
                              struct mesh_counters_state *out, struct mesh_error *err)
{
    redisReply *reply = redisCommand(redis, "HGETALL {%s}:state", stream->name);
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
        mesh_redis_fail(redis, reply, err);
        freeReplyObject(reply);
        return false;
    }
    struct mesh_counters_state state = {
        .watermarks = mesh_new_array(uint64_t, MESH_COUNTERS_PARTITION_COUNT_MAX),
    };
    bool good = true;
    for (size_t i = 0; good && i + 1 < reply->elements; i += 2) {
        good = state_field(stream, reply->element[i], reply->element[i + 1], &state);
        if (!good) {
            mesh_fail(err, MESH_DATA_LOSS, "Redis: {%s}:state is damaged at field %s", stream->name,
                      reply->element[i]->str);
        }
    }
    freeReplyObject(reply);
    if (good) {
        *out = state;
    } else {
        mesh_counters_state_done(&state);
    }
    return good;
}

void mesh_counters_state_done(struct mesh_counters_state *state)
{
    free(state->watermarks);
    *state = (struct mesh_counters_state){0};
}
