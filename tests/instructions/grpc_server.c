/* SPDX-License-Identifier: Apache-2.0 */
/* grpc-server: a message of api's to records, and their outcome to a reply. */
#include "../../api/src/wire.h" /* the message is api's own */
#include "mesh/alloc.h"
#include "path.h"
#include "request.h"

#include <stdlib.h>

static struct {
    const struct corpus *corpus;
    struct mesh_buffer message;
    struct request *request;
    uint8_t *reply;
} server;

static void server_open(const struct corpus *corpus)
{
    server.corpus = corpus;
}

static void server_close(void)
{
    mesh_buffer_done(&server.message);
}

static void message_prepare(size_t round)
{
    uint8_t sequence[WIRE_SEQUENCE_SIZE_MAX];
    size_t size = wire_write_sequence(sequence, 1000 + round);

    mesh_buffer_reset(&server.message);
    mesh_buffer_add(&server.message, mesh_bytes_of(sequence, size));
    for (size_t i = 0; i < PATH_BATCH_LEN; i++) {
        const struct corpus_event *event = corpus_event(server.corpus, round, i);
        wire_add_event(&server.message, &(struct wire_event){.stream = server.corpus->stream->name,
                                                             .id = &event->id,
                                                             .traceparent = "",
                                                             .received_at_ms = CORPUS_RECEIVED_MS,
                                                             .payload = event->normalised});
    }
}

static void request_read(void)
{
    struct mesh_error err = {0};

    server.request = request_new(server.corpus->streams, mesh_buffer_bytes(&server.message), &err);
    must(server.request != NULL);
    request_check(server.request, CORPUS_RECEIVED_MS);
}

static void decode_work(size_t round)
{
    (void)round;
    request_read();
    must(request_batch(server.request)->count == PATH_BATCH_LEN);
    request_free(server.request);
}

/* All are stored. */
static void encode_prepare(size_t round)
{
    message_prepare(round);
    request_read();
    struct publication_batch *batch = request_batch(server.request);
    for (size_t i = 0; i < batch->count; i++) {
        must(batch->at[i].code == MESH_OK && batch->at[i].value.size > 0);
        batch->at[i].partition = CORPUS_PARTITION;
        batch->at[i].offset = corpus_offset(round) + (int64_t)i;
    }
}

static void encode_work(size_t round)
{
    (void)round;
    server.reply = mesh_alloc(request_reply_size(server.request));
    request_reply_write(server.request, server.reply);
}

static void encode_tidy(size_t round)
{
    (void)round;
    free(server.reply);
    request_free(server.request);
}

static const struct path request_decode = {.name = "request_decode",
                                           .open = server_open,
                                           .prepare = message_prepare,
                                           .work = decode_work,
                                           .close = server_close};

static const struct path reply_encode = {.name = "reply_encode",
                                         .open = server_open,
                                         .prepare = encode_prepare,
                                         .work = encode_work,
                                         .tidy = encode_tidy,
                                         .close = server_close};

const struct path *const paths[] = {&request_decode, &reply_encode, NULL};
