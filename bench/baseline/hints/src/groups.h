/* SPDX-License-Identifier: Apache-2.0 */
/*
 * groups: the names that events are counted under, from a list in one text.
 *
 * Threads: read-only once read.
 */
#ifndef GROUPS_H
#define GROUPS_H

#include "mesh/error.h"

#include <stddef.h>

#define GROUPS_COUNT_MAX 254   /* proto/ says so */
#define GROUPS_BYTES_MAX 32768 /* so that a frame stays below 64 KiB */

struct groups {
    char *text; /* owned; the names are in it */
    char *names[GROUPS_COUNT_MAX];
    size_t count;
};

/* Takes "A,B,C" apart. False, with *err filled in: none, too many, or too long. */
MESH_MUST_CHECK
bool groups_read(struct groups *out, const char *list, struct mesh_error *err);
void groups_done(struct groups *groups);

#endif
