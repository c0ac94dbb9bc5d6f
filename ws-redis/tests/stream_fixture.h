/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_fixture: one stream "test" with the groups Chile, Peru and Unknown, and frames for it.
 *
 * Threads: the test's. Failures fail the cmocka case.
 */
#ifndef STREAM_FIXTURE_H
#define STREAM_FIXTURE_H

#include "mesh/bytes.h"
#include "mesh/stream.h"

#include <stdint.h>

/* The caller gives it to mesh_streams_free(). */
struct mesh_streams *stream_fixture_new(void);

/* Empties *out and writes a CountFrame of the stream "test" with the names Chile, Peru, Atlantis;
 * groups: a digit is the index of a name, '-' a hole. */
void stream_fixture_frame(uint32_t partition, uint64_t first_offset, const char *groups,
                          struct mesh_buffer *out);

#endif
