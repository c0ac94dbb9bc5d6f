/* SPDX-License-Identifier: Apache-2.0 */
/*
 * response: finds the end of one HTTP/1.1 answer after another in what a connection receives.
 *
 * Knows only what api sends: a status line, headers, Content-Length and so many bytes.
 * Threads: one at a time. Plain values: all zero awaits an answer.
 */
#ifndef OPENLOOP_RESPONSE_H
#define OPENLOOP_RESPONSE_H

#include "mesh/bytes.h"

#include <stdbool.h>
#include <stddef.h>

#define RESPONSE_HEAD_MAX 4096

struct response {
    char head[RESPONSE_HEAD_MAX + 1]; /* with a NUL once it is whole */
    size_t head_size;
    size_t body_left;
    bool in_body;
    int status;
    bool closes;      /* "Connection: close" */
    bool retry_after; /* says when to come again */
};

enum response_state { RESPONSE_MORE, RESPONSE_WHOLE, RESPONSE_BROKEN };

/* Takes bytes off the front of *bytes. WHOLE: status, closes and retry_after are known, what is
 * left belongs to the next answer; call response_next() before it. BROKEN: this is no such answer.
 */
enum response_state response_add(struct response *response, struct mesh_bytes *bytes);
void response_next(struct response *response);

#endif
