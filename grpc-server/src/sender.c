/* SPDX-License-Identifier: Apache-2.0 */
#include "sender.h"

#include "mesh/alloc.h"
#include "mesh/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum {
    /* One request to Kafka, which takes no more than 1 MB: what is beyond would have to wait for
     * its answer inside librdkafka. */
    TOGETHER_BYTES_MAX = 900000,
    EVENT_BYTES_MORE = 160, /* headers and frame of a record */
    /* Where some events wait for a broker that is gone, others go on after so long. */
    TOGETHER_MS_MAX = 100
};

struct sender {
    struct sender_options options;
    pthread_t thread;

    pthread_mutex_t mutex; /* guards what follows */
    struct publication_batch *first;
    struct publication_batch **end;
    size_t len; /* events */
    bool idle;  /* the thread found nothing to send, and must be woken */

    uint32_t flush_ms; /* set before it is told to stop */
    atomic_bool stopping;
};

static size_t batch_bytes(const struct publication_batch *batch)
{
    size_t bytes = 0;

    for (size_t i = 0; i < batch->count; i++) {
        bytes += batch->at[i].value.size + EVENT_BYTES_MORE;
    }
    return bytes;
}

/* Mutex held. Takes batches for one request; at least one, of those that wait. */
static struct publication_batch *batches_take(struct sender *sender)
{
    struct publication_batch *taken = sender->first;
    struct publication_batch **end = &sender->first;
    size_t bytes = 0;

    while (*end != NULL) {
        size_t more = batch_bytes(*end);
        if (bytes > 0 && bytes + more > TOGETHER_BYTES_MAX) {
            break;
        }
        bytes += more;
        sender->len -= (*end)->count;
        end = &(*end)->next;
    }
    sender->first = *end;
    if (*end == NULL) {
        sender->end = &sender->first;
    }
    *end = NULL;
    return taken;
}

/* A batch that is added from now on wakes the thread. */
static bool nothing_to_send(struct sender *sender)
{
    pthread_mutex_lock(&sender->mutex);
    sender->idle = sender->first == NULL && !atomic_load(&sender->stopping);
    bool idle = sender->idle;
    pthread_mutex_unlock(&sender->mutex);
    return idle;
}

static void sender_poll(struct sender *sender, int timeout_ms)
{
    (void)rd_kafka_poll(sender->options.kafka, timeout_ms);
    sender->options.polled(sender->options.arg);
}

/* Reports of what went before come in meanwhile; librdkafka's waits are in whole milliseconds. */
static void linger(struct sender *sender)
{
    int64_t until_us = mesh_clock_mono_us() + sender->options.linger_us;
    int64_t left_us = sender->options.linger_us;

    for (; left_us >= 1000; left_us = until_us - mesh_clock_mono_us()) {
        sender_poll(sender, (int)(left_us / 1000));
    }
    if (left_us > 0) {
        const struct timespec pause = {.tv_nsec = (long)left_us * 1000};
        nanosleep(&pause, NULL);
    }
}

/* Waits for batches, and for reports of those that took too long. NULL: it is time to end, and none
 * is left. */
static struct publication_batch *batches_await(struct sender *sender)
{
    struct publication_batch *taken = NULL;

    /* A wake-up that comes before the poll ends it all the same, and those too many only cost a
     * look. */
    while (nothing_to_send(sender)) {
        sender_poll(sender, -1);
    }
    if (sender->options.linger_us > 0 && !atomic_load(&sender->stopping)) {
        linger(sender);
    }
    pthread_mutex_lock(&sender->mutex);
    if (sender->first != NULL) {
        taken = batches_take(sender);
    }
    pthread_mutex_unlock(&sender->mutex);
    return taken;
}

/* False: not all is reported. */
static bool sender_flush(struct sender *sender, int timeout_ms)
{
    rd_kafka_resp_err_t code = rd_kafka_flush(sender->options.kafka, timeout_ms);

    sender->options.polled(sender->options.arg);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void *sender_run(void *arg)
{
    struct sender *sender = arg;
    struct publication_batch *next = NULL;

    for (struct publication_batch *batch = batches_await(sender); batch != NULL;
         batch = batches_await(sender)) {
        for (; batch != NULL; batch = next) {
            next = batch->next; /* the batch may be gone once it is sent */
            sender->options.send(sender->options.arg, batch);
        }
        if (!atomic_load(&sender->stopping)) { /* else all that is left goes together */
            (void)sender_flush(sender, TOGETHER_MS_MAX);
        }
    }
    if (!sender_flush(sender, (int)sender->flush_ms)) {
        (void)rd_kafka_purge(sender->options.kafka,
                             RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        /* Purged events are reported at once; whoever waits for one must get its answer. */
        (void)sender_flush(sender, -1);
    }
    return NULL;
}

struct sender *sender_new(const struct sender_options *options, struct mesh_error *err)
{
    struct sender *sender = mesh_new(struct sender);

    sender->options = *options;
    sender->end = &sender->first;
    pthread_mutex_init(&sender->mutex, NULL);
    if (pthread_create(&sender->thread, NULL, sender_run, sender) != 0) {
        mesh_fail(err, MESH_RESOURCE_EXHAUSTED, "cannot start the thread that sends to Kafka");
        pthread_mutex_destroy(&sender->mutex);
        free(sender);
        return NULL;
    }
    pthread_setname_np(sender->thread, "sender");
    return sender;
}

bool sender_add(struct sender *sender, struct publication_batch *batch)
{
    pthread_mutex_lock(&sender->mutex);
    bool room = sender->len < sender->options.queue_len_max;
    if (room) {
        batch->next = NULL;
        *sender->end = batch;
        sender->end = &batch->next;
        sender->len += batch->count;
    }
    bool idle = sender->idle;
    pthread_mutex_unlock(&sender->mutex);
    if (room && idle) {
        rd_kafka_queue_yield(sender->options.queue);
    }
    return room;
}

size_t sender_len(struct sender *sender)
{
    pthread_mutex_lock(&sender->mutex);
    size_t len = sender->len;
    pthread_mutex_unlock(&sender->mutex);
    return len;
}

void sender_free(struct sender *sender, uint32_t flush_ms)
{
    if (sender == NULL) {
        return;
    }
    sender->flush_ms = flush_ms;
    atomic_store(&sender->stopping, true);
    rd_kafka_queue_yield(sender->options.queue);
    pthread_join(sender->thread, NULL);
    pthread_mutex_destroy(&sender->mutex);
    free(sender);
}
