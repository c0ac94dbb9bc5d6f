/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api: its requests, outbox, publish and hint queue are the real ones; the stream (link) and the
 * WebSocket (hints) are ours.
 */
#include "hint_queue.h"
#include "hints.h"
#include "link.h"
#include "mesh/alloc.h"
#include "mutants.h"
#include "outbox.h"
#include "publish.h"
#include "request.h"
#include "side.h"
#include "verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

enum {
    DOWN_MS_MAX = 1000,
    REPLY_MS_MAX = 11000,
    HINT_LEN_MAX = 64,
    IN_FLIGHT_MAX = 1000000,
    WAIT_US_MAX = 2000000
};

struct link {
    struct link_handler handler;
    struct pod *pod;
};

struct hints {
    struct hint_queue *queue;
    const struct process *process;
};

/* api's timer wheel; it is asked for nothing but looks at the load. */
struct deadlines {
    struct deadline *look; /* NULL: not armed */
    int64_t at_us;
};

struct api {
    struct pod *pod;
    struct process *process;
    struct publish *publish;
    struct link *link;
    struct hints hints;
    struct deadlines deadlines;
    struct request_desk desk;
};

struct posting {
    struct api *api;
    struct request *request;
    bool answered;
};

static struct api *starting; /* for link_new() */

/* ---- the stream ---- */

struct link *link_new(const struct rpc_target *target, const struct link_handler *handler,
                      struct mesh_error *err)
{
    struct link *link = mesh_new(struct link);

    (void)target;
    (void)err;
    link->handler = *handler;
    link->pod = starting->pod;
    starting->link = link;
    return link;
}

void link_reserve(struct link *link)
{
    (void)link;
}

void link_send(struct link *link, const struct mesh_bytes *parts, size_t count)
{
    struct mesh_buffer message = {0};

    for (size_t i = 0; i < count; i++) {
        mesh_buffer_add(&message, parts[i]);
    }
    pod_send(link->pod, mesh_buffer_bytes(&message));
    mesh_buffer_done(&message);
}

bool link_serving(const struct link *link)
{
    (void)link;
    return true;
}

void link_free(struct link *link)
{
    free(link);
}

void api_link_up(struct api *api)
{
    process_enter(api->process);
    api->link->handler.up(api->link->handler.arg);
}

bool api_link_reply(struct api *api, struct mesh_bytes reply)
{
    process_enter(api->process);
    return api->link->handler.reply(api->link->handler.arg, reply);
}

void api_link_closing(struct api *api)
{
    process_enter(api->process);
    api->link->handler.closing(api->link->handler.arg);
}

void api_link_down(struct api *api)
{
    process_enter(api->process);
    api->link->handler.down(api->link->handler.arg);
}

bool api_link_tick(struct api *api)
{
    process_enter(api->process);
    return api->link->handler.tick(api->link->handler.arg);
}

/* ---- deadlines ---- */

void deadline_arm(struct deadlines *deadlines, struct deadline *deadline, int64_t at_us)
{
    deadlines->look = deadline;
    deadlines->at_us = at_us;
}

void deadline_disarm(struct deadlines *deadlines, struct deadline *deadline)
{
    (void)deadline;
    deadlines->look = NULL;
}

void api_look(struct api *api)
{
    struct deadlines *deadlines = &api->deadlines;

    if (deadlines->look != NULL && process_now_us() >= deadlines->at_us) {
        deadlines->at_us = deadlines->look->late(deadlines->look, process_now_us());
    }
}

/* ---- hints ---- */

void hints_add(struct hints *hints, const struct events *events, int64_t accepted_at_ms)
{
    bool wake = false;

    if (!hints->process->killed) {
        (void)hint_queue_add(hints->queue, events, accepted_at_ms, &wake);
    }
}

bool api_next_frame(struct api *api, struct mesh_buffer *out)
{
    hint_queue_awake(api->hints.queue);
    return hint_queue_next_frame(api->hints.queue, out) > 0;
}

/* ---- mutants ---- */

bool __real_outbox_withdraw(struct outbox *outbox, struct publish_job *job);
bool __wrap_outbox_withdraw(struct outbox *outbox, struct publish_job *job);
struct outbox_message *__real_outbox_take(struct outbox *outbox, int64_t now_us);
struct outbox_message *__wrap_outbox_take(struct outbox *outbox, int64_t now_us);

bool __wrap_outbox_withdraw(struct outbox *outbox, struct publish_job *job)
{
    if (mutant == MUTANT_sent_is_not_stored) {
        job->sent_end = 0;
    }
    return __real_outbox_withdraw(outbox, job);
}

struct outbox_message *__wrap_outbox_take(struct outbox *outbox, int64_t now_us)
{
    struct outbox_message *message = __real_outbox_take(outbox, now_us);

    if (mutant == MUTANT_resent_is_not_stored && message != NULL) {
        message->resent = false;
    }
    return message;
}

/* ---- life ---- */

struct api *api_start(struct pod *pod, struct process *process)
{
    struct api *api = mesh_new(struct api);
    struct mesh_error err = {0};

    process_enter(process);
    api->pod = pod;
    api->process = process;
    api->hints.queue = hint_queue_new(side_streams, HINT_LEN_MAX);
    api->hints.process = process;
    starting = api;
    api->publish = publish_new(&(struct publish_options){.target.address = "simulated",
                                                         .down_ms_max = DOWN_MS_MAX,
                                                         .reply_ms_max = REPLY_MS_MAX},
                               &err);
    if (api->publish == NULL) {
        abort();
    }
    api->desk.publish = api->publish;
    api->desk.deadlines = &api->deadlines;
    api->desk.wait_us_max = WAIT_US_MAX;
    api->desk.hints = &api->hints;
    api->desk.bytes_max = IN_FLIGHT_MAX;
    api->desk.events_max = IN_FLIGHT_MAX;
    api->desk.streams = side_streams;
    request_desk_init(&api->desk);
    return api;
}

void api_close(struct api *api)
{
    process_enter(api->process);
    publish_free(api->publish);
}

void api_stop(struct api *api)
{
    request_desk_done(&api->desk);
    hint_queue_free(api->hints.queue);
    free(api);
}

/* ---- requests ---- */

static void wake(void *arg)
{
    struct posting *posting = arg;

    posting->answered = true;
}

static void suspend(void *arg)
{
    (void)arg;
}

struct posting *api_post(struct api *api, const char *body, const char *key,
                         const char *traceparent)
{
    struct posting *posting = mesh_new(struct posting);
    const struct mesh_stream *stream = mesh_streams_at(side_streams, 0);

    process_enter(api->process);
    posting->api = api;
    posting->request = request_new(&api->desk, &(struct request_head){
                                                   .stream = stream,
                                                   .content_type = "application/json",
                                                   .idempotency_key = key,
                                                   .traceparent = traceparent,
                                                   .wake = wake,
                                                   .arg = posting,
                                               });
    if (request_body_add(posting->request, mesh_bytes_of_text(body))) {
        request_body_end(posting->request, suspend);
    }
    if (request_state(posting->request) != REQUEST_WAITING) {
        posting->answered = true;
    }
    return posting;
}

bool posting_answered(const struct posting *posting)
{
    return posting->answered;
}

void posting_expire(struct posting *posting)
{
    process_enter(posting->api->process);
    if (request_state(posting->request) == REQUEST_WAITING) {
        request_expire(posting->request);
    }
}

/* ---- answers, read as a client does ---- */

static enum outcome outcome_of(long long status)
{
    if (status == 202) {
        return OUTCOME_STORED;
    }
    return status == 503 || status == 422 ? OUTCOME_NOT_STORED : OUTCOME_UNKNOWN;
}

static int64_t number_in(yyjson_val *object, const char *name)
{
    yyjson_val *value = yyjson_obj_get(object, name);

    return yyjson_is_int(value) ? yyjson_get_sint(value) : -1;
}

static void told_stored(size_t sending, yyjson_val *object)
{
    ledger_told(sending, OUTCOME_STORED, number_in(object, "partition"),
                number_in(object, "offset"));
}

/* One entry of "results", or the whole answer to a single event. */
static void told_one(size_t sending, yyjson_val *result)
{
    yyjson_val *problem = yyjson_obj_get(result, "problem");

    if (problem == NULL) {
        told_stored(sending, result);
    } else {
        ledger_told(sending, outcome_of(number_in(problem, "status")), -1, -1);
    }
}

static void read_answer(const struct answer *answer, size_t first, size_t count)
{
    yyjson_doc *doc = yyjson_read(answer->body.data, answer->body.size, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *results = yyjson_obj_get(root, "results");

    trace("api answers %d to sending %zu", answer->status, first);
    if (answer->retry_after != (answer->status == 503)) {
        verdict_broken("I7: status %d and Retry-After do not go together", answer->status);
    }
    if (answer->status != 202 && answer->status != 207) {
        for (size_t i = 0; i < count; i++) {
            ledger_told(first + i, outcome_of(answer->status), -1, -1);
        }
    } else if (results == NULL) {
        told_stored(first, root);
    } else if (yyjson_arr_size(results) != count) {
        verdict_broken("I7: %zu results for %zu events", yyjson_arr_size(results), count);
    } else {
        for (size_t i = 0; i < count; i++) {
            told_one(first + i, yyjson_arr_get(results, i));
        }
    }
    yyjson_doc_free(doc);
}

void posting_end(struct posting *posting, size_t first, size_t count)
{
    struct answer answer;

    if (posting->answered && !posting->api->process->killed) {
        process_enter(posting->api->process);
        request_answer(posting->request, &answer);
        read_answer(&answer, first, count);
        mesh_buffer_done(&answer.body);
    } else {
        for (size_t i = 0; i < count; i++) {
            ledger_told(first + i, OUTCOME_UNKNOWN, -1, -1);
        }
    }
    request_unref(posting->request);
    free(posting);
}
