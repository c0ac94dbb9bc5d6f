/* SPDX-License-Identifier: Apache-2.0 */
/* https://protobuf.dev/programming-guides/encoding/ */
#include "messages.h"

#include "ids.h"
#include "mesh/alloc.h"
#include "mesh/varint.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Tags of ingest.proto: a field's number, and whether it is a varint (0) or bytes (2). */
enum {
    REQUEST_SEQUENCE = 1 << 3 | 0,
    REQUEST_EVENTS = 2 << 3 | 2,
    EVENT_STREAM = 1 << 3 | 2,
    EVENT_ID = 2 << 3 | 2,
    EVENT_PAYLOAD = 3 << 3 | 2
};

struct message {
    struct mesh_buffer bytes; /* all events */
    size_t *ids;              /* where each event's id is */
    size_t *ends;             /* where each event ends */
};

struct messages {
    struct message *at;
    size_t count;
    uint64_t batch;
    struct ids ids;
};

static void add_field(struct mesh_buffer *out, uint8_t tag, struct mesh_bytes value)
{
    uint8_t head[1 + MESH_VARINT_SIZE_MAX] = {tag};
    size_t size = 1 + mesh_varint_write(head + 1, value.size);
    mesh_buffer_add(out, mesh_bytes_of(head, size));
    mesh_buffer_add(out, value);
}

static void add_event(struct message *message, size_t index, const char *stream,
                      struct mesh_bytes payload)
{
    static const char no_id[MESH_ID_LENGTH];
    struct mesh_buffer event = {0};
    add_field(&event, EVENT_STREAM, mesh_bytes_of_text(stream));
    add_field(&event, EVENT_ID, mesh_bytes_of(no_id, sizeof(no_id)));
    size_t after_id = event.size;
    add_field(&event, EVENT_PAYLOAD, payload);
    add_field(&message->bytes, REQUEST_EVENTS, mesh_buffer_bytes(&event));
    message->ends[index] = message->bytes.size;
    message->ids[index] = message->bytes.size - event.size + after_id - sizeof(no_id);
    mesh_buffer_done(&event);
}

static bool fill(struct messages *messages, const struct lines *lines, const char *stream,
                 struct mesh_error *err)
{
    for (size_t i = 0; i < messages->count; i++) {
        struct message *message = &messages->at[i];
        message->ids = mesh_new_array(size_t, messages->batch);
        message->ends = mesh_new_array(size_t, messages->batch);
        for (size_t j = 0; j < messages->batch; j++) {
            add_event(message, j, stream, lines_at(lines, i * messages->batch + j));
        }
        if (message->bytes.size + MESSAGES_SEQUENCE_BYTES_MAX > MESSAGES_BYTES_MAX) {
            return mesh_fail(err, MESH_INVALID_ARGUMENT,
                             "a message may have %d bytes: --batch is too great",
                             MESSAGES_BYTES_MAX);
        }
    }
    return true;
}

struct messages *messages_new(const struct lines *lines, const char *stream, uint64_t batch,
                              struct mesh_error *err)
{
    assert(batch > 0 && batch <= MESSAGES_BATCH_MAX);
    struct messages *messages = mesh_new(struct messages);
    ids_init(&messages->ids);
    messages->batch = batch;
    /* The last one is filled up with the first lines. */
    messages->count = (lines_count(lines) + batch - 1) / batch;
    messages->at = mesh_new_array(struct message, messages->count);
    if (strlen(stream) > MESSAGES_STREAM_BYTES_MAX) {
        mesh_fail(err, MESH_INVALID_ARGUMENT, "--stream has more than %d bytes",
                  MESSAGES_STREAM_BYTES_MAX);
        goto fail;
    }
    if (!fill(messages, lines, stream, err)) {
        goto fail;
    }
    return messages;

fail:
    messages_free(messages);
    return NULL;
}

size_t messages_size(const struct messages *messages, uint64_t number, uint64_t events)
{
    assert(events > 0 && events <= messages->batch);
    return messages->at[number % messages->count].ends[events - 1];
}

size_t messages_write(struct messages *messages, uint64_t number, uint64_t events,
                      uint64_t sequence, uint8_t *out)
{
    const struct message *message = &messages->at[number % messages->count];
    size_t size = messages_size(messages, number, events);
    memcpy(out, message->bytes.data, size);
    for (uint64_t i = 0; i < events; i++) {
        ids_write(&messages->ids, (char *)out + message->ids[i]);
    }
    out[size++] = REQUEST_SEQUENCE;
    return size + mesh_varint_write(out + size, sequence);
}

void messages_free(struct messages *messages)
{
    if (messages == NULL) {
        return;
    }
    for (size_t i = 0; messages->at != NULL && i < messages->count; i++) {
        mesh_buffer_done(&messages->at[i].bytes);
        free(messages->at[i].ids);
        free(messages->at[i].ends);
    }
    free(messages->at);
    free(messages);
}
