/* SPDX-License-Identifier: Apache-2.0 */
#include "offsets.h"

#include "mesh/alloc.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

/* A partition's number beyond this is not remembered, and its offsets are not believed. */
enum { PARTITION_COUNT_MAX = 65536 };

struct partition {
    int64_t last;     /* highest believed; -1: none yet */
    int64_t run_next; /* what follows in a run that began below zero */
};

struct topic {
    struct partition *partitions;
    size_t count;
};

struct offsets {
    pthread_mutex_t mutex; /* guards everything below */
    struct topic *topics;
    size_t topic_count;
};

struct offsets *offsets_new(size_t topic_count)
{
    struct offsets *offsets = mesh_new(struct offsets);

    pthread_mutex_init(&offsets->mutex, NULL);
    offsets->topics = mesh_new_array(struct topic, topic_count);
    offsets->topic_count = topic_count;
    return offsets;
}

void offsets_lock(struct offsets *offsets)
{
    pthread_mutex_lock(&offsets->mutex);
}

void offsets_unlock(struct offsets *offsets)
{
    pthread_mutex_unlock(&offsets->mutex);
}

static struct partition *partition_of(struct topic *topic, size_t index)
{
    if (index >= topic->count) {
        size_t count = index + 1;
        topic->partitions = mesh_realloc(topic->partitions, count * sizeof *topic->partitions);
        for (size_t i = topic->count; i < count; i++) {
            topic->partitions[i] = (struct partition){.last = -1, .run_next = INT64_MIN};
        }
        topic->count = count;
    }
    return &topic->partitions[index];
}

static int64_t believe(struct partition *partition, int64_t offset)
{
    if (offset < 0 || offset == partition->run_next) {
        partition->run_next = offset + 1;
        return -1;
    }
    partition->run_next = INT64_MIN;
    if (offset <= partition->last) {
        return -1;
    }
    partition->last = offset;
    return offset;
}

int64_t offsets_believe(struct offsets *offsets, size_t topic, int32_t partition, int64_t offset)
{
    assert(topic < offsets->topic_count);

    if (partition < 0 || partition >= PARTITION_COUNT_MAX) {
        return -1;
    }
    return believe(partition_of(&offsets->topics[topic], (size_t)partition), offset);
}

void offsets_free(struct offsets *offsets)
{
    if (offsets == NULL) {
        return;
    }
    for (size_t i = 0; i < offsets->topic_count; i++) {
        free(offsets->topics[i].partitions);
    }
    free(offsets->topics);
    pthread_mutex_destroy(&offsets->mutex);
    free(offsets);
}
