/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health: how programs tell people, through Redis, that they are there.
 *
 * The hash MESH_HEALTH_KEY has a field "<program>/<instance>" for each, whose value is the JSON
 * that mesh_health_write() makes. It is for people only: nothing is decided by it, and it may be
 * gone. Threads: any. Nothing blocks.
 */
#ifndef MESH_HEALTH_H
#define MESH_HEALTH_H

#include "mesh/bytes.h"

#include <stdbool.h>
#include <stdint.h>

#define MESH_HEALTH_KEY "tweetmesh:health"
/* How often each program writes its own entry. */
#define MESH_HEALTH_MS 2000
/* An entry this old is of a program that is gone for good; whoever sees it removes it. */
#define MESH_HEALTH_MS_MAX 60000
/* Of a program's and of an instance's name; both are visible ASCII without '/', '"' and '\'. */
#define MESH_HEALTH_NAME_BYTES_MAX 63

/* "<host name>:<port>", which stays the same when the program starts again on the same port. The
 * caller frees the result. */
char *mesh_health_instance(uint16_t ops_port);

/* Adds {"at_ms":…,"state":"…","ready":…}; `state` is one small word of ours, `more` is further
 * members, each with a comma before it, or "". */
void mesh_health_write(struct mesh_buffer *out, const char *state, bool ready, int64_t at_ms,
                       const char *more);

/* Whether a text can be the name of a program or an instance. */
bool mesh_health_is_name(struct mesh_bytes text);

#endif
