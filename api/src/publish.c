/* SPDX-License-Identifier: Apache-2.0 */
#include "publish.h"

#include "lanes.h"
#include "link.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/failpoint.h"
#include "mesh/log.h"
#include "mesh/metrics.h"
#include "outbox.h"
#include "wire.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct publish {
    struct link *link;
    int64_t down_us_max;
    int64_t reply_us_max;

    pthread_mutex_t mutex; /* guards outbox, all jobs, and the four below */
    struct outbox outbox;
    bool up;
    bool sending; /* somebody fills `parts` and sends them */
    bool closed;  /* no job is taken any more */
    int64_t down_since_us;

    /* Whoever set `sending` owns these until link_send() returns. */
    struct mesh_bytes parts[1 + MESH_EVENT_COUNT_MAX];
    uint8_t sequence[WIRE_SEQUENCE_SIZE_MAX];

    struct mesh_metric *batch_events;
    struct mesh_metric *gathered;
    struct mesh_metric *roundtrip;
    struct mesh_metric *stream_up;
    struct mesh_metric *reconnects;
};

static_assert(OUTBOX_IN_FLIGHT_MAX <= LANES_MAX, "a message in flight has a lane");

/* Takes a message and sends it. Mutex held, but not while sending. */
static bool send_next(struct publish *publish)
{
    struct outbox_message *message = outbox_take(&publish->outbox, mesh_clock_mono_us());
    if (message == NULL) {
        return false;
    }
    /* The jobs' bytes stay where they are as long as the message exists, which may end with the
     * reply: hence the views are taken here, and a reply cannot come before link_send(). */
    outbox_parts(message, publish->parts + 1);
    publish->parts[0] =
        mesh_bytes_of(publish->sequence, wire_write_sequence(publish->sequence, message->sequence));
    size_t count = 1 + message->segment_count;
    size_t event_count = message->event_count;
    int64_t gathered_us = message->gathered_us;
    publish->sending = true;
    link_reserve(publish->link);
    pthread_mutex_unlock(&publish->mutex);

    mesh_metric_observe(publish->batch_events, event_count);
    mesh_metric_observe_us(publish->gathered, gathered_us);
    MESH_FAILPOINT("api_before_send");
    link_send(publish->link, publish->parts, count);
    MESH_FAILPOINT("api_after_send");

    pthread_mutex_lock(&publish->mutex);
    publish->sending = false;
    return true;
}

/* Sends what waits, unless somebody else is about to. Enters with the mutex held, leaves without
 * it. */
static void pump_and_unlock(struct publish *publish)
{
    while (publish->up && !publish->sending && send_next(publish)) {
    }
    pthread_mutex_unlock(&publish->mutex);
}

/* Calls done for jobs that have finished, then gives them up. */
static void report(struct publish *publish, struct outbox_jobs *finished)
{
    struct publish_job *job;
    if (TAILQ_EMPTY(finished)) {
        return;
    }
    TAILQ_FOREACH(job, finished, entry)
    {
        job->done(job);
    }
    pthread_mutex_lock(&publish->mutex);
    while ((job = TAILQ_FIRST(finished)) != NULL) {
        TAILQ_REMOVE(finished, job, entry);
        outbox_drop(job);
    }
    pthread_mutex_unlock(&publish->mutex);
}

static void on_up(void *arg)
{
    struct publish *publish = arg;
    mesh_metric_set(publish->stream_up, 1);
    pthread_mutex_lock(&publish->mutex);
    publish->up = true;
    pump_and_unlock(publish);
}

static void on_closing(void *arg)
{
    struct publish *publish = arg;
    mesh_metric_set(publish->stream_up, 0);
    pthread_mutex_lock(&publish->mutex);
    if (publish->up) {
        publish->up = false;
        publish->down_since_us = mesh_clock_mono_us();
    }
    pthread_mutex_unlock(&publish->mutex);
}

static void on_down(void *arg)
{
    struct publish *publish = arg;
    mesh_metric_add(publish->reconnects, 1);
    pthread_mutex_lock(&publish->mutex);
    assert(!publish->up);
    outbox_broken(&publish->outbox);
    pthread_mutex_unlock(&publish->mutex);
}

static bool on_reply(void *arg, struct mesh_bytes message)
{
    struct publish *publish = arg;
    MESH_FAILPOINT("api_replied_before_answer");
    Tweetmesh__V1__PublishReply *reply =
        tweetmesh__v1__publish_reply__unpack(NULL, message.size, message.data);
    if (reply == NULL) {
        return false;
    }
    struct outbox_jobs finished = TAILQ_HEAD_INITIALIZER(finished);
    int64_t sent_us = 0;
    pthread_mutex_lock(&publish->mutex);
    int64_t now_us = mesh_clock_mono_us();
    bool good = outbox_reply(&publish->outbox, reply, now_us, &finished, &sent_us);
    /* Events gather while messages are on their way; now there is one less. */
    pump_and_unlock(publish);
    tweetmesh__v1__publish_reply__free_unpacked(reply, NULL);
    if (good) {
        mesh_metric_observe_us(publish->roundtrip, now_us - sent_us);
        report(publish, &finished);
    }
    return good;
}

static bool down_too_long(const struct publish *publish)
{
    return !publish->up && mesh_clock_mono_us() - publish->down_since_us > publish->down_us_max;
}

/* Messages keep the bytes of requests that were long answered; so a server that reads and never
 * answers must not keep the stream. */
static bool stalled(const struct publish *publish)
{
    int64_t oldest_us = outbox_oldest_us(&publish->outbox);
    return oldest_us > 0 && mesh_clock_mono_us() - oldest_us > publish->reply_us_max;
}

static bool on_tick(void *arg)
{
    struct publish *publish = arg;
    struct outbox_jobs finished = TAILQ_HEAD_INITIALIZER(finished);
    pthread_mutex_lock(&publish->mutex);
    if (down_too_long(publish)) {
        outbox_withdraw_waiting(&publish->outbox, &finished);
    }
    bool good = !stalled(publish);
    pump_and_unlock(publish); /* messages in flight get old, and hold nothing back any more */
    report(publish, &finished);
    return good;
}

struct publish *publish_new(const struct publish_options *options, struct mesh_error *err)
{
    assert(options->target.address != NULL);
    struct publish *publish = mesh_new(struct publish);
    pthread_mutex_init(&publish->mutex, NULL);
    outbox_init(&publish->outbox);
    publish->down_us_max = (int64_t)options->down_ms_max * 1000;
    publish->reply_us_max = (int64_t)options->reply_ms_max * 1000;
    publish->down_since_us = mesh_clock_mono_us();
    publish->batch_events =
        mesh_histogram_count("tweetmesh_publish_batch_events", NULL, "Events in a gRPC message.");
    publish->gathered =
        mesh_histogram_seconds("tweetmesh_publish_gathered_seconds", NULL,
                               "For how long a gRPC message waited for others to come with it.");
    publish->roundtrip = mesh_histogram_seconds("tweetmesh_publish_roundtrip_seconds", NULL,
                                                "From sending a gRPC message to its reply.");
    publish->stream_up =
        mesh_gauge("tweetmesh_stream_up", NULL, "1 while the stream to grpc-server is up.");
    publish->reconnects = mesh_counter("tweetmesh_stream_reconnects_total", NULL,
                                       "Streams to grpc-server that have ended.");
    /* The link's thread may call us before link_new() has returned. */
    pthread_mutex_lock(&publish->mutex);
    publish->link = link_new(&options->target,
                             &(struct link_handler){.arg = publish,
                                                    .up = on_up,
                                                    .reply = on_reply,
                                                    .closing = on_closing,
                                                    .down = on_down,
                                                    .tick = on_tick},
                             err);
    pthread_mutex_unlock(&publish->mutex);
    if (publish->link == NULL) {
        publish_free(publish);
        return NULL;
    }
    return publish;
}

enum mesh_code publish_submit(struct publish *publish, struct publish_job *job)
{
    pthread_mutex_lock(&publish->mutex);
    if (publish->closed || down_too_long(publish)) {
        pthread_mutex_unlock(&publish->mutex);
        return MESH_UNAVAILABLE;
    }
    outbox_add(&publish->outbox, job, mesh_clock_mono_us());
    pump_and_unlock(publish);
    return MESH_OK;
}

int64_t publish_flush(struct publish *publish)
{
    pthread_mutex_lock(&publish->mutex);
    int64_t due_us = publish->up && !publish->sending ? outbox_due_us(&publish->outbox) : 0;
    int64_t wait_us = due_us == 0 ? -1 : due_us - mesh_clock_mono_us();
    if (due_us == 0 || wait_us > 0) {
        pthread_mutex_unlock(&publish->mutex);
        return wait_us;
    }
    pump_and_unlock(publish);
    return -1;
}

bool publish_withdraw(struct publish *publish, struct publish_job *job)
{
    pthread_mutex_lock(&publish->mutex);
    bool withdrawn = outbox_withdraw(&publish->outbox, job);
    if (withdrawn) {
        outbox_drop(job);
    }
    pthread_mutex_unlock(&publish->mutex);
    return withdrawn;
}

int64_t publish_oldest_us(struct publish *publish)
{
    pthread_mutex_lock(&publish->mutex);
    int64_t oldest_us = outbox_oldest_job_us(&publish->outbox);
    pthread_mutex_unlock(&publish->mutex);
    return oldest_us;
}

bool publish_ready(const struct publish *publish)
{
    return mesh_metric_value(publish->stream_up) == 1 && link_serving(publish->link);
}

void publish_status(struct publish *publish, struct mesh_buffer *members)
{
    pthread_mutex_lock(&publish->mutex);
    size_t in_flight = publish->outbox.in_flight_count;
    bool up = publish->up;
    pthread_mutex_unlock(&publish->mutex);
    mesh_buffer_add_format(members,
                           "\"stream_up\": %s, \"grpc_server_serving\": %s, "
                           "\"messages_in_flight\": %zu, ",
                           up ? "true" : "false", link_serving(publish->link) ? "true" : "false",
                           in_flight);
}

void publish_free(struct publish *publish)
{
    if (publish == NULL) {
        return;
    }
    struct outbox_jobs finished = TAILQ_HEAD_INITIALIZER(finished);
    pthread_mutex_lock(&publish->mutex);
    publish->closed = true;
    pthread_mutex_unlock(&publish->mutex);
    link_free(publish->link);
    pthread_mutex_lock(&publish->mutex);
    outbox_withdraw_all(&publish->outbox, &finished);
    pthread_mutex_unlock(&publish->mutex);
    report(publish, &finished);
    pthread_mutex_destroy(&publish->mutex);
    free(publish);
}
