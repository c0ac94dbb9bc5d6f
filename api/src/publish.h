/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish: hands the events of requests to grpc-server over one bidirectional stream, in messages
 * that form by themselves: whatever gathers while a message is on its way is the next one, and
 * what is about to come may be waited for (gather.h).
 *
 * Threads: publish_submit(), publish_flush() and publish_withdraw() from any thread; none blocks. A
 * submitter that finds no message on its way sends itself, so that an event alone needs no wake-up;
 * else the completion-queue thread sends when the send before has ended or a reply has come.
 */
#ifndef API_PUBLISH_H
#define API_PUBLISH_H

#include "events.h"
#include "mesh/error.h"
#include "rpc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* The events of one request on their way. Lives in its request. */
struct publish_job {
    struct events *events; /* at least one that events_sends() */
    /* The outcomes are in. Called once, on any thread, without locks; never from within
     * publish_submit(). Not called after publish_withdraw() returned true. */
    void (*done)(struct publish_job *job);
    /* publish will not touch the job again. Called once, after done or publish_withdraw(), on any
     * thread, perhaps with publish's lock held: must not call publish. */
    void (*release)(struct publish_job *job);
    /* publish's, guarded by its mutex */
    TAILQ_ENTRY(publish_job) entry; /* among the waiting, or the finished */
    int64_t submitted_us;
    size_t next_event; /* the first that is in no message yet */
    size_t sent_end;   /* events below it were handed to some stream */
    size_t open;       /* events without an outcome */
    size_t holds;      /* segments of messages, and the list of the waiting */
    bool finished;
};

struct publish;

struct publish_options {
    struct rpc_target target; /* read during publish_new() */
    uint32_t down_ms_max;     /* without a stream for longer, jobs are refused at once */
    uint32_t reply_ms_max;    /* a message without an answer for longer breaks the stream */
};

/* Starts connecting and the completion-queue thread. The caller owns the result. NULL on failure
 * with *err filled in. */
MESH_MUST_CHECK
struct publish *publish_new(const struct publish_options *options, struct mesh_error *err);

/* Takes a job. UNAVAILABLE: no stream for too long; then nothing was taken and neither done nor
 * release will be called. */
MESH_MUST_CHECK
enum mesh_code publish_submit(struct publish *publish, struct publish_job *job);

/* To be called by a thread that has submitted jobs or was told of their end, before it sleeps:
 * what waits for others to come with it is sent when it has waited for long enough. Returns after
 * how many microseconds to call again if nothing happens; -1: no need. */
int64_t publish_flush(struct publish *publish);

/* Ends a job now: events without an outcome get DEADLINE_EXCEEDED if they were ever sent, else
 * UNAVAILABLE. False: it is finished already, done() was or will be called. */
MESH_MUST_CHECK
bool publish_withdraw(struct publish *publish, struct publish_job *job);

/* When the oldest job without all its outcomes was submitted (monotonic); 0: there is none. */
int64_t publish_oldest_us(struct publish *publish);
/* Whether the stream is up and grpc-server says it is serving. */
bool publish_ready(const struct publish *publish);
/* Levels for /status. */
void publish_status(struct publish *publish, struct mesh_buffer *members);

/* Ends what is still open as publish_withdraw() does, calls done, and stops. Accepts NULL. */
void publish_free(struct publish *publish);

#endif
