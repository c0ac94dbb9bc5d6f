/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox: jobs that wait, the messages made of them, and the messages without an answer.
 *
 * Knows no gRPC and no lock: publish guards it with its mutex.
 */
#ifndef API_OUTBOX_H
#define API_OUTBOX_H

#include "gather.h"
#include "publish.h"
#include "tweetmesh/v1/ingest.pb-c.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define OUTBOX_MESSAGE_BYTES_MAX 3145728 /* grpc-server takes 4 MiB */
#define OUTBOX_IN_FLIGHT_MAX 64          /* messages without an answer */
/* With so many messages on their way, events gather for the next one until a reply comes. Only when
 * for so long there was no reply, and no message either, one more goes; and those that others have
 * overtaken do not count: a partition without a leader keeps back its own messages only, and a slow
 * way to Kafka is filled. */
#define OUTBOX_HOPEFUL_MAX 1
#define OUTBOX_FULL_MAX 4 /* the same, when the next one is full */
#define OUTBOX_HOPE_US 10000

TAILQ_HEAD(outbox_jobs, publish_job);

/* A run of events of one job. */
struct outbox_segment {
    struct publish_job *job;
    size_t first;
    size_t end;
};

struct outbox_message {
    TAILQ_ENTRY(outbox_message) entry;
    uint64_t sequence;
    int64_t sent_us;
    int64_t gathered_us; /* that it has waited for the crowd */
    size_t event_count;  /* that are sent: without those refused here */
    bool resent;         /* an earlier stream may have delivered it */
    size_t segment_count;
    struct outbox_segment segments[];
};

TAILQ_HEAD(outbox_messages, outbox_message);

struct outbox {
    struct outbox_jobs waiting;
    size_t waiting_jobs;
    size_t waiting_count; /* their events that are in no message yet */
    struct gather gather;
    struct outbox_messages resend;    /* broken streams left these without an answer */
    struct outbox_messages in_flight; /* on the present stream, oldest first */
    size_t in_flight_count;
    int64_t replied_us; /* when the last reply came */
    uint64_t replied;   /* the highest sequence that has its reply */
    struct outbox_message *by_sequence[OUTBOX_IN_FLIGHT_MAX]; /* sequence % OUTBOX_IN_FLIGHT_MAX */
    uint64_t sequence;                                        /* the last one given */
    struct outbox_segment scratch[MESH_EVENT_COUNT_MAX];
};

void outbox_init(struct outbox *outbox);
/* Queues a job. */
void outbox_add(struct outbox *outbox, struct publish_job *job, int64_t now_us);
/* The next message to send, now in flight; NULL: nothing waits, it gathers, or too much is in
 * flight. To be asked after each change, and every few milliseconds while something is in flight.
 * The message stays the outbox's. */
struct outbox_message *outbox_take(struct outbox *outbox, int64_t now_us);
/* When outbox_take() is to be asked again though nothing else has happened, because what waits then
 * no longer waits for the crowd (gather.h); 0: that is not what it waits for. */
int64_t outbox_due_us(const struct outbox *outbox);
/* Views of a message's wire bytes, one per segment, in parts[0..segment_count). */
void outbox_parts(const struct outbox_message *message, struct mesh_bytes *parts);

/* Applies a reply; finished jobs are added to *finished. The message ends. False: the reply cannot
 * be right; *out_sent_us untouched. */
MESH_MUST_CHECK
bool outbox_reply(struct outbox *outbox, const Tweetmesh__V1__PublishReply *reply, int64_t now_us,
                  struct outbox_jobs *finished, int64_t *out_sent_us);

/* When the oldest job that is not finished was added; 0: there is none. */
int64_t outbox_oldest_job_us(const struct outbox *outbox);
/* When the oldest message without an answer was sent; 0: there is none. */
int64_t outbox_oldest_us(const struct outbox *outbox);
/* The stream broke: what is in flight waits for the next one, ahead of all else. */
void outbox_broken(struct outbox *outbox);
/* Ends a job, see publish_withdraw(). */
bool outbox_withdraw(struct outbox *outbox, struct publish_job *job);
/* Withdraws jobs of which nothing was sent, or all jobs; they are added to *finished, and messages
 * end with them. */
void outbox_withdraw_waiting(struct outbox *outbox, struct outbox_jobs *finished);
void outbox_withdraw_all(struct outbox *outbox, struct outbox_jobs *finished);
/* Gives up a job that is finished and whose done was called, or that was withdrawn: it is released
 * once no message points to it any more. */
void outbox_drop(struct publish_job *job);

#endif
