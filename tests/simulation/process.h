/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process: one running program, and what becomes of its calls to servers.
 *
 * A killed process goes on until it can be taken down, but nothing that it does has an effect any
 * more, and no call of it is answered. Threads: one.
 */
#ifndef SIMULATION_PROCESS_H
#define SIMULATION_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct process {
    char name[24];
    bool running; /* was started and not taken down */
    bool killed;
};

/* How bad a world this is; each: once in so many times, 0: never. */
struct faults {
    size_t crash;      /* a call kills its process, before or after it has its effect */
    size_t failure;    /* a call fails, with its effect or without */
    size_t late;       /* a call takes a while, during which others go on */
    size_t kafka;      /* a batch of records meets something else than a plain answer */
    size_t mongo;      /* an insert meets something else */
    size_t link_break; /* a step of a stream breaks it */
    size_t hint;       /* a frame is lost, doubled or overtaken */
    size_t rebalance;
    size_t kill; /* a step in which some process is killed */
    size_t redis;
    size_t poison;
    size_t refusal; /* an event that MongoDB does not take */
    size_t hole;
};

extern struct faults faults;

/* The simulated time. */
int64_t process_now_us(void);
void process_time_pass(int64_t us);
void process_time_start(void);

/* Who runs at the moment; NULL: nobody. */
struct process *process_current(void);
void process_enter(struct process *process);

/* What becomes of a call to a server. */
struct fate {
    bool effect; /* the server does it */
    bool answer; /* the caller hears of it */
};

/* May let others go first. */
struct fate process_call(struct process *process, const char *what);

#endif
