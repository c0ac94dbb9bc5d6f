/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openapi_schema: a stream's schema as plain JSON Schema 2020-12, which knows no x-aliases.
 *
 * Threads: any.
 */
#ifndef API_OPENAPI_SCHEMA_H
#define API_OPENAPI_SCHEMA_H

#include "mesh/bytes.h"

#include <yyjson.h>

/* What fits the result is exactly what fits the stream's schema: an alias is a property of its own,
 * and of a property and its aliases at most one may be there. `json` was checked by
 * mesh_streams_load(). The result belongs to doc. */
yyjson_mut_val *openapi_schema(yyjson_mut_doc *doc, struct mesh_bytes json);

#endif
