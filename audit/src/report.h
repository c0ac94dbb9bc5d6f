/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report: findings as JSON for machines and as a table for people.
 *
 * Threads: any. Nothing blocks.
 */
#ifndef REPORT_H
#define REPORT_H

#include "compare.h"
#include "mesh/bytes.h"

#include <stdbool.h>
#include <stddef.h>

/* {"streams": {"<name>": {...}}}; all_groups adds "groups". */
void report_json(const struct findings *findings, size_t count, bool all_groups,
                 struct mesh_buffer *out);
void report_table(const struct findings *findings, size_t count, bool all_groups,
                  struct mesh_buffer *out);

#endif
