/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counters: exact counters in Redis, by the set of (partition, offset) already counted.
 *
 * All state of a stream is one hash, `{<stream>}:state`; every function call makes at most one
 * write command, because a torn AOF tail can break a MULTI apart. Applying hints may happen in any
 * order and any number of times; settling goes forward from the watermark and is what makes the
 * counters exact. The functions are one library (counters.lua), loaded by whoever finds it missing
 * or old.
 *
 * Threads: one command object and one redisContext, one thread.
 */
#ifndef MESH_COUNTERS_H
#define MESH_COUNTERS_H

#include "mesh/error.h"
#include "mesh/macros.h"
#include "mesh/stream.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Offsets in one call: bounds Lua's unpack() and the time Redis is busy. */
#define MESH_COUNTERS_RANGE_MAX 4096
/* Ranges in one call of apply. */
#define MESH_COUNTERS_RANGES_MAX 64
/* Partitions are 0 to this - 1: bounds what show_totals writes at once. */
#define MESH_COUNTERS_PARTITION_COUNT_MAX 2000
/* Offsets are below this: Lua's numbers are doubles. */
#define MESH_COUNTERS_OFFSET_MAX (UINT64_C(9007199254740991) - MESH_COUNTERS_RANGE_MAX)
/* Offsets that one sweep goes through. */
#define MESH_COUNTERS_SWEEP_MAX (1000 * 1024)

/* Offsets [first_offset, first_offset + count) of one partition. */
struct mesh_counters_range {
    const char *stream;
    uint32_t partition;
    uint64_t first_offset;
    size_t count;                   /* up to MESH_COUNTERS_RANGE_MAX; 0: a heartbeat (settle) */
    const uint8_t *groups;          /* count bytes: group index, NOT_COUNTED or HOLE */
    const char *const *group_names; /* by group index */
    size_t group_count;
    /* settle only: */
    const uint8_t *duplicates; /* count bytes, 1: this event is counted at another offset */
    const char *topic_id;      /* Kafka's id of the topic, not empty */
};

/* A command ready for redisCommandArgv() or redisAppendCommandArgv(), which copy it; new/free, used
 * again and again. argv points into the object and into the range it was built from. */
struct mesh_counters_command {
    int argc;
    const char **argv;
    size_t *argv_sizes;
    struct mesh_counters_scratch *scratch;
};

struct mesh_counters_command *mesh_counters_command_new(void);
/* Accepts NULL. */
void mesh_counters_command_free(struct mesh_counters_command *command);

/* Counts what is not yet counted in 1 to MESH_COUNTERS_RANGES_MAX ranges of one stream, which hold
 * up to MESH_COUNTERS_RANGE_MAX offsets together and may overlap; offsets below the watermark are
 * ignored. One call for several is cheaper: most of what a small call costs is the call. */
void mesh_counters_apply(struct mesh_counters_command *command,
                         const struct mesh_counters_range *ranges, size_t range_count);
/* Fills what is missing, takes back duplicates, moves the watermark to the end of the range.
 * No HOLE allowed. */
void mesh_counters_settle(struct mesh_counters_command *command,
                          const struct mesh_counters_range *range);
/* Writes the derived hash `{<stream>}:<count_by>` (or `{<stream>}:all`), group -> count, from the
 * state inside Redis. Groups never counted are not in it. */
void mesh_counters_show_groups(struct mesh_counters_command *command,
                               const struct mesh_stream *stream);
/* Writes the derived hash `{<stream>}:totals`: total, settled (records below the watermarks),
 * duplicates and not_counted among those, and settled:<partition>. */
void mesh_counters_show_totals(struct mesh_counters_command *command,
                               const struct mesh_stream *stream);
/* Drops bitmaps wholly below the watermark: those of chunks of 1,024 offsets, from first_offset's
 * on, at most MESH_COUNTERS_SWEEP_MAX offsets. The reply's watermark is where to go on; it equals
 * first_offset when there was nothing left to do. */
void mesh_counters_sweep(struct mesh_counters_command *command, const char *stream,
                         uint32_t partition, uint64_t first_offset);

/* A whole state that waits under another key (see counters_copy.h). */
struct mesh_counters_restoration {
    const char *copy_key; /* "{<stream>}:…", so that a cluster keeps it beside the state */
    size_t field_count;   /* of the copy: half of one is not restored */
    const char *topic_id;
    uint32_t partition; /* the one that has lost its watermark, unless .forced */
    bool forced;        /* whatever the state is: it may go back, and may be damaged */
};

/* Puts a copy in the place of the state. What was applied since it was taken is gone and is settled
 * again: the consumers find a GAP. how: kept until the command has run. */
void mesh_counters_restore(struct mesh_counters_command *command, const char *stream,
                           const struct mesh_counters_restoration *how);

/* The derived hashes' keys; the caller frees the result. */
char *mesh_counters_groups_key(const struct mesh_stream *stream);
char *mesh_counters_totals_key(const struct mesh_stream *stream);

enum mesh_counters_outcome {
    MESH_COUNTERS_DONE,
    MESH_COUNTERS_GAP,         /* settle: Redis lost data, settle again from .watermark */
    MESH_COUNTERS_OTHER_TOPIC, /* settle, restore: the state belongs to another topic id: alarm */
    MESH_COUNTERS_AHEAD,       /* restore: the state knows more than the copy */
    MESH_COUNTERS_NO_LIBRARY,  /* load it (mesh_counters_load) and call again */
    MESH_COUNTERS_FAILED,      /* err says why */
};

struct mesh_counters_reply {
    enum mesh_counters_outcome outcome;
    /* Of the partition (of the first range), after the call; sweep: where to go on; show: 0. */
    uint64_t watermark;
    int64_t counted; /* by how much the total changed; show, sweep: fields written, dropped */
};

/* Understands the reply of apply, settle, show, sweep and restore. Frees nothing. */
void mesh_counters_read_reply(const redisReply *reply, struct mesh_counters_reply *out,
                              struct mesh_error *err);

/* Loads the function library where it is missing or older than ours; a newer one stays. Blocks for
 * a few calls. Several programs may do so at once. */
MESH_MUST_CHECK
bool mesh_counters_load(redisContext *redis, struct mesh_error *err);

/* Calls and waits; loads the library when it is missing and calls again. False when the outcome is
 * FAILED or the connection broke; the latter leaves redis->err set. */
MESH_MUST_CHECK
bool mesh_counters_call(redisContext *redis, const struct mesh_counters_command *command,
                        struct mesh_counters_reply *out, struct mesh_error *err);

/* The state of a stream as Redis has it. */
struct mesh_counters_state {
    uint64_t total;
    uint64_t duplicates;  /* settled offsets whose event is counted elsewhere, or refused */
    uint64_t not_counted; /* settled offsets that hold no event */
    uint64_t counts[256]; /* by group index */
    uint64_t foreign;     /* sum of groups that the stream file does not know */
    uint64_t *watermarks; /* by partition */
    size_t watermark_count;
};

/* Blocks for one HGETALL. False: *err says why, nothing to free. A stream without state is all
 * zero. */
MESH_MUST_CHECK
bool mesh_counters_state_read(redisContext *redis, const struct mesh_stream *stream,
                              struct mesh_counters_state *out, struct mesh_error *err);
void mesh_counters_state_done(struct mesh_counters_state *state);

#endif
