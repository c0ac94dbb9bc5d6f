/* SPDX-License-Identifier: Apache-2.0 */
#include "consumer.h"

#include "loop.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"

#include <pthread.h>
#include <stdlib.h>

struct consumer {
    const struct config *config;
    struct loop *loop;
    struct loop_levels levels;
    pthread_t thread;
    bool thread_started;
    atomic_bool stopping;
    int64_t drain_until_us; /* written before .stopping is set */
};

/* Whether the thread may end: nothing is left that can be done, or no time to do it. For a server
 * that is away nobody waits: whoever reads the partitions next does the rest. */
static bool drained(const struct consumer *consumer)
{
    const struct loop_levels *levels = &consumer->levels;
    bool to_archive = atomic_load(&levels->in_hand) > 0 && atomic_load(&levels->mongodb);
    bool to_settle = atomic_load(&levels->unsettled) > 0 && atomic_load(&levels->redis);

    return (!to_archive && !to_settle) || mesh_clock_mono_us() > consumer->drain_until_us;
}

static void *run(void *arg)
{
    struct consumer *consumer = arg;

    while (!atomic_load(&consumer->stopping)) {
        loop_round(consumer->loop, false);
    }
    while (!drained(consumer)) {
        loop_round(consumer->loop, true);
    }
    return NULL;
}

struct consumer *consumer_new(const struct config *config, const struct mesh_streams *streams,
                              struct mesh_error *err)
{
    struct consumer *consumer = mesh_new(struct consumer);

    consumer->config = config;
    consumer->loop = loop_new(config, streams, &consumer->levels, err);
    if (consumer->loop == NULL) {
        goto fail;
    }
    if (pthread_create(&consumer->thread, NULL, run, consumer) != 0) {
        mesh_fail(err, MESH_INTERNAL, "cannot start a thread");
        goto fail;
    }
    consumer->thread_started = true;
    return consumer;

fail:
    consumer_free(consumer);
    return NULL;
}

bool consumer_is_ready(void *arg, struct mesh_buffer *reason)
{
    const struct consumer *consumer = arg;
    const char *trouble = loop_levels_trouble(&consumer->levels);

    if (trouble != NULL) {
        mesh_buffer_add_text(reason, trouble);
    }
    return trouble == NULL;
}

static const char *truth(const atomic_bool *value)
{
    return atomic_load(value) ? "true" : "false";
}

void consumer_status(void *arg, struct mesh_buffer *members)
{
    const struct consumer *consumer = arg;
    const struct loop_levels *levels = &consumer->levels;

    mesh_buffer_add_format(members,
                           "\"partitions\":%zu,\"in_hand\":%zu,\"unsettled\":%zu,"
                           "\"topics_changed\":%zu,\"kafka\":%s,\"joined\":%s,"
                           "\"mongodb\":%s,\"redis\":%s,",
                           atomic_load(&levels->partitions), atomic_load(&levels->in_hand),
                           atomic_load(&levels->unsettled), atomic_load(&levels->topics_changed),
                           truth(&levels->kafka), truth(&levels->joined), truth(&levels->mongodb),
                           truth(&levels->redis));
}

void consumer_free(struct consumer *consumer)
{
    if (consumer == NULL) {
        return;
    }
    if (consumer->thread_started) {
        consumer->drain_until_us =
            mesh_clock_mono_us() + (int64_t)consumer->config->drain_ms_max * 1000;
        atomic_store(&consumer->stopping, true);
        loop_interrupt(consumer->loop);
        (void)pthread_join(consumer->thread, NULL);
    }
    loop_free(consumer->loop);
    free(consumer);
}
