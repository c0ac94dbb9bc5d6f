/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lines: the lines of a file, in memory, to be sent round and round.
 *
 * Threads: read-only once made.
 */
#ifndef BENCH_LINES_H
#define BENCH_LINES_H

#include "mesh/bytes.h"
#include "mesh/error.h"

#include <stdint.h>

#define LINES_COUNT_MAX 4000000
#define LINES_FILE_BYTES_MAX ((size_t)2 << 30)

struct lines;

/* Reads the file; empty lines are left out. The caller owns the result. NULL on failure, with *err
 * filled in (INVALID_ARGUMENT): no such file, too big, or no line in it. */
MESH_MUST_CHECK
struct lines *lines_new(const char *path, struct mesh_error *err);
size_t lines_count(const struct lines *lines);
/* Line `number`, without its end; after the last one comes the first again. Lives as long as
 * `lines`. */
struct mesh_bytes lines_at(const struct lines *lines, uint64_t number);
/* Accepts NULL. */
void lines_free(struct lines *lines);

#endif
