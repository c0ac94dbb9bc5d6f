/* SPDX-License-Identifier: Apache-2.0 */
/*
 * error: what went wrong, in one vocabulary for RPC, HTTP, logs and metrics.
 *
 * Codes are the gRPC status codes (https://grpc.io/docs/guides/status-codes/); each carries its
 * HTTP status and whether a caller may retry without risk. Foreign errors are translated at the
 * edge. Threads: plain values, no shared state.
 */
#ifndef MESH_ERROR_H
#define MESH_ERROR_H

#include "mesh/macros.h"

#include <stdbool.h>

/* X(name, gRPC number, HTTP status, retryable: certainly nothing was stored) */
/* clang-format off */
#define MESH_CODES(X)                      \
    X(OK,                   0, 200, false) \
    X(CANCELLED,            1, 499, false) \
    X(UNKNOWN,              2, 500, false) \
    X(INVALID_ARGUMENT,     3, 422, false) \
    X(DEADLINE_EXCEEDED,    4, 504, false) \
    X(NOT_FOUND,            5, 404, false) \
    X(ALREADY_EXISTS,       6, 409, false) \
    X(PERMISSION_DENIED,    7, 403, false) \
    X(RESOURCE_EXHAUSTED,   8, 503, true)  \
    X(FAILED_PRECONDITION,  9, 412, false) \
    X(ABORTED,             10, 409, false) \
    X(OUT_OF_RANGE,        11, 400, false) \
    X(UNIMPLEMENTED,       12, 501, false) \
    X(INTERNAL,            13, 500, false) \
    X(UNAVAILABLE,         14, 503, true)  \
    X(DATA_LOSS,           15, 500, false) \
    X(UNAUTHENTICATED,     16, 401, false)
/* clang-format on */

enum mesh_code {
#define X(name, number, http, retryable) MESH_##name = (number),
    MESH_CODES(X)
#undef X
};

#define MESH_CODE_COUNT 17

/* Long enough for any of our messages; longer ones are cut. */
#define MESH_ERROR_TEXT_MAX 512

struct mesh_error {
    enum mesh_code code;
    char text[MESH_ERROR_TEXT_MAX]; /* one line, names what to do; never user data */
};

/* "UNAVAILABLE" and so on; "UNKNOWN" for a number that is no code. */
const char *mesh_code_name(enum mesh_code code);
int mesh_code_http_status(enum mesh_code code);
bool mesh_code_retryable(enum mesh_code code);

/* Fills *err and returns false, so that a failing function ends with
 * `return mesh_fail(err, MESH_…, "…")`. */
MESH_PRINTF(3, 4)
bool mesh_fail(struct mesh_error *err, enum mesh_code code, const char *format, ...);

/* Puts "prefix: " before the message already there. Returns false. */
MESH_PRINTF(2, 3)
bool mesh_error_prefix(struct mesh_error *err, const char *format, ...);

#endif
