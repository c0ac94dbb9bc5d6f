/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process: what libwebsockets shares with the rest of the process: log lines and descriptors.
 *
 * Threads: any.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include "mesh/error.h"

#include <stdbool.h>

/* For lws_set_log_level(): our JSON lines. Few, since anybody who can reach the port can make the
 * library say something. */
void process_log_line(int level, const char *line);

/* Raises the soft limit of descriptors, which is often 1,024, when it is below count. False: the
 * hard limit is, too, and *err says so. */
MESH_MUST_CHECK
bool process_allow_descriptors(unsigned int count, struct mesh_error *err);

#endif
