/* SPDX-License-Identifier: Apache-2.0 */
#include "outbox.h"

#include "mesh/alloc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The code of an event that has no outcome yet; a code from the wire never becomes this. */
#define OPEN MESH_UNKNOWN

void outbox_init(struct outbox *outbox)
{
    memset(outbox, 0, sizeof(*outbox));
    TAILQ_INIT(&outbox->waiting);
    TAILQ_INIT(&outbox->resend);
    TAILQ_INIT(&outbox->in_flight);
}

/* A job has one hold for itself until outbox_drop(), so that it is not released before done was
 * called, and one for each segment that points to it. */
static void unhold(struct publish_job *job)
{
    assert(job->holds > 0);
    job->holds--;
    if (job->holds == 0) {
        job->release(job);
    }
}

void outbox_drop(struct publish_job *job)
{
    unhold(job);
}

void outbox_add(struct outbox *outbox, struct publish_job *job, int64_t now_us)
{
    struct events *events = job->events;
    job->submitted_us = now_us;
    job->next_event = 0;
    job->sent_end = 0;
    job->open = 0;
    job->finished = false;
    job->holds = 1;
    for (size_t i = 0; i < events->count; i++) {
        if (events_sends(events, i)) {
            events->at[i].code = OPEN;
            job->open++;
        }
    }
    assert(job->open > 0);
    outbox->waiting_count += job->open;
    outbox->waiting_jobs++;
    gather_arrived(&outbox->gather, now_us);
    TAILQ_INSERT_TAIL(&outbox->waiting, job, entry);
}

static struct outbox_message *message_new(const struct outbox_segment *segments, size_t count)
{
    struct outbox_message *message =
        mesh_alloc(sizeof(*message) + count * sizeof(message->segments[0]));
    *message = (struct outbox_message){.segment_count = count};
    memcpy(message->segments, segments, count * sizeof(segments[0]));
    return message;
}

static void message_free(struct outbox_message *message)
{
    for (size_t i = 0; i < message->segment_count; i++) {
        unhold(message->segments[i].job);
    }
    free(message);
}

/* What still fits into the message at hand. */
struct room {
    size_t events;
    size_t bytes;
};

/* Moves *end over the events of a job that fit. */
static void fill(struct publish_job *job, struct room *room)
{
    const struct events *events = job->events;
    size_t at = job->next_event;
    while (at < events->count) {
        size_t bytes = events->at[at].wire_end - events_wire_begin(events, at);
        if (bytes > 0) {
            if (room->events == 0 || bytes > room->bytes) {
                break;
            }
            room->events--;
            room->bytes -= bytes;
        }
        at++;
    }
    job->next_event = at;
}

static void waiting_remove(struct outbox *outbox, struct publish_job *job)
{
    TAILQ_REMOVE(&outbox->waiting, job, entry);
    outbox->waiting_jobs--;
}

static struct outbox_message *take_waiting(struct outbox *outbox, int64_t now_us)
{
    struct room room = {.events = MESH_EVENT_COUNT_MAX, .bytes = OUTBOX_MESSAGE_BYTES_MAX};
    size_t count = 0;
    struct publish_job *job = TAILQ_FIRST(&outbox->waiting);
    const int64_t first_us = job == NULL ? 0 : job->submitted_us;
    while ((job = TAILQ_FIRST(&outbox->waiting)) != NULL &&
           count < MESH_COUNT_OF(outbox->scratch)) {
        size_t first = job->next_event;
        fill(job, &room);
        if (job->next_event == first) {
            break;
        }
        outbox->scratch[count++] =
            (struct outbox_segment){.job = job, .first = first, .end = job->next_event};
        job->holds++;
        job->sent_end = job->next_event;
        if (job->next_event < job->events->count) {
            break;
        }
        waiting_remove(outbox, job);
    }
    if (count == 0) {
        return NULL;
    }
    struct outbox_message *message = message_new(outbox->scratch, count);
    message->event_count = MESH_EVENT_COUNT_MAX - room.events;
    outbox->waiting_count -= message->event_count;
    message->gathered_us = gather_left(&outbox->gather, count, first_us, now_us);
    return message;
}

/* The oldest message of broken streams without the jobs that have finished meanwhile. */
static struct outbox_message *take_resend(struct outbox *outbox)
{
    struct outbox_message *message;
    while ((message = TAILQ_FIRST(&outbox->resend)) != NULL) {
        TAILQ_REMOVE(&outbox->resend, message, entry);
        size_t kept = 0;
        message->event_count = 0;
        for (size_t i = 0; i < message->segment_count; i++) {
            struct outbox_segment segment = message->segments[i];
            if (segment.job->finished) {
                unhold(segment.job);
                continue;
            }
            for (size_t k = segment.first; k < segment.end; k++) {
                message->event_count += events_sends(segment.job->events, k);
            }
            message->segments[kept++] = segment;
        }
        message->segment_count = kept;
        message->resent = true;
        if (kept > 0) {
            return message;
        }
        free(message);
    }
    return NULL;
}

/* The messages on their way that none has overtaken, but no more than `enough`. One that was is
 * held up by a partition of its own. */
static size_t hopeful(const struct outbox *outbox, size_t enough)
{
    const struct outbox_message *message = TAILQ_LAST(&outbox->in_flight, outbox_messages);
    size_t count = 0;
    while (count < enough && message != NULL && message->sequence > outbox->replied) {
        count++;
        message = TAILQ_PREV(message, outbox_messages, entry);
    }
    return count;
}

int64_t outbox_due_us(const struct outbox *outbox)
{
    if (outbox->in_flight_count > 0 || outbox->waiting_jobs == 0 ||
        outbox->waiting_count >= MESH_EVENT_COUNT_MAX) {
        return 0;
    }
    return gather_until_us(&outbox->gather, outbox->waiting_jobs);
}

/* Whether what waits should grow first. A message costs about as much as four events, here and in
 * grpc-server, and small ones make small batches for Kafka. As long as replies come, more messages
 * would only move the queue to grpc-server, which needs memory for it, too. */
static bool gathers(const struct outbox *outbox, int64_t now_us)
{
    bool full = outbox->waiting_count >= MESH_EVENT_COUNT_MAX;
    size_t enough = full ? OUTBOX_FULL_MAX : OUTBOX_HOPEFUL_MAX;
    if (hopeful(outbox, enough) < enough) {
        return outbox_due_us(outbox) > now_us;
    }
    const struct outbox_message *last = TAILQ_LAST(&outbox->in_flight, outbox_messages);
    int64_t sign_us = last->sent_us > outbox->replied_us ? last->sent_us : outbox->replied_us;
    return now_us - sign_us < OUTBOX_HOPE_US;
}

struct outbox_message *outbox_take(struct outbox *outbox, int64_t now_us)
{
    if (outbox->in_flight_count == OUTBOX_IN_FLIGHT_MAX) {
        return NULL;
    }
    struct outbox_message *message = take_resend(outbox);
    if (message == NULL && !gathers(outbox, now_us)) {
        message = take_waiting(outbox, now_us);
    }
    if (message == NULL) {
        return NULL;
    }
    /* Replies come in any order, so a slot may still be taken by a slow one. */
    do {
        outbox->sequence++;
    } while (outbox->by_sequence[outbox->sequence % OUTBOX_IN_FLIGHT_MAX] != NULL);
    message->sequence = outbox->sequence;
    message->sent_us = now_us;
    outbox->by_sequence[message->sequence % OUTBOX_IN_FLIGHT_MAX] = message;
    TAILQ_INSERT_TAIL(&outbox->in_flight, message, entry);
    outbox->in_flight_count++;
    return message;
}

void outbox_parts(const struct outbox_message *message, struct mesh_bytes *parts)
{
    for (size_t i = 0; i < message->segment_count; i++) {
        const struct outbox_segment *segment = &message->segments[i];
        const struct events *events = segment->job->events;
        size_t begin = events_wire_begin(events, segment->first);
        parts[i] =
            mesh_bytes_of(events->wire.data + begin, events->at[segment->end - 1].wire_end - begin);
    }
}

static void finish(struct publish_job *job, struct outbox_jobs *finished)
{
    job->finished = true;
    TAILQ_INSERT_TAIL(finished, job, entry);
}

static enum mesh_code code_from_wire(uint32_t number)
{
    enum mesh_code code = number < MESH_CODE_COUNT ? (enum mesh_code)number : MESH_UNKNOWN;
    bool known = code == MESH_OK || code == MESH_INVALID_ARGUMENT || mesh_code_retryable(code);
    return known ? code : MESH_DEADLINE_EXCEEDED; /* nobody knows what became of it */
}

static void copy_reasons(const Tweetmesh__V1__PublishReply *reply, size_t column,
                         struct events *events, size_t index)
{
    for (size_t i = 0; i < reply->n_problems; i++) {
        const Tweetmesh__V1__Problem *from = reply->problems[i];
        if (from->index == column) {
            struct mesh_problem reason = {0};
            strncpy(reason.pointer, from->pointer, sizeof(reason.pointer) - 1);
            strncpy(reason.reason, from->reason, sizeof(reason.reason) - 1);
            events_refuse(events, index, &reason, 1);
        }
    }
}

static void apply(const Tweetmesh__V1__PublishReply *reply, size_t column, bool resent,
                  struct publish_job *job, size_t index)
{
    struct event *event = &job->events->at[index];
    event->code = code_from_wire(reply->codes[column]);
    if (resent && mesh_code_retryable(event->code)) {
        /* "Not stored" speaks of this time; the first time may have reached Kafka. */
        event->code = MESH_DEADLINE_EXCEEDED;
    }
    if (event->code == MESH_OK) {
        event->partition = reply->partitions[column];
        event->offset = reply->offsets[column];
    } else if (event->code == MESH_INVALID_ARGUMENT) {
        copy_reasons(reply, column, job->events, index);
    }
    job->open--;
}

/* Returns how many jobs have finished. */
static size_t apply_all(const struct outbox_message *message,
                        const Tweetmesh__V1__PublishReply *reply, struct outbox_jobs *finished)
{
    size_t column = 0;
    size_t count = 0;
    for (size_t i = 0; i < message->segment_count; i++) {
        const struct outbox_segment *segment = &message->segments[i];
        for (size_t k = segment->first; k < segment->end; k++) {
            if (events_sends(segment->job->events, k)) {
                if (!segment->job->finished) {
                    apply(reply, column, message->resent, segment->job, k);
                }
                column++;
            }
        }
        if (segment->job->open == 0 && !segment->job->finished) {
            finish(segment->job, finished);
            count++;
        }
    }
    return count;
}

bool outbox_reply(struct outbox *outbox, const Tweetmesh__V1__PublishReply *reply, int64_t now_us,
                  struct outbox_jobs *finished, int64_t *out_sent_us)
{
    size_t slot = reply->sequence % OUTBOX_IN_FLIGHT_MAX;
    struct outbox_message *message = outbox->by_sequence[slot];
    if (message == NULL || message->sequence != reply->sequence ||
        reply->n_codes != message->event_count || reply->n_partitions != message->event_count ||
        reply->n_offsets != message->event_count) {
        return false;
    }
    outbox->by_sequence[slot] = NULL;
    TAILQ_REMOVE(&outbox->in_flight, message, entry);
    outbox->in_flight_count--;
    outbox->replied_us = now_us;
    if (message->sequence > outbox->replied) {
        outbox->replied = message->sequence;
    }
    size_t answered = apply_all(message, reply, finished);
    if (outbox->in_flight_count == 0) {
        gather_replied(&outbox->gather, answered, outbox->waiting_jobs, now_us - message->sent_us,
                       now_us);
    }
    *out_sent_us = message->sent_us;
    message_free(message);
    return true;
}

/* When the first of a message's jobs that are not finished was submitted; 0: all are. */
static int64_t message_oldest_us(const struct outbox_message *message)
{
    for (size_t i = 0; i < message->segment_count; i++) {
        const struct publish_job *job = message->segments[i].job;
        if (!job->finished) {
            return job->submitted_us;
        }
    }
    return 0;
}

/* The same of a list of messages, oldest first. */
static int64_t oldest_job_us(const struct outbox_messages *messages)
{
    const struct outbox_message *message = TAILQ_FIRST(messages);

    while (message != NULL && message_oldest_us(message) == 0) {
        message = TAILQ_NEXT(message, entry);
    }
    return message == NULL ? 0 : message_oldest_us(message);
}

int64_t outbox_oldest_job_us(const struct outbox *outbox)
{
    int64_t oldest_us = oldest_job_us(&outbox->resend);
    if (oldest_us == 0) {
        oldest_us = oldest_job_us(&outbox->in_flight);
    }
    const struct publish_job *waiting = TAILQ_FIRST(&outbox->waiting);
    return oldest_us == 0 && waiting != NULL ? waiting->submitted_us : oldest_us;
}

int64_t outbox_oldest_us(const struct outbox *outbox)
{
    const struct outbox_message *oldest = TAILQ_FIRST(&outbox->in_flight);
    return oldest == NULL ? 0 : oldest->sent_us;
}

void outbox_broken(struct outbox *outbox)
{
    /* What was in flight is older than what was still to be resent. */
    TAILQ_CONCAT(&outbox->in_flight, &outbox->resend, entry);
    TAILQ_CONCAT(&outbox->resend, &outbox->in_flight, entry);
    memset(outbox->by_sequence, 0, sizeof(outbox->by_sequence));
    outbox->in_flight_count = 0;
}

static void settle_open(struct publish_job *job)
{
    struct events *events = job->events;
    for (size_t i = 0; i < events->count; i++) {
        if (events_sends(events, i) && events->at[i].code == OPEN) {
            events->at[i].code = i < job->sent_end ? MESH_DEADLINE_EXCEEDED : MESH_UNAVAILABLE;
        }
    }
    job->open = 0;
}

bool outbox_withdraw(struct outbox *outbox, struct publish_job *job)
{
    if (job->finished) {
        return false;
    }
    settle_open(job);
    if (job->next_event < job->events->count) {
        for (size_t i = job->next_event; i < job->events->count; i++) {
            outbox->waiting_count -= events_sends(job->events, i);
        }
        waiting_remove(outbox, job);
    }
    job->finished = true;
    return true;
}

void outbox_withdraw_waiting(struct outbox *outbox, struct outbox_jobs *finished)
{
    struct publish_job *job = TAILQ_FIRST(&outbox->waiting);
    while (job != NULL) {
        struct publish_job *next = TAILQ_NEXT(job, entry);
        if (job->sent_end == 0 && outbox_withdraw(outbox, job)) {
            TAILQ_INSERT_TAIL(finished, job, entry);
        }
        job = next;
    }
}

void outbox_withdraw_all(struct outbox *outbox, struct outbox_jobs *finished)
{
    outbox_broken(outbox);
    outbox_withdraw_waiting(outbox, finished);
    struct outbox_message *message;
    while ((message = TAILQ_FIRST(&outbox->resend)) != NULL) {
        TAILQ_REMOVE(&outbox->resend, message, entry);
        for (size_t i = 0; i < message->segment_count; i++) {
            struct publish_job *job = message->segments[i].job;
            if (outbox_withdraw(outbox, job)) {
                TAILQ_INSERT_TAIL(finished, job, entry);
            }
        }
        message_free(message);
    }
}
