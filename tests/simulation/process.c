/* SPDX-License-Identifier: Apache-2.0 */
#include "process.h"

#include "chance.h"
#include "fiber.h"
#include "verdict.h"

struct faults faults;
static struct process *current;
static int64_t now_us;

int64_t process_now_us(void)
{
    return now_us;
}

void process_time_pass(int64_t us)
{
    now_us += us;
}

void process_time_start(void)
{
    now_us = INT64_C(100000000);
}

struct process *process_current(void)
{
    return current;
}

void process_enter(struct process *process)
{
    current = process;
}

static struct fate fate_of(struct process *process, const char *what)
{
    if (process->killed) {
        return (struct fate){.effect = false, .answer = false};
    }
    if (fiber_current() != NULL) {
        while (chance_one_in(faults.late)) {
            trace("%s waits: %s", process->name, what);
            fiber_wait();
        }
    }
    if (process->killed) {
        /* Killed while it waited: the command may be on its way already. */
        return (struct fate){.effect = chance_one_in(2), .answer = false};
    }
    if (chance_one_in(faults.crash)) {
        process->killed = true;
        trace("%s is killed in: %s", process->name, what);
        return (struct fate){.effect = chance_one_in(2), .answer = false};
    }
    if (chance_one_in(faults.failure)) {
        return (struct fate){.effect = chance_one_in(2), .answer = false};
    }
    return (struct fate){.effect = true, .answer = true};
}

struct fate process_call(struct process *process, const char *what)
{
    struct fate fate = fate_of(process, what);

    trace("%s: %s%s%s", process->name, what, fate.effect ? "" : ", which has no effect",
          fate.answer ? "" : ", no answer");
    return fate;
}
