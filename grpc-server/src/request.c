/* SPDX-License-Identifier: Apache-2.0 */
#include "request.h"

#include "ingest_spans.h"
#include "mesh/alloc.h"
#include "mesh/arena.h"
#include "mesh/event.h"
#include "tweetmesh/v1/ingest.pb-c.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

enum {
    /* In the arena for each event: as it was read, as it is published, and its row of the reply. */
    EVENT_MEMORY = sizeof(struct wire_event) + sizeof(struct publication) + 16,
    BESIDES_MEMORY = 128,
    /* What a record has more than the event that was sent: "id" and "received_at", and a country's
     * name in place of its code. Only a guess: the buffer grows. */
    COUNTRY_MORE = 32,
    RECORD_MORE = 96 + COUNTRY_MORE,
    NO_STREAM = -1
};

struct request {
    const struct mesh_streams *streams;
    struct mesh_arena *arena;
    uint64_t sequence;
    struct wire_event *events; /* in the arena; views of the message; until it is checked */
    struct publication_batch batch;
    struct mesh_buffer records; /* values of all records, one behind the other */
    struct mesh_trace trace;    /* of all events that came without one; empty until it is made */
    bool ids_made;              /* at least one event came without an id */
    struct ingest_spans *spans; /* in the arena; NULL: nothing is sampled */

    Tweetmesh__V1__Problem **problems; /* of all events, in the arena */
    size_t problem_count;
    size_t problem_capacity;

    Tweetmesh__V1__PublishReply reply; /* columns in the arena; built once */
    bool reply_built;
};

struct request *request_new(const struct mesh_streams *streams, struct mesh_bytes message,
                            struct mesh_error *err)
{
    size_t count = 0;
    uint64_t sequence = 0;

    if (!wire_count(message, &count, &sequence, err)) {
        return NULL;
    }
    struct request *request = mesh_new(struct request);
    request->streams = streams;
    request->sequence = sequence;
    request->arena = mesh_arena_new(count * EVENT_MEMORY + BESIDES_MEMORY);
    request->events = mesh_arena_alloc(request->arena, count * sizeof *request->events);
    if (!wire_read(message, request->events, count, err)) {
        request_free(request);
        return NULL;
    }
    request->batch.count = count;
    request->batch.at = mesh_arena_alloc(request->arena, count * sizeof *request->batch.at);
    return request;
}

static void problem_add(struct request *request, size_t index, const char *pointer,
                        const char *reason)
{
    if (request->problem_count == request->problem_capacity) {
        size_t capacity = request->problem_capacity == 0 ? 16 : request->problem_capacity * 2;
        Tweetmesh__V1__Problem **problems =
            mesh_arena_alloc(request->arena, capacity * sizeof *problems);
        if (request->problem_count > 0) {
            memcpy(problems, request->problems, request->problem_count * sizeof *problems);
        }
        request->problems = problems;
        request->problem_capacity = capacity;
    }
    Tweetmesh__V1__Problem *problem = mesh_arena_alloc(request->arena, sizeof *problem);
    tweetmesh__v1__problem__init(problem);
    problem->index = (uint32_t)index;
    problem->pointer = (char *)mesh_arena_copy(request->arena, mesh_bytes_of_text(pointer)).data;
    problem->reason = (char *)mesh_arena_copy(request->arena, mesh_bytes_of_text(reason)).data;
    request->problems[request->problem_count++] = problem;
}

/* Refuses one event as a whole. */
static void refuse(struct request *request, size_t index, const char *reason)
{
    request->batch.at[index].code = MESH_INVALID_ARGUMENT;
    problem_add(request, index, "", reason);
}

static int stream_find(const struct request *request, struct mesh_bytes name)
{
    for (size_t i = 0; i < mesh_streams_count(request->streams); i++) {
        if (mesh_bytes_equal_text(name, mesh_streams_at(request->streams, i)->name)) {
            return (int)i;
        }
    }
    return NO_STREAM;
}

static bool trace_is_made(const struct request *request)
{
    return request->trace.traceparent[0] != '\0';
}

/* A trace begins here only where spans will tell of it: for others it would be bytes in Kafka and
 * work for every reader. */
static void trace_take(struct request *request, struct mesh_bytes told, struct mesh_trace *out)
{
    if (mesh_trace_copy(told, out)) {
        return;
    }
    if (!trace_is_made(request) && mesh_spans_enabled()) {
        request->trace = mesh_trace_new();
    }
    *out = request->trace;
}

/* Everything of an event but its payload. Fills in the whole publication. */
static bool envelope_check(struct request *request, size_t index, int64_t now_ms)
{
    const struct wire_event *event = &request->events[index];
    struct publication *publication = &request->batch.at[index];
    int stream = stream_find(request, event->stream);

    publication->code = MESH_OK;
    publication->stream = SIZE_MAX;
    publication->value = mesh_bytes_of(NULL, 0);
    trace_take(request, event->traceparent, &publication->trace);
    if (event->id.size == 0) {
        publication->id = mesh_id_new(now_ms);
        request->ids_made = true;
    } else if (!mesh_id_parse(event->id, &publication->id)) {
        publication->id.text[0] = '\0';
        refuse(request, index, "the id is not a UUID in lower case");
        return false;
    }
    if (stream == NO_STREAM) {
        refuse(request, index, "the stream is not declared");
        return false;
    }
    publication->stream = (size_t)stream;
    if (event->payload.size > MESH_EVENT_BYTES_MAX) {
        refuse(request, index, "the payload is larger than 16 KiB");
        return false;
    }
    /* Kafka takes no time that is far ahead. Whose clock is wrong is no fault of the event's. */
    bool believed =
        event->received_at != 0 && event->received_at <= (uint64_t)(now_ms + REQUEST_AHEAD_MS_MAX);
    publication->received_at_ms = believed ? (int64_t)event->received_at : now_ms;
    return true;
}

/* What is used again for each event of a request. */
struct checking {
    void *room; /* to parse the largest payload that may be parsed */
    yyjson_alc pool;
    struct mesh_buffer normalised;
    struct mesh_problems problems;
};

/* The payload against the schema; the normalised event replaces what is in checking->normalised. */
static bool payload_check(struct request *request, size_t index, struct checking *checking)
{
    const struct mesh_bytes payload = request->events[index].payload;
    struct publication *publication = &request->batch.at[index];
    struct mesh_problems *problems = &checking->problems;
    uint8_t group = 0;

    yyjson_doc *doc = yyjson_read_opts((char *)payload.data, payload.size, MESH_EVENT_READ_FLAGS,
                                       &checking->pool, NULL);
    if (doc == NULL) {
        refuse(request, index, "the payload is not JSON in UTF-8");
        return false;
    }
    mesh_buffer_reset(&checking->normalised);
    bool fits = mesh_event_check(mesh_streams_at(request->streams, publication->stream),
                                 yyjson_doc_get_root(doc), &checking->normalised, &group, problems);
    yyjson_doc_free(doc);
    if (!fits) {
        publication->code = MESH_INVALID_ARGUMENT;
        for (size_t i = 0; i < problems->count; i++) {
            problem_add(request, index, problems->at[i].pointer, problems->at[i].reason);
        }
    }
    return fits;
}

/* Reserves what the checks and the records will mostly need. */
static void checking_begin(struct checking *checking, struct request *request)
{
    size_t largest = 0;
    size_t together = 0;

    for (size_t i = 0; i < request->batch.count; i++) {
        size_t size = request->events[i].payload.size;
        if (size <= MESH_EVENT_BYTES_MAX) {
            largest = size > largest ? size : largest;
            together += size + RECORD_MORE;
        }
    }
    size_t size = yyjson_read_max_memory_usage(largest, MESH_EVENT_READ_FLAGS);
    checking->room = mesh_alloc(size);
    yyjson_alc_pool_init(&checking->pool, checking->room, size);
    checking->normalised = (struct mesh_buffer){0};
    (void)mesh_buffer_room(&checking->normalised, largest + COUNTRY_MORE);
    (void)mesh_buffer_room(&request->records, together);
}

static void checking_end(struct checking *checking)
{
    mesh_buffer_done(&checking->normalised);
    free(checking->room);
}

void request_check(struct request *request, int64_t now_ms)
{
    MESH_UNINITIALIZED struct checking checking; /* 4 KiB of problems */

    checking_begin(&checking, request);
    for (size_t i = 0; i < request->batch.count; i++) {
        struct publication *publication = &request->batch.at[i];
        if (!envelope_check(request, i, now_ms) || !payload_check(request, i, &checking)) {
            continue;
        }
        size_t begin = request->records.size;
        mesh_event_write_record(&publication->id, publication->received_at_ms,
                                mesh_buffer_bytes(&checking.normalised), &request->records);
        publication->value.size = request->records.size - begin;
    }
    checking_end(&checking);
    request->events = NULL;
    if (mesh_spans_enabled()) {
        request->spans = ingest_spans_begin(request->arena, &request->batch,
                                            trace_is_made(request) ? &request->trace : NULL);
    }

    /* Only now does the buffer stay where it is. */
    size_t begin = 0;
    for (size_t i = 0; i < request->batch.count; i++) {
        struct publication *publication = &request->batch.at[i];
        if (publication->value.size > 0) { /* where none fits there is no buffer at all */
            publication->value.data = (const uint8_t *)request->records.data + begin;
            begin += publication->value.size;
        }
    }
}

struct publication_batch *request_batch(struct request *request)
{
    return &request->batch;
}

static void reply_build(struct request *request)
{
    Tweetmesh__V1__PublishReply *reply = &request->reply;
    size_t count = request->batch.count;

    tweetmesh__v1__publish_reply__init(reply);
    reply->sequence = request->sequence;
    reply->codes = mesh_arena_alloc(request->arena, count * sizeof *reply->codes);
    reply->partitions = mesh_arena_alloc(request->arena, count * sizeof *reply->partitions);
    reply->offsets = mesh_arena_alloc(request->arena, count * sizeof *reply->offsets);
    for (size_t i = 0; i < count; i++) {
        const struct publication *publication = &request->batch.at[i];
        bool stored = publication->code == MESH_OK;
        reply->codes[i] = (uint32_t)publication->code;
        reply->partitions[i] = stored ? publication->partition : -1;
        reply->offsets[i] = stored ? publication->offset : -1;
    }
    reply->n_codes = reply->n_partitions = reply->n_offsets = count;
    reply->problems = request->problems;
    reply->n_problems = request->problem_count;
    if (request->ids_made) {
        reply->ids = mesh_arena_alloc(request->arena, count * sizeof *reply->ids);
        for (size_t i = 0; i < count; i++) {
            reply->ids[i] = request->batch.at[i].id.text;
        }
        reply->n_ids = count;
    }
    request->reply_built = true;
}

size_t request_reply_size(struct request *request)
{
    if (!request->reply_built) {
        reply_build(request);
    }
    return tweetmesh__v1__publish_reply__get_packed_size(&request->reply);
}

void request_reply_write(struct request *request, uint8_t *out)
{
    if (!request->reply_built) {
        reply_build(request);
    }
    (void)tweetmesh__v1__publish_reply__pack(&request->reply, out);
}

void request_replied(const struct request *request, const char *method, int64_t began_us)
{
    if (request->spans != NULL) {
        ingest_spans_end(request->spans, &request->batch, request->streams, method, began_us);
    }
}

void request_free(struct request *request)
{
    if (request == NULL) {
        return;
    }
    mesh_buffer_done(&request->records);
    mesh_arena_free(request->arena);
    free(request);
}
