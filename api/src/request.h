/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request: one request to a stream's path, from its head to its answer.
 *
 * States, and who moves them:
 *
 *   READING ──► REFUSED      HTTP thread: the rest of the body is thrown away
 *      │
 *      ├──────► ANSWERED     HTTP thread: nothing of it goes to grpc-server
 *      │
 *      └──────► WAITING      HTTP thread, connection suspended
 *                  │
 *                  └──► ANSWERED   publish (all outcomes in) or the deadline thread
 *                                  (request_expire), whoever is first: publish decides under its
 * lock
 *
 * Whoever moves a request from WAITING to ANSWERED calls `wake`, once.
 *
 * Threads: the HTTP thread of the connection, but for what is said above. Ownership: the HTTP
 * thread and, while it has the job, publish hold one reference each.
 */
#ifndef API_REQUEST_H
#define API_REQUEST_H

#include "admission.h"
#include "answer.h"
#include "body.h"
#include "deadline.h"
#include "events.h"
#include "hints.h"
#include "mesh/metrics.h"
#include "publish.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* What all requests share. */
struct request_desk {
    /* The caller's to fill in. */
    struct publish *publish;
    struct hints *hints; /* NULL: none are sent */
    struct deadlines *deadlines;
    const struct mesh_streams *streams;
    size_t bytes_max;    /* of bodies held */
    size_t events_max;   /* without an answer */
    int64_t wait_us_max; /* see admission.h */
    /* request_desk_init()'s */
    atomic_size_t bytes;
    atomic_size_t events;
    atomic_uint_fast64_t stored; /* events, since the start */
    struct admission admission;
    struct deadline look; /* of admission */
    unsigned idle_looks;  /* in a row */
    atomic_bool looks_rest;
    struct mesh_metric *events_level;
    struct mesh_metric *bytes_level;
    struct mesh_metric *limit_bytes;
    struct mesh_metric *limit_events;
    struct mesh_metric *limit_wait;
    struct mesh_metric *admitted_max;
    struct mesh_metric *limit_body;
    struct mesh_metric *(*codes)[MESH_CODE_COUNT]; /* owned; by stream, then code */
};

/* Creates the metrics and begins to look at how long events wait. */
void request_desk_init(struct request_desk *desk);
void request_desk_done(struct request_desk *desk);
/* See publish_flush(). */
int64_t request_desk_flush(const struct request_desk *desk);

/* What Retry-After is to say in an answer at this moment. */
unsigned request_desk_retry_after_s(const struct request_desk *desk, int64_t now_us);

enum request_state { REQUEST_READING, REQUEST_REFUSED, REQUEST_WAITING, REQUEST_ANSWERED };

struct request;

/* What the head of the request said; texts are borrowed until the last call for the request. */
struct request_head {
    const struct mesh_stream *stream;
    size_t stream_index;
    const char *content_type; /* NULL: absent; likewise below */
    const char *content_encoding;
    const char *content_length;
    const char *idempotency_key;
    const char *traceparent;
    void (*wake)(void *arg); /* a WAITING request was answered; on any thread */
    void *arg;
};

/* Never fails: a head that cannot be taken makes a REFUSED request. */
struct request *request_new(struct request_desk *desk, const struct request_head *head);
enum request_state request_state(const struct request *request);
/* REFUSED: whether the refusal should be sent at once, without reading the body. */
bool request_answers_early(const struct request *request);
/* Takes a piece of the body. False: it is too large, answer now and close. */
MESH_MUST_CHECK
bool request_body_add(struct request *request, struct mesh_bytes piece);
/* The body is complete. After this the request is WAITING or can be answered. suspend(arg) is
 * called before anybody may wake it. */
void request_body_end(struct request *request, void (*suspend)(void *arg));
/* Ends a WAITING request: what was sent is unknown, what was not is unavailable. Any thread that
 * holds what keeps the request alive. */
void request_expire(struct request *request);
/* Builds the answer of a request that is not WAITING. */
void request_answer(struct request *request, struct answer *out);
/* The answer is sent, or the client has gone (status 0): the end of the request's span. */
void request_ended(const struct request *request, int status, int64_t started_us);
void request_unref(struct request *request);

#endif
