/* SPDX-License-Identifier: Apache-2.0 */
#include "deadline.h"

#include "mesh/alloc.h"
#include "mesh/clock.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define TICK_US 50000
#define SLOT_COUNT 256 /* a power of two; what is further away goes round more than once */

struct deadlines {
    pthread_t thread;
    pthread_mutex_t mutex; /* guards all below and every armed deadline */
    pthread_cond_t wake;   /* an earlier tick was armed, or stop */
    struct deadline *slots[SLOT_COUNT];
    size_t armed;
    int64_t tick;      /* the next one to be looked at */
    int64_t wake_tick; /* what the thread sleeps for */
    bool stop;
};

static int64_t tick_of(int64_t at_us)
{
    return (at_us + TICK_US - 1) / TICK_US;
}

static void insert(struct deadlines *deadlines, struct deadline *deadline, int64_t tick)
{
    deadline->tick = tick < deadlines->tick ? deadlines->tick : tick;
    struct deadline **slot = &deadlines->slots[deadline->tick % SLOT_COUNT];
    deadline->next = *slot;
    deadline->link = slot;
    if (*slot != NULL) {
        (*slot)->link = &deadline->next;
    }
    *slot = deadline;
    deadlines->armed++;
}

static void take_out(struct deadlines *deadlines, struct deadline *deadline)
{
    *deadline->link = deadline->next;
    if (deadline->next != NULL) {
        deadline->next->link = deadline->link;
    }
    deadline->next = NULL;
    deadline->link = NULL;
    deadlines->armed--;
}

/* Calls what is due in the tick's slot. A deadline armed again goes to a later tick. */
static void run_tick(struct deadlines *deadlines, int64_t now_us)
{
    struct deadline *at = deadlines->slots[deadlines->tick % SLOT_COUNT];
    deadlines->tick++;
    while (at != NULL) {
        struct deadline *next = at->next;
        if (at->tick < deadlines->tick) {
            take_out(deadlines, at);
            int64_t again_us = at->late(at, now_us);
            if (again_us > 0) {
                insert(deadlines, at, tick_of(again_us));
            }
        }
        at = next;
    }
}

/* The next tick whose slot is not empty. */
static int64_t next_tick(const struct deadlines *deadlines)
{
    int64_t tick = deadlines->tick;
    while (deadlines->slots[tick % SLOT_COUNT] == NULL) {
        tick++;
    }
    return tick;
}

static void sleep_until(struct deadlines *deadlines, int64_t tick)
{
    int64_t at_us = tick * TICK_US;
    struct timespec at = {.tv_sec = at_us / 1000000, .tv_nsec = (at_us % 1000000) * 1000};
    deadlines->wake_tick = tick;
    pthread_cond_clockwait(&deadlines->wake, &deadlines->mutex, CLOCK_MONOTONIC, &at);
}

static void *run(void *arg)
{
    struct deadlines *deadlines = arg;
    pthread_mutex_lock(&deadlines->mutex);
    while (!deadlines->stop) {
        if (deadlines->armed == 0) {
            deadlines->wake_tick = INT64_MAX;
            pthread_cond_wait(&deadlines->wake, &deadlines->mutex);
            continue;
        }
        int64_t now_us = mesh_clock_mono_us();
        int64_t due = next_tick(deadlines);
        if (due * TICK_US > now_us) {
            sleep_until(deadlines, due);
            continue;
        }
        deadlines->tick = due;
        run_tick(deadlines, now_us);
    }
    pthread_mutex_unlock(&deadlines->mutex);
    return NULL;
}

struct deadlines *deadlines_new(struct mesh_error *err)
{
    struct deadlines *deadlines = mesh_new(struct deadlines);
    pthread_mutex_init(&deadlines->mutex, NULL);
    pthread_cond_init(&deadlines->wake, NULL);
    deadlines->tick = mesh_clock_mono_us() / TICK_US;
    if (pthread_create(&deadlines->thread, NULL, run, deadlines) != 0) {
        mesh_fail(err, MESH_RESOURCE_EXHAUSTED, "cannot start the deadline thread");
        free(deadlines);
        return NULL;
    }
    pthread_setname_np(deadlines->thread, "deadlines");
    return deadlines;
}

void deadline_arm(struct deadlines *deadlines, struct deadline *deadline, int64_t at_us)
{
    pthread_mutex_lock(&deadlines->mutex);
    assert(deadline->link == NULL);
    if (deadlines->armed == 0) {
        /* Nothing was looked at while nothing was armed. */
        deadlines->tick = mesh_clock_mono_us() / TICK_US;
    }
    insert(deadlines, deadline, tick_of(at_us));
    bool earlier = deadline->tick < deadlines->wake_tick;
    pthread_mutex_unlock(&deadlines->mutex);
    if (earlier) {
        pthread_cond_signal(&deadlines->wake);
    }
}

void deadline_disarm(struct deadlines *deadlines, struct deadline *deadline)
{
    pthread_mutex_lock(&deadlines->mutex);
    if (deadline->link != NULL) {
        take_out(deadlines, deadline);
    }
    pthread_mutex_unlock(&deadlines->mutex);
}

void deadlines_free(struct deadlines *deadlines)
{
    if (deadlines == NULL) {
        return;
    }
    pthread_mutex_lock(&deadlines->mutex);
    assert(deadlines->armed == 0);
    deadlines->stop = true;
    pthread_mutex_unlock(&deadlines->mutex);
    pthread_cond_signal(&deadlines->wake);
    pthread_join(deadlines->thread, NULL);
    pthread_cond_destroy(&deadlines->wake);
    pthread_mutex_destroy(&deadlines->mutex);
    free(deadlines);
}
