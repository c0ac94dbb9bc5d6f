/* SPDX-License-Identifier: Apache-2.0 */
#include "frame.h"

#include "mesh/alloc.h"
#include "mesh/arena.h"
#include "tweetmesh/v1/counts.pb-c.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_BLOCK_BYTES ((size_t)16 * 1024)

struct name {
    const char *text;
    uint8_t group;
};

struct stream_names {
    struct name sorted[MESH_GROUP_COUNT_MAX];
    size_t count;
};

struct frame_reader {
    const struct mesh_streams *streams;
    struct stream_names *names; /* by index of stream */
    struct mesh_arena *arena;   /* for one unpacked frame */
    ProtobufCAllocator allocator;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

static void *arena_alloc(void *arg, size_t size)
{
    return mesh_arena_alloc(arg, size);
}

/* The arena is reset after each frame. */
static void arena_free_nothing(void *arg, void *memory)
{
    (void)arg;
    (void)memory;
}

struct frame_reader *frame_reader_new(const struct mesh_streams *streams)
{
    struct frame_reader *reader = mesh_new(struct frame_reader);
    size_t count = mesh_streams_count(streams);

    reader->streams = streams;
    reader->names = mesh_new_array(struct stream_names, count);
    reader->arena = mesh_arena_new(ARENA_BLOCK_BYTES);
    reader->allocator = (ProtobufCAllocator){arena_alloc, arena_free_nothing, reader->arena};
    for (size_t i = 0; i < count; i++) {
        const struct mesh_stream *stream = mesh_streams_at(streams, i);
        struct stream_names *names = &reader->names[i];
        names->count = stream->group_count;
        for (size_t g = 0; g < stream->group_count; g++) {
            names->sorted[g] = (struct name){stream->group_names[g], (uint8_t)g};
        }
        qsort(names->sorted, names->count, sizeof(struct name), compare_names);
    }
    return reader;
}

void frame_reader_free(struct frame_reader *reader)
{
    if (reader != NULL) {
        free(reader->names);
        mesh_arena_free(reader->arena);
        free(reader);
    }
}

/* The stream's group of each name in the frame; HOLE where the stream does not know it. */
static bool read_names(const struct stream_names *names, const Tweetmesh__V1__CountFrame *message,
                       uint8_t out_groups[static MESH_GROUP_COUNT_MAX])
{
    if (message->n_group_names > MESH_GROUP_COUNT_MAX) {
        return false;
    }
    for (size_t i = 0; i < message->n_group_names; i++) {
        const struct name wanted = {.text = message->group_names[i]};
        const size_t size = strlen(wanted.text);
        if (size == 0 || size > FRAME_NAME_BYTES_MAX ||
            !mesh_bytes_is_utf8(mesh_bytes_of(wanted.text, size))) {
            return false;
        }
        const struct name *found =
            bsearch(&wanted, names->sorted, names->count, sizeof(wanted), compare_names);
        out_groups[i] = found == NULL ? MESH_GROUP_HOLE : found->group;
    }
    return true;
}

static bool read_groups(const Tweetmesh__V1__CountFrame *message, const uint8_t *groups,
                        struct frame *out)
{
    out->events = 0;
    out->unknown = 0;
    for (size_t i = 0; i < out->count; i++) {
        uint8_t group = message->groups.data[i];
        if (group != MESH_GROUP_HOLE) {
            if (group >= message->n_group_names) {
                return false;
            }
            group = groups[group];
            *(group == MESH_GROUP_HOLE ? &out->unknown : &out->events) += 1;
        }
        out->groups[i] = group;
    }
    return true;
}

static bool is_id(const ProtobufCBinaryData *bytes, size_t size)
{
    size_t i = 0;
    while (i < bytes->len && bytes->data[i] == 0) {
        i++;
    }
    return bytes->len == size && i < size;
}

/* A trace is for spans only: one that makes no sense is left out, and the hint counts. */
static void read_traces(const Tweetmesh__V1__CountFrame *message, struct frame *out)
{
    for (size_t i = 0; i < message->n_traces && out->trace_count < FRAME_TRACES_MAX; i++) {
        const Tweetmesh__V1__HintTrace *from = message->traces[i];
        if (from->index >= out->count || out->groups[from->index] == MESH_GROUP_HOLE ||
            !is_id(&from->trace_id, MESH_TRACE_ID_SIZE) ||
            !is_id(&from->span_id, MESH_SPAN_ID_SIZE)) {
            continue;
        }
        struct frame_trace *trace = &out->traces[out->trace_count++];
        trace->index = from->index;
        memcpy(trace->send.trace_id, from->trace_id.data, MESH_TRACE_ID_SIZE);
        memcpy(trace->send.span_id, from->span_id.data, MESH_SPAN_ID_SIZE);
        trace->send.flags = MESH_TRACE_SAMPLED;
    }
}

static bool read_word(const char *text, char out[static MESH_HEALTH_NAME_BYTES_MAX + 1])
{
    const struct mesh_bytes word = mesh_bytes_of_text(text);
    if (!mesh_health_is_name(word)) {
        return false;
    }
    memcpy(out, text, word.size + 1);
    return true;
}

static enum frame_result read_programs(const Tweetmesh__V1__CountFrame *message, struct frame *out)
{
    if (message->n_programs > FRAME_PROGRAMS_MAX) {
        return FRAME_INVALID;
    }
    for (size_t i = 0; i < message->n_programs; i++) {
        const Tweetmesh__V1__ProgramHealth *health = message->programs[i];
        struct frame_program *program = &out->programs[i];
        if (!read_word(health->program, program->name) ||
            !read_word(health->instance, program->instance)) {
            return FRAME_INVALID;
        }
        program->ready = health->ready;
    }
    out->program_count = message->n_programs;
    return FRAME_HEALTH;
}

static enum frame_result read_message(const struct frame_reader *reader,
                                      const Tweetmesh__V1__CountFrame *message, struct frame *out)
{
    uint8_t groups[MESH_GROUP_COUNT_MAX];
    size_t index = 0;
    const size_t count = mesh_streams_count(reader->streams);

    while (index < count &&
           strcmp(mesh_streams_at(reader->streams, index)->name, message->stream) != 0) {
        index++;
    }
    if (index == count) {
        return message->stream[0] == '\0' && message->n_programs > 0 ? read_programs(message, out)
                                                                     : FRAME_NO_STREAM;
    }
    if (message->partition >= MESH_COUNTERS_PARTITION_COUNT_MAX || message->groups.len == 0 ||
        message->groups.len > MESH_COUNTERS_RANGE_MAX ||
        message->first_offset > MESH_COUNTERS_OFFSET_MAX ||
        !read_names(&reader->names[index], message, groups)) {
        return FRAME_INVALID;
    }
    out->stream_index = index;
    out->stream = mesh_streams_at(reader->streams, index);
    out->partition = message->partition;
    out->first_offset = message->first_offset;
    out->count = message->groups.len;
    out->accepted_at = message->accepted_at <= INT64_MAX ? (int64_t)message->accepted_at : 0;
    if (!read_groups(message, groups, out)) {
        return FRAME_INVALID;
    }
    out->trace_count = 0;
    if (message->n_traces > 0) {
        read_traces(message, out);
    }
    return FRAME_GOOD;
}

enum frame_result frame_read(struct frame_reader *reader, struct mesh_bytes bytes,
                             struct frame *out)
{
    enum frame_result result = FRAME_MALFORMED;

    if (bytes.size <= FRAME_BYTES_MAX) {
        const Tweetmesh__V1__CountFrame *message =
            tweetmesh__v1__count_frame__unpack(&reader->allocator, bytes.size, bytes.data);
        if (message != NULL) {
            result = read_message(reader, message, out);
        }
        mesh_arena_reset(reader->arena);
    }
    return result;
}
