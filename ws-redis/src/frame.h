/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame: reads and checks one counting hint as it came over the wire (proto CountFrame).
 *
 * Threads: one reader, one thread. Nothing blocks.
 */
#ifndef FRAME_H
#define FRAME_H

#include "mesh/bytes.h"
#include "mesh/counters.h"
#include "mesh/health.h"
#include "mesh/stream.h"
#include "mesh/trace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_BYTES_MAX ((size_t)64 * 1024)
#define FRAME_NAME_BYTES_MAX 256

/* X(name, label of tweetmesh_frames_total) */
#define FRAME_RESULTS(X)                                                                           \
    X(FRAME_GOOD, "good")                                                                          \
    X(FRAME_HEALTH, "health")                                                                      \
    X(FRAME_MALFORMED, "malformed")                                                                \
    X(FRAME_NO_STREAM, "unknown_stream")                                                           \
    X(FRAME_INVALID, "invalid")

enum frame_result {
#define X(name, label) name,
    FRAME_RESULTS(X)
#undef X
        FRAME_RESULT_COUNT
};

#define FRAME_PROGRAMS_MAX 8

/* What a feeder says of a program, in a frame without a stream. */
struct frame_program {
    char name[MESH_HEALTH_NAME_BYTES_MAX + 1];
    char instance[MESH_HEALTH_NAME_BYTES_MAX + 1];
    bool ready;
};

#define FRAME_TRACES_MAX 64 /* further ones are ignored */

/* A sampled event of the frame. */
struct frame_trace {
    uint32_t index; /* in groups, of an event that counts */
    struct mesh_trace_context send;
};

struct frame {
    size_t stream_index;
    const struct mesh_stream *stream;
    uint32_t partition;
    uint64_t first_offset;
    size_t count;        /* offsets, 1 to MESH_COUNTERS_RANGE_MAX */
    size_t events;       /* of these, how many count */
    size_t unknown;      /* events left out because the stream does not know their group */
    int64_t accepted_at; /* wall clock, milliseconds; 0: not told */
    uint8_t groups[MESH_COUNTERS_RANGE_MAX]; /* index of the stream's group, or HOLE */
    struct frame_program programs[FRAME_PROGRAMS_MAX];
    size_t program_count;
    struct frame_trace traces[FRAME_TRACES_MAX];
    size_t trace_count; /* of those that are well-formed */
};

struct frame_reader;

/* `streams` must outlive the reader, which the caller owns. */
struct frame_reader *frame_reader_new(const struct mesh_streams *streams);
/* Accepts NULL. */
void frame_reader_free(struct frame_reader *reader);

/* *out is filled when the result is FRAME_GOOD; when it is FRAME_HEALTH, only programs and
 * program_count; undefined otherwise. MALFORMED is no protobuf
 * CountFrame at all; INVALID is one that breaks a limit. */
enum frame_result frame_read(struct frame_reader *reader, struct mesh_bytes bytes,
                             struct frame *out);

#endif
