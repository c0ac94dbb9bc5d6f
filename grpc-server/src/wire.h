/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire: looks over a serialised PublishRequest before it is unpacked.
 *
 * protobuf-c spends some 50 bytes on a field of two, so a small message of many fields could take a
 * hundred times its size. Counting first keeps that bounded. Threads: any.
 */
#ifndef WIRE_H
#define WIRE_H

#include "mesh/bytes.h"
#include "mesh/error.h"
#include "mesh/macros.h"

#include <stdbool.h>

/* False, with *err filled in (INVALID_ARGUMENT): not protobuf, no event, or more than
 * MESH_EVENT_COUNT_MAX of them, or far more fields than that needs. */
MESH_MUST_CHECK
bool wire_check(struct mesh_bytes message, struct mesh_error *err);

#endif
