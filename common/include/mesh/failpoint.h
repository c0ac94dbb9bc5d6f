/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failpoint: named places where a test build can be killed or made slow.
 *
 * MESH_FAILPOINT("name") marks a place that matters when a program dies there: between two steps of
 * which the second may not come. It is nothing at all unless the CMake option MESH_FAILPOINTS is on
 * (preset chaos). The names are one table in failpoint.c; the environment says which of them act:
 *
 *     FAILPOINTS="api_before_send=kill@100,ws_redis_before_apply=sleep(500)@1"
 *
 * kill@N: SIGKILL to itself at the Nth pass. sleep(MS)@N: waits so long at the Nth pass and at
 * every later one. Passes are counted per process and name, over all threads.
 *
 * Threads: MESH_FAILPOINT from any, best without a lock held, for it may sleep; the others before
 * the first thread starts.
 */
#ifndef MESH_FAILPOINT_H
#define MESH_FAILPOINT_H

#include "mesh/bytes.h"

#ifdef MESH_FAILPOINTS
#define MESH_FAILPOINT(name) mesh_failpoint_pass(name)
void mesh_failpoint_pass(const char *name);
#else
#define MESH_FAILPOINT(name) ((void)0)
#endif

/* What FAILPOINTS may be at most: actions, passes and milliseconds. */
#define MESH_FAILPOINT_ACTIONS_MAX 16
#define MESH_FAILPOINT_PASS_MAX 1000000000
#define MESH_FAILPOINT_SLEEP_MS_MAX 600000

/* Reads FAILPOINTS from the environment, in place of what was read before. Adds a line for each
 * thing that is wrong: an unknown name, bad syntax, or that this build has no failpoints. */
void mesh_failpoints_load(struct mesh_buffer *problems);

/* All names for --help, one a line; nothing if this build has none. */
void mesh_failpoints_list(struct mesh_buffer *out);

#endif
