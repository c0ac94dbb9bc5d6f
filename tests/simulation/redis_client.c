/* SPDX-License-Identifier: Apache-2.0 */
/* hiredis as our programs call it: connections to redis_store. */
#include "chance.h"
#include "mesh/alloc.h"
#include "mesh/error.h"
#include "process.h"
#include "redis_store.h"
#include "verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPLY_COUNT_MAX = 256, ARGUMENT_COUNT_MAX = 512 };

struct connection {
    redisContext context; /* what the programs see */
    struct process *process;
    unsigned int life;
    redisReply *replies[REPLY_COUNT_MAX]; /* of a pipeline, not fetched yet; NULL: it broke */
    size_t first;
    size_t count;
};

redisContext *__wrap_mesh_redis_connect(const char *url, uint32_t timeout_ms,
                                        struct mesh_error *err);

redisContext *__wrap_mesh_redis_connect(const char *url, uint32_t timeout_ms,
                                        struct mesh_error *err)
{
    (void)url;
    (void)timeout_ms;
    if (!process_call(process_current(), "connects to Redis").answer) {
        mesh_fail(err, MESH_UNAVAILABLE, "no connection");
        return NULL;
    }
    struct connection *connection = mesh_new(struct connection);
    connection->process = process_current();
    connection->life = redis_store_life();
    return &connection->context;
}

void redisFree(redisContext *context)
{
    struct connection *connection = (struct connection *)context;

    if (connection == NULL) {
        return;
    }
    for (size_t i = connection->first; i < connection->count; i++) {
        freeReplyObject(connection->replies[i]);
    }
    free(connection);
}

static redisReply *broken(struct connection *connection)
{
    connection->context.err = REDIS_ERR_EOF;
    (void)snprintf(connection->context.errstr, sizeof(connection->context.errstr), "closed");
    return NULL;
}

/* FCALL and its arguments, bytes as numbers where they are no text. */
static void describe(char *out, size_t room, size_t argc, const struct mesh_bytes *argv)
{
    size_t size = 0;

    out[0] = '\0';
    for (size_t i = 0; i < argc && size + 8 < room; i++) {
        out[size++] = ' ';
        for (size_t k = 0; k < argv[i].size && size + 8 < room && k < 24; k++) {
            uint8_t byte = argv[i].data[k];
            size += (size_t)snprintf(out + size, room - size,
                                     byte >= ' ' && byte < 0x7f ? "%c" : "[%u]", byte);
        }
    }
}

/* In a pipeline nobody else goes in between here; a command alone may take its time. */
static redisReply *run(struct connection *connection, size_t argc, const struct mesh_bytes *argv)
{
    struct fate fate = {.effect = true, .answer = true};
    char what[256] = "Redis";

    if (connection->context.err != 0) {
        return broken(connection);
    }
    if (trace_is_on()) {
        describe(what + 5, sizeof(what) - 5, argc, argv);
    }
    fate = process_call(connection->process, what);
    if (connection->life != redis_store_life()) {
        return broken(connection); /* Redis died meanwhile */
    }
    redisReply *reply = fate.effect ? redis_store_command(argc, argv) : NULL;
    if (!fate.answer) {
        freeReplyObject(reply);
        return broken(connection);
    }
    if (reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 &&
        reply->element[1]->type == REDIS_REPLY_INTEGER) {
        trace("Redis answers %s %lld %lld", reply->element[0]->str, reply->element[1]->integer,
              reply->element[2]->integer);
    }
    return reply;
}

static redisReply *run_argv(struct connection *connection, int argc, const char **argv,
                            const size_t *sizes)
{
    struct mesh_bytes arguments[ARGUMENT_COUNT_MAX];

    if (argc > ARGUMENT_COUNT_MAX) {
        abort();
    }
    for (int i = 0; i < argc; i++) {
        arguments[i] = mesh_bytes_of(argv[i], sizes == NULL ? strlen(argv[i]) : sizes[i]);
    }
    return run(connection, (size_t)argc, arguments);
}

/* Takes the command apart that the real hiredis has put together: *n, and $size and bytes each. */
static redisReply *run_format(struct connection *connection, const char *format, va_list args)
{
    struct mesh_bytes arguments[ARGUMENT_COUNT_MAX];
    char *command = NULL;
    int size = redisvFormatCommand(&command, format, args);
    char *at = command;

    if (size < 0) {
        abort();
    }
    size_t argc = strtoull(at + 1, &at, 10);
    for (size_t i = 0; i < argc && i < ARGUMENT_COUNT_MAX; i++) {
        size_t length = strtoull(at + 3, &at, 10); /* behind \r\n$ */
        arguments[i] = mesh_bytes_of(at + 2, length);
        at += 2 + length;
    }
    redisReply *reply = run(connection, argc, arguments);
    redisFreeCommand(command);
    return reply;
}

void *redisCommandArgv(redisContext *context, int argc, const char **argv, const size_t *sizes)
{
    return run_argv((struct connection *)context, argc, argv, sizes);
}

void *redisCommand(redisContext *context, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    redisReply *reply = run_format((struct connection *)context, format, args);
    va_end(args);
    return reply;
}

static int queue(struct connection *connection, redisReply *reply)
{
    if (connection->first == connection->count) {
        connection->first = 0;
        connection->count = 0;
    }
    if (connection->count == REPLY_COUNT_MAX) {
        abort();
    }
    connection->replies[connection->count++] = reply;
    return REDIS_OK;
}

int redisAppendCommandArgv(redisContext *context, int argc, const char **argv, const size_t *sizes)
{
    struct connection *connection = (struct connection *)context;

    return queue(connection, run_argv(connection, argc, argv, sizes));
}

int redisAppendCommand(redisContext *context, const char *format, ...)
{
    struct connection *connection = (struct connection *)context;
    va_list args;

    va_start(args, format);
    redisReply *reply = run_format(connection, format, args);
    va_end(args);
    return queue(connection, reply);
}

int redisGetReply(redisContext *context, void **reply)
{
    struct connection *connection = (struct connection *)context;

    *reply = NULL;
    if (connection->first < connection->count) {
        *reply = connection->replies[connection->first++];
    }
    if (*reply == NULL) {
        (void)broken(connection);
        return REDIS_ERR;
    }
    return REDIS_OK;
}
