/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cut: where counting stops: a watermark for each partition, below which everything is archived and
 * counted for good, whatever goes on meanwhile.
 *
 * It is what kafka-consumer's group has committed, for that is only what MongoDB has and Redis had
 * settled. Any cut is right as long as it is not too high; the consumer settles from there on.
 * Threads: main. cut_read() blocks for answers of Kafka.
 */
#ifndef CUT_H
#define CUT_H

#include "log_reader.h"
#include "mesh/error.h"
#include "mesh/stream.h"

#include <stdbool.h>
#include <stdint.h>

struct cut {
    char *topic_id;
    struct log_extent log; /* what Kafka holds, read after the marks */
    int64_t *marks;        /* by partition; within the log, or its beginning */
};

/* `any_offsets`: what is committed may be of another topic; then counting stops where the log
 * begins, if it does not fit. The caller calls cut_done(). False: *err says why. */
MESH_MUST_CHECK
bool cut_read(struct log_reader *reader, const struct mesh_stream *stream, bool any_offsets,
              struct cut *out, struct mesh_error *err);
void cut_done(struct cut *cut);

/* Whether a place is below the cut; one that no partition has is not. */
bool cut_holds(const struct cut *cut, int32_t partition, int64_t offset);
/* Whether Kafka does not keep that place any more. */
bool cut_is_before_log(const struct cut *cut, int32_t partition, int64_t offset);
/* Sum of the marks. */
uint64_t cut_settled(const struct cut *cut);
/* Whether the log has lost its beginning in any partition. */
bool cut_log_is_trimmed(const struct cut *cut);

#endif
