/* SPDX-License-Identifier: Apache-2.0 */
/*
 * one_shot: what programs that look at streams once and print a report have in common.
 *
 * Threads: main.
 */
#ifndef ONE_SHOT_H
#define ONE_SHOT_H

#include "mesh/stream.h"

#include <stddef.h>
#include <stdio.h>

/* The streams called `name`, or all if that is NULL, into `out`, which has room for all. */
size_t one_shot_choose(const struct mesh_streams *streams, const char *name,
                       const struct mesh_stream **out);

/* Standard output for the report alone: from now on what libraries print there goes to standard
 * error. The caller closes the result. NULL: there is no standard output. */
FILE *one_shot_output(void);

#endif
