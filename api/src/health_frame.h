/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health_frame: what api says of itself and of the grpc-server behind it, for people who watch.
 *
 * Threads: any.
 */
#ifndef API_HEALTH_FRAME_H
#define API_HEALTH_FRAME_H

#include "mesh/bytes.h"

#include <stdbool.h>

/* Adds a CountFrame without counts. instance: of api; serving: there is a stream to a grpc-server
 * that serves, without which neither can do its job. */
void health_frame_write(const char *instance, bool serving, struct mesh_buffer *out);

#endif
