/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka: librdkafka as our programs call it, in front of the ledger's log.
 *
 * Functions of librdkafka that talk to brokers are defined here, under their own names; what is
 * only memory (lists, error texts) is the real library's. Threads: one.
 */
#ifndef SIMULATION_KAFKA_H
#define SIMULATION_KAFKA_H

#include "fiber.h"
#include "ledger.h"
#include "process.h"

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#define KAFKA_TOPIC "simulated"

enum { EVENT_MESSAGES_MAX = 16 };

struct rd_kafka_conf_s {
    void *opaque;
    void (*delivered)(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque);
    void (*failed)(rd_kafka_t *kafka, int error, const char *reason, void *opaque);
    void (*rebalance)(rd_kafka_t *kafka, rd_kafka_resp_err_t event,
                      rd_kafka_topic_partition_list_t *list, void *opaque);
    void (*committed)(rd_kafka_t *kafka, rd_kafka_resp_err_t error,
                      rd_kafka_topic_partition_list_t *list, void *opaque);
};

/* A message of a producer that was not reported yet. */
struct outgoing {
    void *opaque;
    struct mesh_bytes value;
    char traceparent[64];
    bool sent;
};

struct told {
    rd_kafka_message_t message;
    rd_kafka_msg_status_t status;
};

/* Something that callbacks are to be told. */
struct kafka_event {
    struct kafka_event *next;
    struct told at[EVENT_MESSAGES_MAX];
    size_t count; /* 0: a fatal error */
};

struct flight; /* a batch that was sent and has no report */

struct rd_kafka_queue_s {
    rd_kafka_t *kafka;
};

struct rd_kafka_topic_s {
    rd_kafka_t *kafka;
};

struct assigned {
    bool mine;
    bool paused;
    bool end_told;    /* since the position last changed */
    int64_t position; /* -1: unknown, where the group never committed */
};

struct rd_kafka_s {
    struct rd_kafka_conf_s conf;
    struct process *process;
    rd_kafka_t *next;
    struct rd_kafka_queue_s queue;
    struct rd_kafka_topic_s topic;
    bool consumes;

    /* producers */
    struct outgoing *queued;
    size_t queued_count;
    size_t queued_capacity;
    struct flight *flights; /* oldest first */
    size_t unreported;
    int64_t told_last[PARTITION_COUNT]; /* the highest offset reported; -1: none */
    struct kafka_event *events;         /* waiting to be polled, oldest first */
    bool fatal;
    bool yielded;

    /* consumers */
    struct assigned assigned[PARTITION_COUNT];
    bool subscribed;
    bool lost; /* thrown out of the group, and does not know yet */
    rd_kafka_topic_partition_list_t *commit_list; /* an asynchronous commit without its report */
    rd_kafka_resp_err_t commit_error;
};

/* All that exist. */
rd_kafka_t *kafka_first(void);
void kafka_start(void);

/* Moves a producer on: sends a batch, or reports one. False: it has nothing to do. */
bool kafka_producer_step(rd_kafka_t *kafka);
bool kafka_producer_at_rest(const rd_kafka_t *kafka);
void kafka_producer_break(rd_kafka_t *kafka);
/* What is on its way to brokers without anybody waiting for it arrives, or not. */
void kafka_strays_step(void);
bool kafka_has_strays(void);

void kafka_producers_start(void);
/* Whether it is grpc-server's, and not the one of dead letters. */
bool kafka_is_publisher(const rd_kafka_t *kafka);
/* The producer's newest event; it is filled by the caller. */
struct kafka_event *kafka_event_add(rd_kafka_t *kafka);
/* Calls the callbacks for all that waits; returns how often. */
int kafka_events_tell(rd_kafka_t *kafka);
int kafka_letters_tell(rd_kafka_t *kafka);
/* Errors that nobody heard of. */
void kafka_events_drop(rd_kafka_t *kafka);

/* ---- the group of the consumers ---- */
void group_start(void);
void group_join(rd_kafka_t *kafka);
bool group_has(const rd_kafka_t *kafka);
void group_leave(rd_kafka_t *kafka);
/* Throws a member out that was silent for too long. */
void group_throw_out(rd_kafka_t *kafka);
/* Shares the partitions out anew. */
void group_shuffle(void);
bool group_wants(const rd_kafka_t *kafka, int32_t partition);
/* NULL: nobody has it at the moment. */
rd_kafka_t *group_owner(int32_t partition);
void group_give(int32_t partition, rd_kafka_t *kafka);

#endif
