/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the body of a POST, plain or gzip, as JSON or NDJSON by the first byte: the body is
 * refused whole with a detail, or every event is either refused with reasons or has wire bytes that
 * protobuf-c reads back; and the answer is JSON.
 */
#include "answer.h"
#include "body.h"
#include "fuzz.h"
#include "mesh/event.h"
#include "tweetmesh/v1/ingest.pb-c.h"

#include <string.h>
#include <yyjson.h>

#define NOW_MS 1795219200123

enum { FLAG_NDJSON = 1, FLAG_GZIP = 2, FLAG_KEY = 4 };

static const struct mesh_stream *stream(void)
{
    static struct mesh_streams *streams;
    struct mesh_error err = {0};
    if (streams == NULL) {
        streams = mesh_streams_load(MESH_FUZZ_STREAMS, &err);
        must(streams != NULL);
    }
    return mesh_streams_at(streams, 0);
}

static void refusal_must_be_tellable(const struct body_refusal *refusal)
{
    struct mesh_bytes detail = mesh_bytes_of_text(refusal->detail);
    must(memchr(refusal->detail, '\0', sizeof(refusal->detail)) != NULL);
    must(detail.size > 0 && mesh_bytes_is_utf8(detail));
    must(problem_status(refusal->kind) >= 400 && problem_status(refusal->kind) < 500);
}

static void wire_must_be_protobuf(const struct events *events)
{
    Tweetmesh__V1__PublishRequest *request = tweetmesh__v1__publish_request__unpack(
        NULL, events->wire.size, (const uint8_t *)events->wire.data);
    must(request != NULL);
    must(request->n_events == events->count - events->refused);
    size_t sent = 0;
    for (size_t i = 0; i < events->count; i++) {
        const struct event *event = &events->at[i];
        must(events_sends(events, i) == (event->code == MESH_OK));
        must((event->reasons.count > 0) == (event->code == MESH_INVALID_ARGUMENT));
        if (events_sends(events, i)) {
            const Tweetmesh__V1__Event *read = request->events[sent++];
            must(strcmp(read->id, event->id.text) == 0);
            must(read->received_at == NOW_MS);
            must(read->payload.len >= 2 && read->payload.len <= MESH_EVENT_BYTES_MAX);
            must(event->group < events->stream->group_count);
        }
    }
    tweetmesh__v1__publish_request__free_unpacked(request, NULL);
}

static void answer_must_be_json(const struct events *events)
{
    struct answer answer;
    answer_events(events, &answer);
    yyjson_doc *doc = yyjson_read(answer.body.data, answer.body.size, 0);
    must(doc != NULL);
    must(answer.status == (events->refused == 0               ? 202
                           : events->refused == events->count ? 422
                                                              : 207));
    yyjson_doc_free(doc);
    mesh_buffer_done(&answer.body);
}

static void read_try(const struct body_head *head, struct mesh_bytes text)
{
    struct events events;
    struct body_refusal refusal = {0};
    if (!body_read(head, text, NOW_MS, &events, &refusal)) {
        refusal_must_be_tellable(&refusal);
        return;
    }
    must(events.count >= 1 && events.count <= MESH_EVENT_COUNT_MAX);
    wire_must_be_protobuf(&events);
    answer_must_be_json(&events);
    events_done(&events);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > BODY_BYTES_MAX) {
        return 0;
    }
    struct body_head head = {.stream = stream(),
                             .format = (data[0] & FLAG_NDJSON) != 0 ? BODY_NDJSON : BODY_JSON,
                             .trace = mesh_trace_new()};
    if ((data[0] & FLAG_KEY) != 0) {
        head.key = mesh_bytes_of_text("key");
    }
    struct mesh_bytes body = mesh_bytes_of(data + 1, size - 1);
    if ((data[0] & FLAG_GZIP) == 0) {
        read_try(&head, body);
        return 0;
    }
    struct mesh_buffer plain = {0};
    struct body_refusal refusal = {0};
    if (body_inflate(body, &plain, &refusal)) {
        must(plain.size <= BODY_BYTES_MAX);
        read_try(&head, mesh_buffer_bytes(&plain));
    } else {
        refusal_must_be_tellable(&refusal);
    }
    mesh_buffer_done(&plain);
    return 0;
}
