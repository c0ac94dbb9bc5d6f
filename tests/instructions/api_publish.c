/* SPDX-License-Identifier: Apache-2.0 */
/* The stream to grpc-server, api's end: jobs to a message, and its reply back to the jobs. */
#include "api.h"
#include "mesh/alloc.h"
#include "outbox.h"
#include "wire.h"

#include <stdlib.h>

#define NOW_US INT64_C(1000000)

static struct {
    const struct corpus *corpus;
    struct outbox outbox;
    struct events events[PATH_BATCH_LEN]; /* one a job */
    struct publish_job jobs[PATH_BATCH_LEN];
    struct mesh_bytes parts[1 + PATH_BATCH_LEN];
    uint8_t sequence[WIRE_SEQUENCE_SIZE_MAX];
    uint64_t sequence_sent;
    uint8_t *reply; /* packed */
    size_t reply_size;
    size_t released;
} publish;

static void job_release(struct publish_job *job)
{
    (void)job;
    publish.released++;
}

static void publish_open(const struct corpus *corpus)
{
    publish.corpus = corpus;
    outbox_init(&publish.outbox);
}

static void publish_close(void)
{
    must(publish.outbox.in_flight_count == 0);
}

static void encode_prepare(size_t round)
{
    for (size_t i = 0; i < PATH_BATCH_LEN; i++) {
        events_init(&publish.events[i], publish.corpus->stream, 1);
        publish.events[i].at[0].id = corpus_event(publish.corpus, round, i)->id;
        publish.jobs[i] =
            (struct publish_job){.events = &publish.events[i], .release = job_release};
    }
    publish.released = 0;
}

static void event_write(struct events *events, const struct corpus_event *event)
{
    wire_add_event(&events->wire, &(struct wire_event){.stream = events->stream->name,
                                                       .id = &events->at[0].id,
                                                       .traceparent = "",
                                                       .received_at_ms = CORPUS_RECEIVED_MS,
                                                       .payload = event->normalised});
    events->at[0].wire_end = events->wire.size;
}

static void encode_work(size_t round)
{
    for (size_t i = 0; i < PATH_BATCH_LEN; i++) {
        event_write(&publish.events[i], corpus_event(publish.corpus, round, i));
        outbox_add(&publish.outbox, &publish.jobs[i], NOW_US);
    }
    struct outbox_message *message = outbox_take(&publish.outbox, NOW_US);
    must(message != NULL && message->event_count == PATH_BATCH_LEN);
    outbox_parts(message, publish.parts + 1);
    publish.parts[0] =
        mesh_bytes_of(publish.sequence, wire_write_sequence(publish.sequence, message->sequence));
    publish.sequence_sent = message->sequence;
}

/* What grpc-server would answer. */
static void reply_pack(size_t round)
{
    Tweetmesh__V1__PublishReply reply = TWEETMESH__V1__PUBLISH_REPLY__INIT;
    uint32_t codes[PATH_BATCH_LEN] = {MESH_OK};
    int32_t partitions[PATH_BATCH_LEN];
    int64_t offsets[PATH_BATCH_LEN];

    for (size_t i = 0; i < PATH_BATCH_LEN; i++) {
        partitions[i] = CORPUS_PARTITION;
        offsets[i] = corpus_offset(round) + (int64_t)i;
    }
    reply.sequence = publish.sequence_sent;
    reply.codes = codes;
    reply.partitions = partitions;
    reply.offsets = offsets;
    reply.n_codes = reply.n_partitions = reply.n_offsets = PATH_BATCH_LEN;
    publish.reply_size = tweetmesh__v1__publish_reply__get_packed_size(&reply);
    publish.reply = mesh_alloc(publish.reply_size);
    (void)tweetmesh__v1__publish_reply__pack(&reply, publish.reply);
}

/* As on_reply() and report() of publish.c do it. */
static void decode_work(size_t round)
{
    struct outbox_jobs finished = TAILQ_HEAD_INITIALIZER(finished);
    struct publish_job *job;
    int64_t sent_us = 0;

    (void)round;
    Tweetmesh__V1__PublishReply *reply =
        tweetmesh__v1__publish_reply__unpack(NULL, publish.reply_size, publish.reply);
    must(outbox_reply(&publish.outbox, reply, 0, &finished, &sent_us));
    tweetmesh__v1__publish_reply__free_unpacked(reply, NULL);
    while ((job = TAILQ_FIRST(&finished)) != NULL) {
        TAILQ_REMOVE(&finished, job, entry);
        outbox_drop(job);
    }
}

static void decode_prepare(size_t round)
{
    encode_prepare(round);
    encode_work(round);
    reply_pack(round);
}

static void decode_tidy(size_t round)
{
    must(publish.released == PATH_BATCH_LEN);
    for (size_t i = 0; i < PATH_BATCH_LEN; i++) {
        must(publish.events[i].at[0].offset == corpus_offset(round) + (int64_t)i);
        events_done(&publish.events[i]);
    }
    free(publish.reply);
}

static void encode_tidy(size_t round)
{
    reply_pack(round);
    decode_work(round);
    decode_tidy(round);
}

const struct path path_request_encode = {.name = "request_encode",
                                         .open = publish_open,
                                         .prepare = encode_prepare,
                                         .work = encode_work,
                                         .tidy = encode_tidy,
                                         .close = publish_close};

const struct path path_reply_decode = {.name = "reply_decode",
                                       .open = publish_open,
                                       .prepare = decode_prepare,
                                       .work = decode_work,
                                       .tidy = decode_tidy,
                                       .close = publish_close};
