/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verdict: what a schedule did, line by line where that is wanted, and the first promise it broke.
 *
 * Threads: one.
 */
#ifndef SIMULATION_VERDICT_H
#define SIMULATION_VERDICT_H

#include "mesh/macros.h"

#include <stdbool.h>

/* With `trace` every line of trace() is printed. */
void verdict_start(bool trace);
/* One line of what happens. */
MESH_PRINTF(1, 2)
void trace(const char *format, ...);
bool trace_is_on(void);
/* A promise is broken. Only the first one is kept. */
MESH_PRINTF(1, 2)
void verdict_broken(const char *format, ...);
/* NULL: all promises hold so far. */
const char *verdict_text(void);

#endif
