/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_file: the text of one stream file becomes a stream.
 *
 * Private to stream.c and the tests. Threads: any, with an arena of its own.
 */
#ifndef MESH_STREAM_FILE_H
#define MESH_STREAM_FILE_H

#include "mesh/arena.h"
#include "mesh/bytes.h"
#include "mesh/error.h"
#include "mesh/stream.h"

/* All memory of the result is the arena's, `json` may go. NULL: *err has JSON pointer and reason.
 */
MESH_MUST_CHECK
struct mesh_stream *mesh_stream_parse(struct mesh_bytes json, struct mesh_arena *arena,
                                      struct mesh_error *err);

#endif
