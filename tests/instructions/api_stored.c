/* SPDX-License-Identifier: Apache-2.0 */
/* What api does with an event that is stored: answer the client, tell ws-redis. */
#include "answer.h"
#include "api.h"
#include "hint_queue.h"

#define QUEUE_LEN_MAX 10000

static struct {
    const struct corpus *corpus;
    struct events events[PATH_BATCH_LEN]; /* one a request */
    struct hint_queue *queue;
    struct mesh_buffer frames;
} stored;

static void answer_open(const struct corpus *corpus)
{
    stored.corpus = corpus;
}

static void answer_close(void)
{
}

static void events_prepare(size_t round)
{
    for (size_t i = 0; i < PATH_BATCH_LEN; i++) {
        const struct corpus_event *event = corpus_event(stored.corpus, round, i);
        struct events *events = &stored.events[i];
        events_init(events, stored.corpus->stream, 1);
        events->single = true;
        events->at[0].id = event->id;
        events->at[0].group = event->group;
        events->at[0].code = MESH_OK;
        events->at[0].partition = CORPUS_PARTITION;
        events->at[0].offset = corpus_offset(round) + (int64_t)i;
    }
}

static void answer_work(size_t round)
{
    (void)round;
    for (size_t i = 0; i < PATH_BATCH_LEN; i++) {
        struct answer answer;
        answer_events(&stored.events[i], &answer);
        must(answer.status == 202);
        mesh_buffer_done(&answer.body);
    }
}

static void events_tidy(size_t round)
{
    (void)round;
    for (size_t i = 0; i < PATH_BATCH_LEN; i++) {
        events_done(&stored.events[i]);
    }
}

static void hint_open(const struct corpus *corpus)
{
    stored.corpus = corpus;
    stored.queue = hint_queue_new(corpus->streams, QUEUE_LEN_MAX);
}

static void hint_close(void)
{
    hint_queue_free(stored.queue);
    mesh_buffer_done(&stored.frames);
}

static void hint_work(size_t round)
{
    bool wake = false;
    size_t told = 0;

    (void)round;
    mesh_buffer_reset(&stored.frames);
    for (size_t i = 0; i < PATH_BATCH_LEN; i++) {
        must(hint_queue_add(stored.queue, &stored.events[i], CORPUS_RECEIVED_MS, &wake) == 0);
    }
    hint_queue_awake(stored.queue);
    for (size_t count = 1; count > 0; told += count) {
        count = hint_queue_next_frame(stored.queue, &stored.frames);
    }
    must(told == PATH_BATCH_LEN);
}

const struct path path_answer = {.name = "answer",
                                 .open = answer_open,
                                 .prepare = events_prepare,
                                 .work = answer_work,
                                 .tidy = events_tidy,
                                 .close = answer_close};

const struct path path_hint_encode = {.name = "hint_encode",
                                      .open = hint_open,
                                      .prepare = events_prepare,
                                      .work = hint_work,
                                      .tidy = events_tidy,
                                      .close = hint_close};
