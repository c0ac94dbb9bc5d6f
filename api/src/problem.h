/* SPDX-License-Identifier: Apache-2.0 */
/*
 * problem: every refusal api can give, as application/problem+json (RFC 9457).
 *
 * Threads: any; no shared state.
 */
#ifndef API_PROBLEM_H
#define API_PROBLEM_H

#include "mesh/bytes.h"
#include "mesh/error.h"

#define PROBLEM_TYPE_PREFIX "urn:tweetmesh:problem:"

/* X(name, HTTP status, end of the type, title, what a client can do: the detail unless one is
 * given) */
/* clang-format off */
#define PROBLEMS(X)                                                                          \
    X(NOT_JSON,             400, "not-json",             "The body is not JSON",             \
      "send one JSON object or an array of them, or NDJSON")                                 \
    X(NOT_UTF8,             400, "not-utf8",             "The body is not UTF-8",            \
      "encode the body as UTF-8")                                                            \
    X(EMPTY_BODY,           400, "empty-body",           "The body is empty",                \
      "send at least one event")                                                             \
    X(BAD_GZIP,             400, "bad-gzip",             "The body is not whole gzip data",  \
      "send one whole gzip member, or no Content-Encoding")                                  \
    X(BAD_KEY,              400, "bad-idempotency-key",  "The Idempotency-Key cannot be used", \
      "send 1 to 255 visible ASCII characters")                                              \
    X(AMBIGUOUS,            400, "ambiguous-head",       "The head can be read in two ways", \
      "send one Content-Length or Transfer-Encoding, and at most one Idempotency-Key")       \
    X(NOT_FOUND,            404, "not-found",            "There is nothing at this path",    \
      "GET / lists the paths")                                                               \
    X(METHOD_NOT_ALLOWED,   405, "method-not-allowed",   "The path does not take this method", \
      "Allow names the methods it takes")                                                    \
    X(TOO_SLOW,             408, "too-slow",             "The request took too long to arrive", \
      "nothing was stored; send it again")                                                   \
    X(TOO_LARGE,            413, "too-large",            "The body is too large",            \
      "send fewer events in a request")                                                      \
    X(TOO_MANY_EVENTS,      413, "too-many-events",      "The body holds too many events",   \
      "send fewer events in a request")                                                      \
    X(PATH_TOO_LONG,        414, "path-too-long",        "The path is too long",             \
      "GET / lists the paths")                                                               \
    X(UNSUPPORTED_TYPE,     415, "unsupported-type",     "The Content-Type is not supported", \
      "send application/json or application/x-ndjson")                                       \
    X(UNSUPPORTED_ENCODING, 415, "unsupported-encoding", "The Content-Encoding is not supported", \
      "send gzip, or no Content-Encoding")                                                   \
    X(DOES_NOT_FIT,         422, "does-not-fit",         "The event does not fit the stream's schema", \
      "errors names each place and what is wrong there")                                     \
    X(HEAD_TOO_LARGE,       431, "head-too-large",       "The head of the request is too large", \
      "send fewer or shorter headers")                                                       \
    X(OVERLOADED,           503, "overloaded",           "Too much is in flight; nothing was stored", \
      "send it again later")                                                                 \
    X(UNAVAILABLE,          503, "unavailable",          "Storage is unavailable; nothing was stored", \
      "send it again later")                                                                 \
    X(OUTCOME_UNKNOWN,      504, "outcome-unknown",      "The outcome is unknown",           \
      "it may or may not be stored: send it again with the same Idempotency-Key")
/* clang-format on */

enum problem_kind {
#define X(name, status, type, title, detail) PROBLEM_##name,
    PROBLEMS(X)
#undef X
        PROBLEM_COUNT
};

int problem_status(enum problem_kind kind);
const char *problem_title(enum problem_kind kind);
/* "urn:tweetmesh:problem:not-json" without its prefix. */
const char *problem_type(enum problem_kind kind);
/* The problem that an event's code other than OK means to an HTTP client. Codes which do not say
 * that nothing was stored become OUTCOME_UNKNOWN. */
enum problem_kind problem_of_code(enum mesh_code code);

/* Appends `{"type":…,"title":…,"status":…,"detail":…`; detail NULL: the kind's own. The caller adds
 * members and the brace. */
void problem_open(struct mesh_buffer *out, enum problem_kind kind, const char *detail);
/* Appends a whole problem. */
void problem_write(struct mesh_buffer *out, enum problem_kind kind, const char *detail);

#endif
