/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every program uses and the simulation has in hand: clocks, chance, the log, metrics, and
 * threads. Linked instead of the library's own (by --wrap, or by being found first).
 */
#include "chance.h"
#include "fiber.h"
#include "mesh/clock.h"
#include "mesh/log.h"
#include "mesh/metrics.h"
#include "process.h"
#include "random.h"
#include "verdict.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

int64_t __wrap_mesh_clock_mono_us(void);
int64_t __wrap_mesh_clock_wall_ms(void);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *arg), void *arg);
int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_setname_np(pthread_t thread, const char *name);
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                  const struct timespec *until);
int __wrap_nanosleep(const struct timespec *length, struct timespec *left);
void __wrap_mesh_memory_give_back(void);

int64_t __wrap_mesh_clock_mono_us(void)
{
    return process_now_us();
}

int64_t __wrap_mesh_clock_wall_ms(void)
{
    return INT64_C(1800000000000) + process_now_us() / 1000;
}

void mesh_random(uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
        uint64_t word = chance_next();
        size_t piece = size - i < sizeof(word) ? size - i : sizeof(word);
        memcpy(out + i, &word, piece);
    }
}

void mesh_log_write(enum mesh_log_level level, const struct mesh_log_field *fields, size_t count)
{
    const struct process *process = process_current();
    char line[512];
    size_t size = 0;

    (void)level;
    if (!trace_is_on()) {
        return;
    }
    for (size_t i = 0; i < count && size < sizeof(line); i++) {
        size += (size_t)(fields[i].kind == MESH_LOG_KIND_TEXT
                             ? snprintf(line + size, sizeof(line) - size, " %s=%s", fields[i].name,
                                        fields[i].text == NULL ? "null" : fields[i].text)
                             : snprintf(line + size, sizeof(line) - size, " %s=%" PRId64,
                                        fields[i].name, fields[i].number));
    }
    trace("%s logs%s", process == NULL ? "?" : process->name, line);
}

void mesh_log_warn(const char *event, const struct mesh_error *err)
{
    mesh_log(MESH_LOG_WARN, event, MESH_LOG_TEXT("message", err->text));
}

void mesh_log_error(const char *event, const struct mesh_error *err)
{
    mesh_log_warn(event, err);
}

/* ---- threads ---- */

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *arg), void *arg)
{
    (void)attributes;
    *thread = (pthread_t)(uintptr_t)fiber_new(process_current(), run, arg);
    return 0;
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
    struct fiber *fiber = (struct fiber *)(uintptr_t)thread;

    while (!fiber_ended(fiber)) {
        if (fiber_waits(fiber)) {
            fiber_resume(fiber);
        } else {
            fiber_wait(); /* it has resumed us */
        }
    }
    fiber_free(fiber);
    if (result != NULL) {
        *result = NULL;
    }
    return 0;
}

int __wrap_pthread_setname_np(pthread_t thread, const char *name)
{
    (void)thread;
    (void)name;
    return 0;
}

/* Comes back whenever the schedule likes, which POSIX allows. */
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                  const struct timespec *until)
{
    (void)cond;
    (void)until;
    (void)pthread_mutex_unlock(mutex);
    fiber_wait();
    (void)pthread_mutex_lock(mutex);
    return ETIMEDOUT;
}

/* Whoever sleeps until a time must see it come. */
int __wrap_nanosleep(const struct timespec *length, struct timespec *left)
{
    (void)left;
    process_time_pass(length->tv_sec * INT64_C(1000000) + length->tv_nsec / 1000);
    if (fiber_current() != NULL) {
        fiber_wait();
    }
    return 0;
}

/* The next schedule would only take it again. */
void __wrap_mesh_memory_give_back(void)
{
}

/* ---- metrics: nobody looks at them here ---- */

struct mesh_metric {
    int64_t value;
};

static struct mesh_metric one;

struct mesh_metric *mesh_counter(const char *name, const char *labels, const char *help)
{
    (void)name;
    (void)labels;
    (void)help;
    return &one;
}

struct mesh_metric *mesh_gauge(const char *name, const char *labels, const char *help)
{
    return mesh_counter(name, labels, help);
}

struct mesh_metric *mesh_histogram_seconds(const char *name, const char *labels, const char *help)
{
    return mesh_counter(name, labels, help);
}

struct mesh_metric *mesh_histogram_count(const char *name, const char *labels, const char *help)
{
    return mesh_counter(name, labels, help);
}

void mesh_metric_add(struct mesh_metric *counter, uint64_t n)
{
    (void)counter;
    (void)n;
}

void mesh_metric_set(struct mesh_metric *gauge, int64_t value)
{
    (void)gauge;
    (void)value;
}

void mesh_metric_hide(struct mesh_metric *gauge)
{
    (void)gauge;
}

void mesh_metric_move(struct mesh_metric *gauge, int64_t by)
{
    (void)gauge;
    (void)by;
}

int64_t mesh_metric_value(const struct mesh_metric *counter_or_gauge)
{
    return counter_or_gauge->value;
}

void mesh_metric_observe_us(struct mesh_metric *histogram_seconds, int64_t us)
{
    (void)histogram_seconds;
    (void)us;
}

void mesh_metric_observe_us_times(struct mesh_metric *histogram_seconds, int64_t us, uint64_t times)
{
    (void)histogram_seconds;
    (void)us;
    (void)times;
}

void mesh_metric_observe(struct mesh_metric *histogram_count, uint64_t n)
{
    (void)histogram_count;
    (void)n;
}
