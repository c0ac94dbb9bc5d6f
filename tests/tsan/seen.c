/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seen: shows ThreadSanitizer what Debian's libraries do where it does not look.
 *
 * - librdkafka uses the threads, mutexes and conditions of C11, which TSan 19 does not intercept: a
 *   thread it does not know crashes its run-time at the first malloc(). So they are defined here,
 *   by those of POSIX, which glibc's are made of.
 * - gRPC hands an operation from the thread that starts it to the one that takes its completion
 *   with locks and atomics that are not instrumented. So this edge is told.
 *
 * Every program of the preset "tsan" is linked with this file; ld.so prefers a program's own
 * definitions to those of libraries.
 */
#include <dlfcn.h>
#include <errno.h>
#include <grpc/grpc.h>
#include <pthread.h>
#include <sanitizer/tsan_interface.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>
#include <time.h>

_Static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t), "glibc's mtx_t is its pthread_mutex_t");
_Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "glibc's cnd_t is its pthread_cond_t");

static int code_from_errno(int number)
{
    switch (number) {
    case 0:
        return thrd_success;
    case EBUSY:
        return thrd_busy;
    case ETIMEDOUT:
        return thrd_timedout;
    case ENOMEM:
        return thrd_nomem;
    default:
        return thrd_error;
    }
}

struct beginning {
    thrd_start_t run;
    void *arg;
};

static void *run(void *arg)
{
    struct beginning *given = arg;
    const struct beginning beginning = *given;
    free(given);
    return (void *)(intptr_t)beginning.run(beginning.arg);
}

int thrd_create(thrd_t *thread, thrd_start_t start, void *arg)
{
    struct beginning *beginning = malloc(sizeof(*beginning));
    if (beginning == NULL) {
        return thrd_nomem;
    }
    *beginning = (struct beginning){.run = start, .arg = arg};
    const int number = pthread_create(thread, NULL, run, beginning);
    if (number != 0) {
        free(beginning);
    }
    return code_from_errno(number);
}

int thrd_join(thrd_t thread, int *result)
{
    void *value = NULL;
    const int number = pthread_join(thread, &value);
    if (result != NULL) {
        *result = (int)(intptr_t)value;
    }
    return code_from_errno(number);
}

int mtx_init(mtx_t *mutex, int type)
{
    pthread_mutexattr_t attributes;
    (void)pthread_mutexattr_init(&attributes);
    (void)pthread_mutexattr_settype(
        &attributes, (type & mtx_recursive) != 0 ? PTHREAD_MUTEX_RECURSIVE : PTHREAD_MUTEX_NORMAL);
    const int number = pthread_mutex_init((pthread_mutex_t *)mutex, &attributes);
    (void)pthread_mutexattr_destroy(&attributes);
    return code_from_errno(number);
}

int mtx_lock(mtx_t *mutex)
{
    return code_from_errno(pthread_mutex_lock((pthread_mutex_t *)mutex));
}

int mtx_trylock(mtx_t *mutex)
{
    return code_from_errno(pthread_mutex_trylock((pthread_mutex_t *)mutex));
}

int mtx_unlock(mtx_t *mutex)
{
    return code_from_errno(pthread_mutex_unlock((pthread_mutex_t *)mutex));
}

void mtx_destroy(mtx_t *mutex)
{
    (void)pthread_mutex_destroy((pthread_mutex_t *)mutex);
}

int cnd_init(cnd_t *condition)
{
    return code_from_errno(pthread_cond_init((pthread_cond_t *)condition, NULL));
}

int cnd_signal(cnd_t *condition)
{
    return code_from_errno(pthread_cond_signal((pthread_cond_t *)condition));
}

int cnd_broadcast(cnd_t *condition)
{
    return code_from_errno(pthread_cond_broadcast((pthread_cond_t *)condition));
}

int cnd_wait(cnd_t *condition, mtx_t *mutex)
{
    return code_from_errno(
        pthread_cond_wait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex));
}

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex,
                  const struct timespec *restrict until)
{
    return code_from_errno(
        pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, until));
}

void cnd_destroy(cnd_t *condition)
{
    (void)pthread_cond_destroy((pthread_cond_t *)condition);
}

/* Where the thread that starts the operation of this tag meets the one that takes its completion.
 * Tags need not be addresses, so they share a few. */
static void *meeting_place(const void *tag)
{
    static uint64_t places[4096];
    const uint64_t mixed = (uint64_t)(uintptr_t)tag * UINT64_C(0x9E3779B97F4A7C15);
    return &places[mixed >> 52];
}

grpc_call_error grpc_call_start_batch(grpc_call *call, const grpc_op *ops, size_t nops, void *tag,
                                      void *reserved)
{
    grpc_call_error (*real)(grpc_call *, const grpc_op *, size_t, void *, void *) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "grpc_call_start_batch");
    __tsan_release(meeting_place(tag));
    return real(call, ops, nops, tag, reserved);
}

grpc_event grpc_completion_queue_next(grpc_completion_queue *queue, gpr_timespec deadline,
                                      void *reserved)
{
    grpc_event (*real)(grpc_completion_queue *, gpr_timespec, void *) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "grpc_completion_queue_next");
    const grpc_event event = real(queue, deadline, reserved);
    if (event.type == GRPC_OP_COMPLETE) {
        __tsan_acquire(meeting_place(event.tag));
    }
    return event;
}
