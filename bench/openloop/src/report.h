/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report: a tally as one JSON object.
 *
 * Threads: one at a time.
 */
#ifndef OPENLOOP_REPORT_H
#define OPENLOOP_REPORT_H

#include "mesh/bytes.h"
#include "tally.h"

/* seconds: how long requests were due, without the wait for the last answers. */
void report_write(const struct tally *tally, double seconds, struct mesh_buffer *out);

#endif
