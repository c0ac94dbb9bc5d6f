/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP thread of api: from a request's body to events that can be sent. */
#include "api.h"
#include "body.h"
#include "mesh/event.h"

#include <yyjson.h>

static struct {
    const struct corpus *corpus;
    struct body_head head;
    struct mesh_buffer buffer; /* check: what is written; accept_batch: the body of the round */
    struct mesh_problems problems;
} body;

static void body_open(const struct corpus *corpus)
{
    body.corpus = corpus;
    body.head = (struct body_head){.stream = corpus->stream, .format = BODY_JSON};
}

static void body_close(void)
{
    mesh_buffer_done(&body.buffer);
}

static void check_work(size_t round)
{
    for (size_t i = 0; i < PATH_BATCH_LEN; i++) {
        const struct corpus_event *event = corpus_event(body.corpus, round, i);
        uint8_t group = 0;
        yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)event->json.data, event->json.size,
                                           MESH_EVENT_READ_FLAGS, NULL, NULL);
        mesh_buffer_reset(&body.buffer);
        must(mesh_event_check(body.corpus->stream, yyjson_doc_get_root(doc), &body.buffer, &group,
                              &body.problems));
        yyjson_doc_free(doc);
    }
}

static void read_whole(struct mesh_bytes text, size_t count)
{
    struct body_refusal refusal;
    struct events events;

    must(body_read(&body.head, text, CORPUS_RECEIVED_MS, &events, &refusal));
    must(events.count == count && events.refused == 0);
    events_done(&events);
}

static void accept_work(size_t round)
{
    for (size_t i = 0; i < PATH_BATCH_LEN; i++) {
        read_whole(corpus_event(body.corpus, round, i)->json, 1);
    }
}

static void accept_batch_prepare(size_t round)
{
    mesh_buffer_reset(&body.buffer);
    for (size_t i = 0; i < PATH_BATCH_LEN; i++) {
        mesh_buffer_add_text(&body.buffer, i == 0 ? "[" : ",");
        mesh_buffer_add(&body.buffer, corpus_event(body.corpus, round, i)->json);
    }
    mesh_buffer_add_text(&body.buffer, "]");
}

static void accept_batch_work(size_t round)
{
    (void)round;
    read_whole(mesh_buffer_bytes(&body.buffer), PATH_BATCH_LEN);
}

const struct path path_check = {
    .name = "check", .open = body_open, .work = check_work, .close = body_close};

const struct path path_accept = {
    .name = "accept", .open = body_open, .work = accept_work, .close = body_close};

const struct path path_accept_batch = {.name = "accept_batch",
                                       .open = body_open,
                                       .prepare = accept_batch_prepare,
                                       .work = accept_batch_work,
                                       .close = body_close};
