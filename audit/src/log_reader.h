/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_reader: reads a topic of Kafka from its beginning to the end it has now, without a group.
 *
 * Threads: main. Blocks until the end is reached, or Kafka is silent for ms_max.
 */
#ifndef LOG_READER_H
#define LOG_READER_H

#include "mesh/error.h"

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_reader;

/* One partition: [first, end) is what it holds. */
struct log_bounds {
    int64_t first;
    int64_t end;
};

/* The partitions of a topic by number. */
struct log_extent {
    struct log_bounds *partitions;
    size_t count; /* 0: there is no such topic */
};

/* Called for each record, in the order of its partition. False: stop, *err says why. */
typedef bool log_record_fn(void *arg, const rd_kafka_message_t *message, struct mesh_error *err);

/* brokers, group: read only during the call; the group is asked, not joined. The caller owns the
 * result. NULL on failure. */
MESH_MUST_CHECK
struct log_reader *log_reader_new(const char *brokers, const char *group, uint32_t ms_max,
                                  struct mesh_error *err);
/* Kafka's id of a topic, freed by the caller. NULL: *err says why. */
MESH_MUST_CHECK
char *log_reader_topic_id(struct log_reader *reader, const char *topic, struct mesh_error *err);
/* Where the group stands in each partition of the extent; -1: it never committed there. */
MESH_MUST_CHECK
bool log_reader_committed(struct log_reader *reader, const char *topic,
                          const struct log_extent *extent, int64_t *out, struct mesh_error *err);
/* Asks for the bounds of all partitions. A topic that does not exist has none. */
MESH_MUST_CHECK
bool log_reader_extent(struct log_reader *reader, const char *topic, struct log_extent *out,
                       struct mesh_error *err);
void log_extent_done(struct log_extent *extent);
/* Calls visit for all records within the extent. */
MESH_MUST_CHECK
bool log_reader_read(struct log_reader *reader, const char *topic, const struct log_extent *extent,
                     log_record_fn *visit, void *arg, struct mesh_error *err);
/* Accepts NULL. */
void log_reader_free(struct log_reader *reader);

#endif
