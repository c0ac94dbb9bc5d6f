/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_library: FUNCTION LOAD and FCALL, with the text that a program loads run by LuaJIT.
 *
 * Threads: one.
 */
#ifndef SIMULATION_REDIS_LIBRARY_H
#define SIMULATION_REDIS_LIBRARY_H

#include "mesh/bytes.h"

#include <hiredis/hiredis.h>
#include <stddef.h>

redisReply *redis_library_load(struct mesh_bytes text);
/* No function is known any more. */
void redis_library_forget(void);
/* FCALL name keys key ... argument ... */
redisReply *redis_library_call(size_t argc, const struct mesh_bytes *argv);
void redis_library_stop(void);

#endif
