/* SPDX-License-Identifier: Apache-2.0 */
#include "health.h"

#include "mesh/alloc.h"
#include "mesh/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#define HEARD_MS_MAX 10000 /* what was not heard again for so long is not ours to tell */
#define COMMAND_PARTS (2 + 2 * (HEALTH_PROGRAMS_MAX + 1))
#define FIELD_BYTES_MAX (2 * MESH_HEALTH_NAME_BYTES_MAX + 1)

struct health {
    char *instance;
    _Atomic(const char *) state;
    /* lock guards: */
    pthread_mutex_t lock;
    struct health_entry heard[HEALTH_PROGRAMS_MAX];
    size_t heard_count;
    /* Redis thread */
    struct health_entry seen[HEALTH_PROGRAMS_MAX];
    size_t seen_count;
    char *old[HEALTH_PROGRAMS_MAX]; /* fields to remove */
    size_t old_count;
};

struct health *health_new(const char *instance)
{
    struct health *health = mesh_new(struct health);

    health->instance = mesh_strdup(instance);
    atomic_store(&health->state, "running");
    (void)pthread_mutex_init(&health->lock, NULL);
    return health;
}

static void forget_old(struct health *health)
{
    while (health->old_count > 0) {
        free(health->old[--health->old_count]);
    }
}

void health_free(struct health *health)
{
    if (health == NULL) {
        return;
    }
    forget_old(health);
    free(health->instance);
    (void)pthread_mutex_destroy(&health->lock);
    free(health);
}

void health_set_state(struct health *health, const char *state)
{
    if (health != NULL) {
        atomic_store(&health->state, state);
    }
}

/* ---- what feeders say ---- */

static void take_name(char out[static MESH_HEALTH_NAME_BYTES_MAX + 1], struct mesh_bytes name)
{
    if (name.size > 0) {
        memcpy(out, name.data, name.size);
    }
    out[name.size] = '\0';
}

/* The entry of that name, or a new one; NULL: no room. */
static struct health_entry *entry_of(struct health *health, const struct health_entry *wanted)
{
    for (size_t i = 0; i < health->heard_count; i++) {
        struct health_entry *entry = &health->heard[i];
        if (strcmp(entry->program, wanted->program) == 0 &&
            strcmp(entry->instance, wanted->instance) == 0) {
            return entry;
        }
    }
    return health->heard_count < HEALTH_PROGRAMS_MAX ? &health->heard[health->heard_count++] : NULL;
}

void health_hear(struct health *health, struct mesh_bytes program, struct mesh_bytes instance,
                 bool ready)
{
    struct health_entry heard = {.state = "running", .ready = ready, .at_ms = mesh_clock_wall_ms()};

    if (health == NULL || !mesh_health_is_name(program) || !mesh_health_is_name(instance)) {
        return;
    }
    take_name(heard.program, program);
    take_name(heard.instance, instance);
    (void)pthread_mutex_lock(&health->lock);
    struct health_entry *entry = entry_of(health, &heard);
    if (entry != NULL) {
        *entry = heard;
    }
    (void)pthread_mutex_unlock(&health->lock);
}

/* Under the lock. */
static void drop_silent(struct health *health, int64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < health->heard_count; i++) {
        if (now_ms - health->heard[i].at_ms <= HEARD_MS_MAX) {
            health->heard[kept++] = health->heard[i];
        }
    }
    health->heard_count = kept;
}

/* ---- the Redis thread ---- */

static void add_entry(struct mesh_buffer *parts, const char **argv, int *argc,
                      const struct health_entry *entry)
{
    mesh_buffer_reset(&parts[*argc]);
    mesh_buffer_add_format(&parts[*argc], "%s/%s", entry->program, entry->instance);
    argv[*argc] = parts[*argc].data;
    (*argc)++;
    mesh_buffer_reset(&parts[*argc]);
    mesh_health_write(&parts[*argc], entry->state, entry->ready, entry->at_ms, "");
    argv[*argc] = parts[*argc].data;
    (*argc)++;
}

void health_append_write(struct health *health, redisContext *redis, bool ready, int64_t now_ms)
{
    struct mesh_buffer parts[COMMAND_PARTS] = {0};
    const char *argv[COMMAND_PARTS] = {"HSET", MESH_HEALTH_KEY};
    struct health_entry own = {.program = "ws-redis", .ready = ready, .at_ms = now_ms};
    int argc = 2;

    take_name(own.instance, mesh_bytes_of_text(health->instance));
    const char *state = atomic_load(&health->state);
    memcpy(own.state, state, strnlen(state, HEALTH_STATE_BYTES_MAX));
    add_entry(parts, argv, &argc, &own);
    (void)pthread_mutex_lock(&health->lock);
    drop_silent(health, now_ms);
    for (size_t i = 0; i < health->heard_count; i++) {
        add_entry(parts, argv, &argc, &health->heard[i]);
    }
    /* Told once: who knows better, that it was killed say, is not overwritten. */
    health->heard_count = 0;
    (void)pthread_mutex_unlock(&health->lock);
    /* Fails only when memory is gone, which the answer then tells. */
    (void)redisAppendCommandArgv(redis, argc, argv, NULL);
    for (int i = 0; i < argc; i++) {
        mesh_buffer_done(&parts[i]);
    }
}

bool health_append_prune(struct health *health, redisContext *redis)
{
    const char *argv[2 + HEALTH_PROGRAMS_MAX] = {"HDEL", MESH_HEALTH_KEY};

    if (health->old_count == 0) {
        return false;
    }
    for (size_t i = 0; i < health->old_count; i++) {
        argv[2 + i] = health->old[i];
    }
    (void)redisAppendCommandArgv(redis, (int)(2 + health->old_count), argv, NULL);
    forget_old(health);
    return true;
}

static bool read_state(const char *text, char out[static HEALTH_STATE_BYTES_MAX + 1])
{
    size_t size = 0;
    while (text[size] >= ' ' && text[size] <= '~' && text[size] != '"' && text[size] != '\\') {
        size++;
    }
    if (size == 0 || size > HEALTH_STATE_BYTES_MAX || text[size] != '\0') {
        return false;
    }
    memcpy(out, text, size + 1);
    return true;
}

static bool read_value(struct mesh_bytes value, struct health_entry *out)
{
    if (value.size > HEALTH_VALUE_BYTES_MAX) {
        return false;
    }
    yyjson_doc *document = yyjson_read((const char *)value.data, value.size, 0);
    yyjson_val *root = yyjson_doc_get_root(document); /* accepts NULL */
    yyjson_val *at_ms = yyjson_obj_get(root, "at_ms");
    yyjson_val *ready = yyjson_obj_get(root, "ready");
    const char *state = yyjson_get_str(yyjson_obj_get(root, "state"));
    const bool good = yyjson_is_uint(at_ms) && yyjson_get_uint(at_ms) < INT64_MAX &&
                      yyjson_is_bool(ready) && state != NULL && read_state(state, out->state);
    if (good) {
        out->at_ms = (int64_t)yyjson_get_uint(at_ms);
        out->ready = yyjson_get_bool(ready);
    }
    yyjson_doc_free(document);
    return good;
}

bool health_read_entry(struct mesh_bytes field, struct mesh_bytes value, struct health_entry *out)
{
    const uint8_t *slash = field.size == 0 ? NULL : memchr(field.data, '/', field.size);
    if (slash == NULL) {
        return false;
    }
    const size_t size = (size_t)(slash - field.data);
    const struct mesh_bytes program = mesh_bytes_of(field.data, size);
    const struct mesh_bytes instance = mesh_bytes_of(slash + 1, field.size - size - 1);
    if (!mesh_health_is_name(program) || !mesh_health_is_name(instance) ||
        !read_value(value, out)) {
        return false;
    }
    take_name(out->program, program);
    take_name(out->instance, instance);
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct health_entry *x = a;
    const struct health_entry *y = b;
    const int by_program = strcmp(x->program, y->program);
    return by_program != 0 ? by_program : strcmp(x->instance, y->instance);
}

/* Of a program that is gone. What is not ours to understand stays: somebody else wrote it. */
static void note_old(struct health *health, const redisReply *field)
{
    if (health->old_count < HEALTH_PROGRAMS_MAX && field->len <= FIELD_BYTES_MAX) {
        health->old[health->old_count++] = mesh_strndup(field->str, field->len);
    }
}

void health_read(struct health *health, const redisReply *hash, int64_t now_ms,
                 struct mesh_buffer *out)
{
    size_t count = 0;

    forget_old(health);
    for (size_t i = 0; hash->type == REDIS_REPLY_ARRAY && i + 1 < hash->elements; i += 2) {
        const redisReply *field = hash->element[i];
        const redisReply *value = hash->element[i + 1];
        struct health_entry entry = {0};
        if (field->type != REDIS_REPLY_STRING || value->type != REDIS_REPLY_STRING ||
            !health_read_entry(mesh_bytes_of(field->str, field->len),
                               mesh_bytes_of(value->str, value->len), &entry)) {
            continue;
        }
        if (now_ms - entry.at_ms > MESH_HEALTH_MS_MAX) {
            note_old(health, field);
        } else if (count < HEALTH_PROGRAMS_MAX) {
            health->seen[count++] = entry;
        }
    }
    qsort(health->seen, count, sizeof(health->seen[0]), compare);
    health->seen_count = count;
    mesh_buffer_add_text(out, "[");
    for (size_t i = 0; i < count; i++) {
        const struct health_entry *entry = &health->seen[i];
        mesh_buffer_add_format(out,
                               "%s{\"program\":\"%s\",\"instance\":\"%s\",\"state\":\"%s\","
                               "\"ready\":%s,\"at_ms\":%lld}",
                               i == 0 ? "" : ",", entry->program, entry->instance, entry->state,
                               entry->ready ? "true" : "false", (long long)entry->at_ms);
    }
    mesh_buffer_add_text(out, "]");
}

int64_t health_last_ms(const struct health *health, const char *program)
{
    int64_t last_ms = 0;
    for (size_t i = 0; i < health->seen_count; i++) {
        const struct health_entry *entry = &health->seen[i];
        if (strcmp(entry->program, program) == 0 && entry->at_ms > last_ms) {
            last_ms = entry->at_ms;
        }
    }
    return last_ms;
}
