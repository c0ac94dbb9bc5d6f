/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fiber: the programs' threads, taking turns where the schedule says so.
 *
 * A fiber runs until it waits: in pthread_cond_timedwait(), in a poll of librdkafka's, in a call to
 * a server, or for its end. Threads: one; that is the point.
 */
#ifndef SIMULATION_FIBER_H
#define SIMULATION_FIBER_H

#include "process.h"

#include <stdbool.h>

struct fiber;

/* Makes a fiber of a process; runs nothing yet. */
struct fiber *fiber_new(struct process *process, void *(*run)(void *arg), void *arg);
/* Runs it until it waits or ends. It must wait. From anywhere, also from another fiber. */
void fiber_resume(struct fiber *fiber);
/* Whether it has not ended, does not run, and is not in a fiber_resume() of its own. */
bool fiber_waits(const struct fiber *fiber);
bool fiber_ended(const struct fiber *fiber);
struct process *fiber_process(const struct fiber *fiber);
/* The one that runs; NULL: the schedule itself. */
struct fiber *fiber_current(void);
/* Back to whoever resumed it. */
void fiber_wait(void);
/* Must have ended. */
void fiber_free(struct fiber *fiber);
/* A random one that has not ended; NULL: there is none. */
struct fiber *fiber_any(void);
/* The n-th; NULL: there are fewer. */
struct fiber *fiber_at(size_t index);

#endif
