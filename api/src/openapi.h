/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openapi: the OpenAPI 3.1 document of the public port, made from the streams.
 *
 * Threads: any; made once at start.
 */
#ifndef API_OPENAPI_H
#define API_OPENAPI_H

#include "mesh/bytes.h"
#include "mesh/stream.h"

/* Appends the document as JSON. */
void openapi_write(const struct mesh_streams *streams, struct mesh_buffer *out);

#endif
