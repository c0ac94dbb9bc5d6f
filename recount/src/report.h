/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report: what was rebuilt, as JSON for machines or a line per stream for people.
 *
 * Threads: any. Nothing blocks.
 */
#ifndef REPORT_H
#define REPORT_H

#include "mesh/bytes.h"
#include "rebuild.h"

#include <stdbool.h>
#include <stddef.h>

/* {"streams": {"<name>": {...}}}, or text. */
void report(const struct rebuilt *rebuilt, size_t count, bool json, struct mesh_buffer *out);

#endif
