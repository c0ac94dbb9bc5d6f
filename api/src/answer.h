/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer: what an HTTP client is told about its events.
 *
 * Threads: any; no shared state.
 */
#ifndef API_ANSWER_H
#define API_ANSWER_H

#include "events.h"
#include "mesh/bytes.h"
#include "problem.h"

#include <stdbool.h>

struct answer {
    int status;
    const char *content_type;
    bool retry_after;        /* certainly not stored */
    struct mesh_buffer body; /* the caller's (mesh_buffer_done) */
};

#define ANSWER_JSON "application/json"
#define ANSWER_PROBLEM "application/problem+json"

/* The answer for events whose outcomes are all known. */
void answer_events(const struct events *events, struct answer *out);
/* A refusal of the request as a whole; detail may be NULL. */
void answer_problem(enum problem_kind kind, const char *detail, struct answer *out);

#endif
