/* SPDX-License-Identifier: Apache-2.0 */
#include "cut.h"

#include "mesh/alloc.h"
#include "mesh/counters.h"

#include <inttypes.h>
#include <stdlib.h>

/* Turns what is committed into marks within the log. */
static bool marks_fit(struct cut *cut, const struct mesh_stream *stream, bool any_offsets,
                      struct mesh_error *err)
{
    for (size_t i = 0; i < cut->log.count; i++) {
        const struct log_bounds *bounds = &cut->log.partitions[i];
        if (cut->marks[i] > bounds->end && !any_offsets) {
            return mesh_fail(err, MESH_FAILED_PRECONDITION,
                             "stream %s, partition %zu: committed is offset %" PRId64
                             ", but the log ends at %" PRId64
                             ": the group's offsets are of another log",
                             stream->name, i, cut->marks[i], bounds->end);
        }
        if (cut->marks[i] < bounds->first || cut->marks[i] > bounds->end) {
            cut->marks[i] = bounds->first;
        }
    }
    return true;
}

bool cut_read(struct log_reader *reader, const struct mesh_stream *stream, bool any_offsets,
              struct cut *out, struct mesh_error *err)
{
    struct cut cut = {0};

    cut.topic_id = log_reader_topic_id(reader, stream->topic, err);
    if (cut.topic_id == NULL || !log_reader_extent(reader, stream->topic, &cut.log, err)) {
        goto fail;
    }
    if (cut.log.count > MESH_COUNTERS_PARTITION_COUNT_MAX) {
        mesh_fail(err, MESH_OUT_OF_RANGE, "stream %s: more than %d partitions", stream->name,
                  MESH_COUNTERS_PARTITION_COUNT_MAX);
        goto fail;
    }
    cut.marks = mesh_new_array(int64_t, cut.log.count + 1);
    if (!log_reader_committed(reader, stream->topic, &cut.log, cut.marks, err)) {
        goto fail;
    }
    /* Again: the ends must not be older than what is committed. */
    log_extent_done(&cut.log);
    if (!log_reader_extent(reader, stream->topic, &cut.log, err) ||
        !marks_fit(&cut, stream, any_offsets, err)) {
        goto fail;
    }
    *out = cut;
    return true;

fail:
    cut_done(&cut);
    return false;
}

void cut_done(struct cut *cut)
{
    free(cut->topic_id);
    free(cut->marks);
    log_extent_done(&cut->log);
    *cut = (struct cut){0};
}

bool cut_holds(const struct cut *cut, int32_t partition, int64_t offset)
{
    return partition >= 0 && (size_t)partition < cut->log.count && offset >= 0 &&
           offset < cut->marks[partition];
}

bool cut_is_before_log(const struct cut *cut, int32_t partition, int64_t offset)
{
    return partition >= 0 && (size_t)partition < cut->log.count && offset >= 0 &&
           offset < cut->log.partitions[partition].first;
}

uint64_t cut_settled(const struct cut *cut)
{
    uint64_t settled = 0;

    for (size_t i = 0; i < cut->log.count; i++) {
        settled += (uint64_t)cut->marks[i];
    }
    return settled;
}

bool cut_log_is_trimmed(const struct cut *cut)
{
    for (size_t i = 0; i < cut->log.count; i++) {
        if (cut->log.partitions[i].first > 0) {
            return true;
        }
    }
    return false;
}
