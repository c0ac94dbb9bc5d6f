/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_store: what Redis holds (hashes), its AOF as a list of writes that can be cut, and the real
 * function library (common/src/counters.lua) in LuaJIT.
 *
 * Threads: one.
 */
#ifndef SIMULATION_REDIS_STORE_H
#define SIMULATION_REDIS_STORE_H

#include "mesh/bytes.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>

void redis_store_start(void);
/* Runs one command; the reply is the caller's (freeReplyObject). */
redisReply *redis_store_command(size_t argc, const struct mesh_bytes *argv);
/* Redis dies and comes back with `writes` of its writes lost. */
void redis_store_set_back(size_t writes);
/* FLUSHALL, which is a write that cannot be cut off any more here. */
void redis_store_flush(void);
void redis_store_forget_library(void);
/* Raised with each death: connections made before are broken. */
unsigned int redis_store_life(void);
size_t redis_store_writes(void);
/* The number in a field; `otherwise` where there is none. */
long long redis_store_number(const char *key, const char *field, long long otherwise);
/* All counters equal the log, and are shown. */
void redis_store_check_end(void);
bool redis_store_is_settled(void);
void redis_store_stop(void);

/* Replies. */
redisReply *redis_reply_new(int type);
redisReply *redis_reply_text(int type, const char *text, size_t size);

#endif
