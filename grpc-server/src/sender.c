/* SPDX-License-Identifier: Apache-2.0 */
#include "sender.h"

#include "mesh/alloc.h"

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
    TOGETHER_MS_MAX = 100,
    IDLE_S_MAX = 3600
};

struct sender {
    struct sender_options options;
    pthread_t thread;

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t wake;
    struct publication_batch *first;
    struct publication_batch **end;
    size_t len; /* events */
    bool idle;  /* the thread waits for batches */

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

/* Waits for batches. NULL: it is time to end, and none is left. */
static struct publication_batch *batches_await(struct sender *sender)
{
    struct publication_batch *taken = NULL;
    struct timespec until;

    pthread_mutex_lock(&sender->mutex);
    while (sender->first == NULL && !atomic_load(&sender->stopping)) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += IDLE_S_MAX;
        sender->idle = true;
        (void)pthread_cond_timedwait(&sender->wake, &sender->mutex, &until);
        sender->idle = false;
    }
    if (sender->options.linger_us > 0 && !atomic_load(&sender->stopping)) {
        const struct timespec pause = {.tv_sec = sender->options.linger_us / 1000000,
                                       .tv_nsec = sender->options.linger_us % 1000000 * 1000L};
        pthread_mutex_unlock(&sender->mutex);
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&sender->mutex);
    }
    if (sender->first != NULL) {
        taken = batches_take(sender);
    }
    pthread_mutex_unlock(&sender->mutex);
    return taken;
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
        if (!atomic_load(&sender->stopping)) { /* else the owner flushes, as long as it may */
            (void)rd_kafka_flush(sender->options.kafka, TOGETHER_MS_MAX);
        }
    }
    return NULL;
}

struct sender *sender_new(const struct sender_options *options, struct mesh_error *err)
{
    struct sender *sender = mesh_new(struct sender);
    pthread_condattr_t monotonic;

    sender->options = *options;
    sender->end = &sender->first;
    pthread_mutex_init(&sender->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&sender->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&sender->thread, NULL, sender_run, sender) != 0) {
        mesh_fail(err, MESH_RESOURCE_EXHAUSTED, "cannot start the thread that sends to Kafka");
        pthread_cond_destroy(&sender->wake);
        pthread_mutex_destroy(&sender->mutex);
        free(sender);
        return NULL;
    }
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
        pthread_cond_signal(&sender->wake);
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

void sender_free(struct sender *sender)
{
    if (sender == NULL) {
        return;
    }
    pthread_mutex_lock(&sender->mutex);
    atomic_store(&sender->stopping, true);
    pthread_cond_signal(&sender->wake);
    pthread_mutex_unlock(&sender->mutex);
    pthread_join(sender->thread, NULL);
    pthread_cond_destroy(&sender->wake);
    pthread_mutex_destroy(&sender->mutex);
    free(sender);
}
