/* SPDX-License-Identifier: Apache-2.0 */
#include "redis_library.h"

#include "mesh/alloc.h"
#include "mutants.h"
#include "redis_hash.h"
#include "redis_store.h"
#include "verdict.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lua_State *lua;
static bool loaded;
static char *loaded_text; /* that Lua knows */
static size_t writes;     /* of the call in hand */

static struct mesh_bytes bytes_at(lua_State *state, int index)
{
    size_t size = 0;
    const char *text = lua_tolstring(state, index, &size);

    return mesh_bytes_of(text, size);
}

/* As Redis does it: no value is false. */
static void push(lua_State *state, const struct mesh_bytes *value)
{
    if (value == NULL) {
        lua_pushboolean(state, 0);
    } else {
        lua_pushlstring(state, (const char *)value->data, value->size);
    }
}

static int read_many(lua_State *state, struct mesh_bytes key, int count)
{
    lua_createtable(state, count - 2, 0);
    for (int i = 3; i <= count; i++) {
        push(state, redis_hash_get(key, bytes_at(state, i)));
        lua_rawseti(state, -2, i - 2);
    }
    return 1;
}

static int write_many(lua_State *state, struct mesh_bytes key, int count, bool drop)
{
    int changed = 0;

    writes++;
    redis_hash_write();
    for (int i = 3; i <= count; i += drop ? 1 : 2) {
        redis_hash_set(key, bytes_at(state, i),
                       drop ? mesh_bytes_of(NULL, 0) : bytes_at(state, i + 1));
        changed++;
    }
    lua_pushinteger(state, changed);
    return 1;
}

/* redis.call() */
static int call(lua_State *state)
{
    int count = lua_gettop(state);
    const char *command = lua_tostring(state, 1);
    struct mesh_bytes key = bytes_at(state, 2);

    if (strcmp(command, "HMGET") == 0) {
        return read_many(state, key, count);
    }
    if (strcmp(command, "HGET") == 0) {
        push(state, redis_hash_get(key, bytes_at(state, 3)));
        return 1;
    }
    if (strcmp(command, "HLEN") == 0) {
        lua_pushinteger(state, (lua_Integer)redis_hash_length(key));
        return 1;
    }
    if (strcmp(command, "RENAME") == 0) {
        writes++;
        redis_hash_write();
        redis_hash_rename(key, bytes_at(state, 3));
        lua_pushliteral(state, "OK");
        return 1;
    }
    if (strcmp(command, "HSET") == 0 || strcmp(command, "HDEL") == 0) {
        return write_many(state, key, count, command[1] == 'D');
    }
    verdict_broken("the simulated Redis does not know %s in a function", command);
    return luaL_error(state, "unknown command");
}

/* redis.register_function(): into the registry's table of functions. */
static int register_function(lua_State *state)
{
    if (lua_istable(state, 1)) {
        lua_getfield(state, 1, "function_name");
        lua_getfield(state, 1, "callback");
        lua_remove(state, 1);
    }
    lua_getfield(state, LUA_REGISTRYINDEX, "functions");
    lua_insert(state, 1);
    lua_rawset(state, 1);
    return 0;
}

static void lua_start(void)
{
    lua = luaL_newstate();
    luaL_openlibs(lua);
    lua_newtable(lua);
    lua_setfield(lua, LUA_REGISTRYINDEX, "functions");
    lua_newtable(lua);
    lua_pushcfunction(lua, call);
    lua_setfield(lua, -2, "call");
    lua_pushcfunction(lua, register_function);
    lua_setfield(lua, -2, "register_function");
    lua_setglobal(lua, "redis");
}

redisReply *redis_library_load(struct mesh_bytes text)
{
    if (lua == NULL) {
        lua_start();
    }
    if (loaded_text == NULL || !mesh_bytes_equal_text(text, loaded_text)) {
        char *mutated = mutants_library(text);
        const char *code = strchr(mutated, '\n'); /* behind #!lua name=tweetmesh */
        if (luaL_loadstring(lua, code) != 0 || lua_pcall(lua, 0, 0, 0) != 0) {
            (void)fprintf(stderr, "the library does not load: %s\n", lua_tostring(lua, -1));
            abort();
        }
        free(mutated);
        free(loaded_text);
        loaded_text = mesh_strndup((const char *)text.data, text.size);
    }
    loaded = true;
    return redis_reply_text(REDIS_REPLY_STRING, "tweetmesh", 9);
}

void redis_library_forget(void)
{
    loaded = false;
}

void redis_library_stop(void)
{
    if (lua != NULL) {
        lua_close(lua);
    }
    lua = NULL;
    free(loaded_text);
    loaded_text = NULL;
}

static redisReply *reply_of(lua_State *state)
{
    redisReply *reply;

    if (lua_type(state, -1) == LUA_TNUMBER) {
        reply = redis_reply_new(REDIS_REPLY_INTEGER);
        reply->integer = (long long)lua_tonumber(state, -1);
        return reply;
    }
    if (lua_type(state, -1) == LUA_TSTRING) {
        struct mesh_bytes text = bytes_at(state, -1);
        return redis_reply_text(REDIS_REPLY_STRING, (const char *)text.data, text.size);
    }
    if (lua_type(state, -1) != LUA_TTABLE) {
        return redis_reply_new(REDIS_REPLY_NIL);
    }
    reply = redis_reply_new(REDIS_REPLY_ARRAY);
    size_t count = lua_objlen(state, -1);
    reply->element = mesh_new_array(redisReply *, count);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(state, -1, (int)i + 1);
        reply->element[reply->elements++] = reply_of(state);
        lua_pop(state, 1);
    }
    return reply;
}

/* error({err = …}), or a fault of the library itself. */
static redisReply *failure(lua_State *state, const char *function)
{
    if (lua_istable(state, -1)) {
        lua_getfield(state, -1, "err");
    }
    struct mesh_bytes text = bytes_at(state, -1);
    /* Of a copy that Redis lost a part of while it came this is what it should say. */
    if (strncmp((const char *)text.data, "TWEETMESH the copy is ", 22) != 0) {
        verdict_broken("%s refuses: %.*s", function, (int)text.size, (const char *)text.data);
    }
    return redis_reply_text(REDIS_REPLY_ERROR, (const char *)text.data, text.size);
}

static void push_arguments(size_t count, const struct mesh_bytes *argv)
{
    lua_createtable(lua, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        push(lua, &argv[i]);
        lua_rawseti(lua, -2, (int)i + 1);
    }
}

redisReply *redis_library_call(size_t argc, const struct mesh_bytes *argv)
{
    static const char missing[] = "ERR Function not found";
    const char *function = (const char *)argv[1].data;

    if (!loaded) {
        return redis_reply_text(REDIS_REPLY_ERROR, missing, sizeof(missing) - 1);
    }
    lua_settop(lua, 0);
    lua_getfield(lua, LUA_REGISTRYINDEX, "functions");
    push(lua, &argv[1]);
    lua_rawget(lua, 1);
    if (!lua_isfunction(lua, -1)) {
        return redis_reply_text(REDIS_REPLY_ERROR, missing, sizeof(missing) - 1);
    }
    size_t keys = strtoull((const char *)argv[2].data, NULL, 10);
    push_arguments(keys, argv + 3);
    push_arguments(argc - 3 - keys, argv + 3 + keys);
    writes = 0;
    redisReply *reply = lua_pcall(lua, 2, 1, 0) != 0 ? failure(lua, function) : reply_of(lua);
    if (writes > 1) {
        verdict_broken("%s made %zu writes", function, writes);
    }
    return reply;
}
