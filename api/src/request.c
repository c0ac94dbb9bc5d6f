/* SPDX-License-Identifier: Apache-2.0 */
#include "request.h"

#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "request_spans.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A body that is refused is still read, so that the connection can be used again, unless it is
 * larger than a body may be. */
struct request {
    struct request_desk *desk;
    atomic_uint refs;
    atomic_int state; /* enum request_state */
    size_t stream_index;
    void (*wake)(void *arg);
    void *arg;
    struct body_head head;
    struct mesh_buffer body;
    size_t body_bytes;     /* that came, kept or not */
    size_t bytes_reserved; /* of desk->bytes */
    bool answers_early;
    struct body_refusal refusal; /* REFUSED */
    int64_t received_at_ms;
    struct events events;
    size_t events_reserved; /* of desk->events */
    struct publish_job job;
    struct request_spans *spans; /* NULL: its trace is not sampled */
};

/* So many looks after the last event nothing of it is seen any more. */
#define IDLE_LOOKS (ADMISSION_LOOKS + 1)

static int64_t next_look_us(const struct request_desk *desk, int64_t now_us)
{
    return now_us + desk->wait_us_max / ADMISSION_LOOKS;
}

/* Whether there is nothing to look at until wake_look(): else an idle api would wake up for it ten
 * times a second. */
static bool may_rest(struct request_desk *desk, bool idle)
{
    desk->idle_looks = idle ? desk->idle_looks + 1 : 0;
    if (desk->idle_looks < IDLE_LOOKS) {
        return false;
    }
    desk->idle_looks = 0;
    atomic_store(&desk->looks_rest, true);
    /* An event that came meanwhile may have found them awake: then whoever is first goes on. */
    return atomic_load(&desk->events) == 0 || !atomic_exchange(&desk->looks_rest, false);
}

/* After an event was counted. */
static void wake_look(struct request_desk *desk)
{
    if (atomic_load(&desk->looks_rest) && atomic_exchange(&desk->looks_rest, false)) {
        deadline_arm(desk->deadlines, &desk->look, next_look_us(desk, mesh_clock_mono_us()));
    }
}

/* On the deadline thread. */
static int64_t on_look(struct deadline *deadline, int64_t now_us)
{
    struct request_desk *desk =
        (struct request_desk *)((char *)deadline - offsetof(struct request_desk, look));
    int64_t oldest_us = publish_oldest_us(desk->publish);
    struct admission_look look = {
        .now_us = now_us,
        .stored = atomic_load(&desk->stored),
        .refused = (uint64_t)mesh_metric_value(desk->limit_wait),
        .in_flight = atomic_load(&desk->events),
        .waiting_us = oldest_us == 0 ? 0 : now_us - oldest_us,
    };
    admission_look(&desk->admission, &look);
    mesh_metric_set(desk->admitted_max, (int64_t)atomic_load(&desk->admission.limit));
    return may_rest(desk, look.in_flight == 0 && oldest_us == 0) ? 0 : next_look_us(desk, now_us);
}

static void limits_init(struct request_desk *desk)
{
    const char *help = "Requests refused because a limit was reached.";
    const char *name = "tweetmesh_limit_reached_total";
    desk->limit_bytes = mesh_counter(name, "limit=\"bytes_in_flight\"", help);
    desk->limit_events = mesh_counter(name, "limit=\"events_in_flight\"", help);
    desk->limit_wait = mesh_counter(name, "limit=\"wait\"", help);
    desk->limit_body = mesh_counter(name, "limit=\"body_bytes\"", help);
    desk->admitted_max = mesh_gauge("tweetmesh_events_admitted_max", NULL,
                                    "Events in flight at which no more are let in at present.");
    int64_t now_us = mesh_clock_mono_us();
    admission_init(&desk->admission, desk->wait_us_max, desk->events_max, now_us);
    desk->look = (struct deadline){.late = on_look};
    deadline_arm(desk->deadlines, &desk->look, next_look_us(desk, now_us));
}

void request_desk_init(struct request_desk *desk)
{
    size_t count = mesh_streams_count(desk->streams);
    desk->codes = mesh_alloc_zeroed(count, sizeof(desk->codes[0]));
    for (size_t i = 0; i < count; i++) {
        static const enum mesh_code codes[] = {MESH_OK, MESH_INVALID_ARGUMENT,
                                               MESH_DEADLINE_EXCEEDED, MESH_RESOURCE_EXHAUSTED,
                                               MESH_UNAVAILABLE};
        for (size_t k = 0; k < MESH_COUNT_OF(codes); k++) {
            char labels[128];
            snprintf(labels, sizeof(labels), "stream=\"%s\",code=\"%s\"",
                     mesh_streams_at(desk->streams, i)->name, mesh_code_name(codes[k]));
            desk->codes[i][codes[k]] =
                mesh_counter("tweetmesh_events_total", labels, "Events, by what became of them.");
        }
    }
    desk->events_level =
        mesh_gauge("tweetmesh_events_in_flight", NULL, "Events without an answer yet.");
    desk->bytes_level =
        mesh_gauge("tweetmesh_body_bytes_in_flight", NULL, "Bytes of request bodies held.");
    limits_init(desk);
}

int64_t request_desk_flush(const struct request_desk *desk)
{
    return publish_flush(desk->publish);
}

unsigned request_desk_retry_after_s(const struct request_desk *desk, int64_t now_us)
{
    unsigned within = atomic_load_explicit(&desk->admission.come_back, memory_order_relaxed);
    return 1 + (unsigned)(now_us % within); /* microseconds are chance enough */
}

void request_desk_done(struct request_desk *desk)
{
    if (desk->deadlines != NULL) { /* else it was never made */
        deadline_disarm(desk->deadlines, &desk->look);
    }
    free(desk->codes);
    desk->codes = NULL;
}

static void set_state(struct request *request, enum request_state state)
{
    atomic_store_explicit(&request->state, (int)state, memory_order_release);
}

enum request_state request_state(const struct request *request)
{
    return (enum request_state)atomic_load_explicit(&request->state, memory_order_acquire);
}

static void refuse(struct request *request, enum problem_kind kind, const char *detail)
{
    request->refusal.kind = kind;
    snprintf(request->refusal.detail, sizeof(request->refusal.detail), "%s", detail);
    mesh_buffer_done(&request->body);
    set_state(request, REQUEST_REFUSED);
}

static void bytes_take(struct request *request, size_t size)
{
    request->bytes_reserved += size;
    atomic_fetch_add(&request->desk->bytes, size);
    mesh_metric_move(request->desk->bytes_level, (int64_t)size);
}

/* Refuses, unless a body of `size` more bytes may be held. */
static bool bytes_reserve(struct request *request, size_t size)
{
    struct request_desk *desk = request->desk;
    if (atomic_load(&desk->bytes) + size > desk->bytes_max) {
        mesh_metric_add(desk->limit_bytes, 1);
        refuse(request, PROBLEM_OVERLOADED, "too many bytes in flight");
        return false;
    }
    bytes_take(request, size);
    return true;
}

static void read_length(struct request *request, const char *content_length)
{
    if (content_length == NULL) {
        return; /* chunked: counted as it comes */
    }
    unsigned long long length = strtoull(content_length, NULL, 10);
    if (length > BODY_BYTES_MAX) {
        mesh_metric_add(request->desk->limit_body, 1);
        request->answers_early = true;
        refuse(request, PROBLEM_TOO_LARGE, "a body may have 1048576 bytes");
        return;
    }
    bytes_reserve(request, (size_t)length);
}

/* Without spans nothing here could be anybody's parent: the caller's trace goes on as it is, and
 * where there is none no event pays for one. */
static void read_trace(struct request *request, const char *traceparent)
{
    const struct mesh_bytes told = mesh_bytes_of_text(traceparent);
    if (!mesh_spans_enabled()) {
        (void)mesh_trace_copy(told, &request->head.trace);
        return;
    }
    request->head.trace = mesh_trace_continue(told);
    request->spans = request_spans_new(traceparent, &request->head.trace);
}

static void read_head(struct request *request, const struct request_head *head)
{
    struct request_desk *desk = request->desk;
    struct mesh_bytes key = mesh_bytes_of_text(head->idempotency_key);
    size_t events = atomic_load(&desk->events);
    if (events >= desk->events_max) {
        mesh_metric_add(desk->limit_events, 1);
        refuse(request, PROBLEM_OVERLOADED, "too many events in flight");
    } else if (events >= atomic_load_explicit(&desk->admission.limit, memory_order_relaxed)) {
        mesh_metric_add(desk->limit_wait, 1);
        refuse(request, PROBLEM_OVERLOADED, "events wait too long for their answers");
    } else if (!body_format_read(head->content_type, &request->head.format)) {
        refuse(request, PROBLEM_UNSUPPORTED_TYPE, "send application/json or application/x-ndjson");
    } else if (!body_encoding_read(head->content_encoding, &request->head.gzip)) {
        refuse(request, PROBLEM_UNSUPPORTED_ENCODING, "send gzip, or no Content-Encoding");
    } else if (head->idempotency_key != NULL && !body_key_valid(key)) {
        refuse(request, PROBLEM_BAD_KEY, "send 1 to 255 visible ASCII characters");
    }
    request->head.key = key;
    read_trace(request, head->traceparent);
}

static void on_done(struct publish_job *job);
static void on_release(struct publish_job *job);

struct request *request_new(struct request_desk *desk, const struct request_head *head)
{
    struct request *request = mesh_new(struct request);
    request->desk = desk;
    atomic_init(&request->refs, 1);
    request->stream_index = head->stream_index;
    request->wake = head->wake;
    request->arg = head->arg;
    request->head.stream = head->stream;
    request->job =
        (struct publish_job){.events = &request->events, .done = on_done, .release = on_release};
    read_head(request, head);
    if (request_state(request) == REQUEST_READING) {
        read_length(request, head->content_length);
    } else if (head->content_length != NULL &&
               strtoull(head->content_length, NULL, 10) > BODY_BYTES_MAX) {
        request->answers_early = true;
    }
    return request;
}

bool request_answers_early(const struct request *request)
{
    return request->answers_early;
}

bool request_body_add(struct request *request, struct mesh_bytes piece)
{
    request->body_bytes += piece.size;
    if (request->body_bytes > BODY_BYTES_MAX) {
        mesh_metric_add(request->desk->limit_body, 1);
        refuse(request, PROBLEM_TOO_LARGE, "a body may have 1048576 bytes");
        return false;
    }
    if (request_state(request) != REQUEST_READING) {
        return true;
    }
    if (request->body_bytes > request->bytes_reserved &&
        !bytes_reserve(request, request->body_bytes - request->bytes_reserved)) {
        return true; /* refused; what still comes is thrown away */
    }
    mesh_buffer_add(&request->body, piece);
    return true;
}

/* Turns gzip into plain bytes. */
static bool unpack(struct request *request)
{
    struct mesh_buffer plain = {0};
    if (!body_inflate(mesh_buffer_bytes(&request->body), &plain, &request->refusal)) {
        mesh_buffer_done(&plain);
        return false;
    }
    mesh_buffer_done(&request->body);
    request->body = plain;
    bytes_take(request, plain.size);
    return true;
}

static void count_codes(struct request *request)
{
    size_t counts[MESH_CODE_COUNT] = {0};
    for (size_t i = 0; i < request->events.count; i++) {
        counts[request->events.at[i].code]++;
    }
    for (size_t code = 0; code < MESH_CODE_COUNT; code++) {
        if (counts[code] > 0) {
            mesh_metric_add(request->desk->codes[request->stream_index][code], counts[code]);
        }
    }
    atomic_fetch_add(&request->desk->stored, counts[MESH_OK]);
}

/* All outcomes are in: the request belongs to the HTTP thread again once it is woken. */
static void outcomes_in(struct request *request)
{
    struct request_desk *desk = request->desk;
    count_codes(request);
    if (request->spans != NULL) {
        request_spans_outcomes(request->spans, &request->events);
    }
    atomic_fetch_sub(&desk->events, request->events_reserved);
    mesh_metric_move(desk->events_level, -(int64_t)request->events_reserved);
    if (desk->hints != NULL) {
        hints_add(desk->hints, &request->events, request->received_at_ms);
    }
    set_state(request, REQUEST_ANSWERED);
    request->wake(request->arg);
}

static void on_done(struct publish_job *job)
{
    outcomes_in((struct request *)((char *)job - offsetof(struct request, job)));
}

static void on_release(struct publish_job *job)
{
    request_unref((struct request *)((char *)job - offsetof(struct request, job)));
}

static void submit(struct request *request, void (*suspend)(void *arg))
{
    struct request_desk *desk = request->desk;
    request->events_reserved = request->events.count - request->events.refused;
    atomic_fetch_add(&desk->events, request->events_reserved);
    mesh_metric_move(desk->events_level, (int64_t)request->events_reserved);
    wake_look(desk);
    if (request->spans != NULL) {
        request->events.trace = request_spans_publish(request->spans);
        request_spans_submitted(request->spans, mesh_clock_mono_us());
    }

    set_state(request, REQUEST_WAITING);
    suspend(request->arg);
    atomic_fetch_add(&request->refs, 1); /* publish's */
    enum mesh_code code = publish_submit(desk->publish, &request->job);
    if (code != MESH_OK) {
        for (size_t i = 0; i < request->events.count; i++) {
            if (events_sends(&request->events, i)) {
                request->events.at[i].code = code;
            }
        }
        outcomes_in(request);
        request_unref(request);
    }
}

void request_body_end(struct request *request, void (*suspend)(void *arg))
{
    if (request_state(request) == REQUEST_REFUSED) {
        return;
    }
    request->received_at_ms = mesh_clock_wall_ms();
    bool good = (!request->head.gzip || unpack(request)) &&
                body_read(&request->head, mesh_buffer_bytes(&request->body),
                          request->received_at_ms, &request->events, &request->refusal);
    mesh_buffer_done(&request->body);
    if (!good) {
        set_state(request, REQUEST_REFUSED);
        return;
    }
    if (request->events.refused == request->events.count) {
        count_codes(request);
        set_state(request, REQUEST_ANSWERED);
        return;
    }
    submit(request, suspend);
}

void request_expire(struct request *request)
{
    if (publish_withdraw(request->desk->publish, &request->job)) {
        outcomes_in(request);
    }
}

void request_answer(struct request *request, struct answer *out)
{
    assert(request_state(request) != REQUEST_WAITING);
    if (request_state(request) == REQUEST_ANSWERED) {
        answer_events(&request->events, out);
    } else {
        answer_problem(request->refusal.kind, request->refusal.detail, out);
    }
}

void request_ended(const struct request *request, int status, int64_t started_us)
{
    if (request->spans != NULL) {
        request_spans_end(request->spans, request->head.stream, request->events.count, status,
                          started_us);
    }
}

void request_unref(struct request *request)
{
    if (atomic_fetch_sub(&request->refs, 1) > 1) {
        return;
    }
    atomic_fetch_sub(&request->desk->bytes, request->bytes_reserved);
    mesh_metric_move(request->desk->bytes_level, -(int64_t)request->bytes_reserved);
    mesh_buffer_done(&request->body);
    events_done(&request->events);
    free(request->spans);
    free(request);
}
