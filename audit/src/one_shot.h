/* SPDX-License-Identifier: Apache-2.0 */
/*
 * one_shot: what programs that look at streams once and print a report have in common.
 *
 * Threads: main.
 */
#ifndef ONE_SHOT_H
#define ONE_SHOT_H

#include "mesh/error.h"
#include "mesh/stream.h"

#include <stddef.h>
#include <stdio.h>

/* The stream called `name`, or all if that is NULL. The caller frees the result, which points into
 * `streams`. NULL, with *err filled in: there is none. */
MESH_MUST_CHECK
const struct mesh_stream **one_shot_choose(const struct mesh_streams *streams, const char *name,
                                           size_t *out_count, struct mesh_error *err);

/* Standard output for the report alone: from now on what libraries print there goes to standard
 * error. The caller closes the result. NULL: there is no standard output. */
FILE *one_shot_output(void);

#endif
