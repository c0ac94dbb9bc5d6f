/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output: what a program of the bench says at its end.
 *
 * Threads: main().
 */
#ifndef BENCH_OUTPUT_H
#define BENCH_OUTPUT_H

#include "histogram.h"
#include "mesh/bytes.h"
#include "mesh/error.h"

/* Appends `"name": {"p50": …, "p90": …, "p99": …, "p999": …, "max": …}`, in milliseconds. */
void output_add_quantiles(struct mesh_buffer *out, const char *name,
                          const struct histogram *histogram);

/* Writes it to stdout. False, with *err filled in: nobody can read it. */
MESH_MUST_CHECK
bool output_print(const struct mesh_buffer *text, struct mesh_error *err);

/* Says on stderr in one line why the program did not do what it should. Returns the code to exit
 * with: 2 where what it was told is wrong, else 1. */
int output_failure(const char *program, const struct mesh_error *err);

#endif
