/* SPDX-License-Identifier: Apache-2.0 */
#include "request.h"

#include "mesh/alloc.h"
#include "mesh/arena.h"
#include "mesh/event.h"
#include "tweetmesh/v1/ingest.pb-c.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

enum { ARENA_BLOCK_BYTES = 16 * 1024, NO_STREAM = -1 };

struct request {
    const struct mesh_streams *streams;
    struct mesh_arena *arena;
    const Tweetmesh__V1__PublishRequest *message;
    struct publication_batch batch;
    struct mesh_buffer records; /* values of all records, one behind the other */
    bool ids_made;              /* at least one event came without an id */

    Tweetmesh__V1__Problem **problems; /* of all events, in the arena */
    size_t problem_count;
    size_t problem_capacity;

    Tweetmesh__V1__PublishReply reply; /* columns in the arena; built once */
    bool reply_built;
};

static void *arena_alloc(void *arena, size_t size)
{
    return mesh_arena_alloc(arena, size);
}

static void arena_keep(void *arena, void *memory)
{
    (void)arena;
    (void)memory;
}

struct request *request_new(const struct mesh_streams *streams, struct mesh_bytes message,
                            struct mesh_error *err)
{
    if (!wire_check(message, err)) {
        return NULL;
    }
    struct request *request = mesh_new(struct request);
    request->streams = streams;
    request->arena = mesh_arena_new(ARENA_BLOCK_BYTES);
    ProtobufCAllocator allocator = {
        .alloc = arena_alloc, .free = arena_keep, .allocator_data = request->arena};
    request->message =
        tweetmesh__v1__publish_request__unpack(&allocator, message.size, message.data);
    if (request->message == NULL) {
        mesh_fail(err, MESH_INVALID_ARGUMENT, "the message is not a PublishRequest");
        request_free(request);
        return NULL;
    }
    size_t count = request->message->n_events;
    request->batch.count = count;
    request->batch.at = mesh_arena_alloc(request->arena, count * sizeof *request->batch.at);
    memset(request->batch.at, 0, count * sizeof *request->batch.at);
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

static int stream_find(const struct request *request, const char *name)
{
    for (size_t i = 0; i < mesh_streams_count(request->streams); i++) {
        if (strcmp(mesh_streams_at(request->streams, i)->name, name) == 0) {
            return (int)i;
        }
    }
    return NO_STREAM;
}

/* Everything of an event but its payload. */
static bool envelope_check(struct request *request, size_t index, int64_t now_ms)
{
    const Tweetmesh__V1__Event *event = request->message->events[index];
    struct publication *publication = &request->batch.at[index];
    int stream = stream_find(request, event->stream);

    publication->stream = SIZE_MAX;
    if (event->id[0] == '\0') {
        publication->id = mesh_id_new(now_ms);
        request->ids_made = true;
    } else if (!mesh_id_parse(mesh_bytes_of_text(event->id), &publication->id)) {
        refuse(request, index, "the id is not a UUID in lower case");
        return false;
    }
    if (stream == NO_STREAM) {
        refuse(request, index, "the stream is not declared");
        return false;
    }
    publication->stream = (size_t)stream;
    if (event->payload.len > MESH_EVENT_BYTES_MAX) {
        refuse(request, index, "the payload is larger than 16 KiB");
        return false;
    }
    /* Kafka takes no time that is far ahead. Whose clock is wrong is no fault of the event's. */
    bool believed =
        event->received_at != 0 && event->received_at <= (uint64_t)(now_ms + REQUEST_AHEAD_MS_MAX);
    publication->received_at_ms = believed ? (int64_t)event->received_at : now_ms;
    struct mesh_bytes trace = mesh_bytes_of_text(event->traceparent);
    if (mesh_trace_valid(trace)) {
        memcpy(publication->trace.traceparent, trace.data, MESH_TRACEPARENT_LENGTH + 1);
    } else {
        publication->trace = mesh_trace_new();
    }
    return true;
}

/* The payload against the schema; appends the normalised event to *normalised. */
static bool payload_check(struct request *request, size_t index, const yyjson_alc *pool,
                          struct mesh_buffer *normalised)
{
    const Tweetmesh__V1__Event *event = request->message->events[index];
    struct publication *publication = &request->batch.at[index];
    struct mesh_problems problems;
    uint8_t group = 0;

    yyjson_doc *doc = yyjson_read_opts((char *)event->payload.data, event->payload.len,
                                       MESH_EVENT_READ_FLAGS, pool, NULL);
    if (doc == NULL) {
        refuse(request, index, "the payload is not JSON in UTF-8");
        return false;
    }
    problems.count = 0;
    bool fits = mesh_event_check(mesh_streams_at(request->streams, publication->stream),
                                 yyjson_doc_get_root(doc), normalised, &group, &problems);
    yyjson_doc_free(doc);
    if (!fits) {
        publication->code = MESH_INVALID_ARGUMENT;
        for (size_t i = 0; i < problems.count; i++) {
            problem_add(request, index, problems.at[i].pointer, problems.at[i].reason);
        }
    }
    return fits;
}

/* Room to parse the largest payload that may be parsed, used again for each. */
static yyjson_alc parse_pool(struct request *request)
{
    yyjson_alc pool;
    size_t largest = 0;

    for (size_t i = 0; i < request->batch.count; i++) {
        size_t size = request->message->events[i]->payload.len;
        if (size > largest && size <= MESH_EVENT_BYTES_MAX) {
            largest = size;
        }
    }
    size_t size = yyjson_read_max_memory_usage(largest, MESH_EVENT_READ_FLAGS);
    yyjson_alc_pool_init(&pool, mesh_arena_alloc(request->arena, size), size);
    return pool;
}

void request_check(struct request *request, int64_t now_ms)
{
    yyjson_alc pool = parse_pool(request);
    struct mesh_buffer normalised = {0};

    for (size_t i = 0; i < request->batch.count; i++) {
        struct publication *publication = &request->batch.at[i];
        size_t begin = request->records.size;
        mesh_buffer_reset(&normalised);
        if (!envelope_check(request, i, now_ms) || !payload_check(request, i, &pool, &normalised)) {
            continue;
        }
        mesh_event_write_record(&publication->id, publication->received_at_ms,
                                mesh_buffer_bytes(&normalised), &request->records);
        publication->value.size = request->records.size - begin;
    }
    mesh_buffer_done(&normalised);

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
    reply->sequence = request->message->sequence;
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

void request_free(struct request *request)
{
    if (request == NULL) {
        return;
    }
    mesh_buffer_done(&request->records);
    mesh_arena_free(request->arena);
    free(request);
}
