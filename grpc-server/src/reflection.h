/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reflection: the service grpc.reflection.v1(alpha).ServerReflection, so that grpcurl and others
 * need no .proto files.
 *
 * It hands out the descriptors that were made at build time. Threads: read-only once made; the
 * methods run on gRPC workers.
 */
#ifndef REFLECTION_H
#define REFLECTION_H

#include "call.h"
#include "mesh/error.h"
#include "mesh/macros.h"

struct reflection;

enum { REFLECTION_METHOD_COUNT = 2 };

/* The caller owns the result. NULL, with *err filled in: the built-in descriptors are broken. */
MESH_MUST_CHECK
struct reflection *reflection_new(struct mesh_error *err);
void reflection_methods(struct reflection *reflection,
                        struct method out[static REFLECTION_METHOD_COUNT]);
/* After the server's end. Accepts NULL. */
void reflection_free(struct reflection *reflection);

#endif
