/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_name: which names an object may have so that MongoDB takes it and nothing is ambiguous.
 *
 * Private to event.c and record.c. Threads: any; nothing blocks.
 */
#ifndef MESH_STORE_NAME_H
#define MESH_STORE_NAME_H

#include "mesh/bytes.h"

#include <stdbool.h>
#include <yyjson.h>

/* NULL: the name is good; else a constant that says why not. */
const char *mesh_store_name_problem(struct mesh_bytes name);

/* Whether an earlier member of the object has the same name as `key`. */
bool mesh_store_name_is_double(yyjson_val *object, yyjson_val *key);

#endif
