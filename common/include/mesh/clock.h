/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock: the two clocks and their text forms.
 *
 * Deadlines and durations use the monotonic clock; what people and other machines read uses the
 * wall clock. Threads: any. Nothing blocks or fails.
 */
#ifndef MESH_CLOCK_H
#define MESH_CLOCK_H

#include "mesh/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Milliseconds since 1970-01-01T00:00:00Z. */
int64_t mesh_clock_wall_ms(void);
/* Microseconds since some fixed moment; never goes back. */
int64_t mesh_clock_mono_us(void);

/* "2026-11-20T23:21:07.123Z" and its NUL. */
#define MESH_TIME_TEXT_SIZE 25

/* RFC 3339 in UTC with milliseconds; years 1970 to 9999, others are clamped. */
void mesh_time_format(int64_t wall_ms, char out[static MESH_TIME_TEXT_SIZE]);
/* Reads an RFC 3339 date-time (any offset, any fraction). False: it is none; *out_wall_ms is then
 * untouched. A leap second (60) counts as the second before it. */
bool mesh_time_parse(struct mesh_bytes text, int64_t *out_wall_ms);

#endif
