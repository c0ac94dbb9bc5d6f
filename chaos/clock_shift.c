/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock_shift: a library for LD_PRELOAD that shifts one process's wall clock while it runs.
 *
 * The file named by CLOCK_SHIFT_FILE holds the shift, an int64_t in milliseconds, and is read at
 * each call. The monotonic clock stays. Whoever waits until a time of the wall clock gets what the
 * kernel gives when somebody sets the clock: after a step ahead it wakes, after a step back it
 * waits longer. libfaketime leaves out two such waits, C11's cnd_timedwait() and futex() as a
 * system call; librdkafka and gRPC use them, and would wait by one clock for a time of the other.
 *
 * Threads: any. Waits are cut in slices, and the end of a slice looks like a spurious wake-up.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S INT64_C(1000000000)
#define SLICE_NS INT64_C(50000000)
/* A deadline below is of the monotonic clock, which begins when the machine does. */
#define WALL_S_MIN 1000000000

typedef int clock_gettime_fn(clockid_t clock, struct timespec *out);
typedef long syscall_fn(long number, ...);

static clock_gettime_fn *real_clock_gettime;
static syscall_fn *real_syscall;
static const volatile int64_t *shift_ms; /* NULL: none */

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("CLOCK_SHIFT_FILE");
    int file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);

    if (file < 0) {
        return;
    }
    void *mapped = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    (void)close(file);
    shift_ms = mapped == MAP_FAILED ? NULL : mapped;
}

static int64_t shift_ns(void)
{
    return shift_ms == NULL ? 0 : *shift_ms * 1000000;
}

static int64_t ns_of(const struct timespec *time)
{
    return time->tv_sec * NS_PER_S + time->tv_nsec;
}

static struct timespec time_of(int64_t ns)
{
    return (struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
}

static int64_t real_ns(clockid_t clock)
{
    struct timespec now;

    if (real_clock_gettime == NULL) {
        real_clock_gettime = (clock_gettime_fn *)dlsym(RTLD_NEXT, "clock_gettime");
    }
    (void)real_clock_gettime(clock, &now);
    return ns_of(&now);
}

static int64_t wall_ns(void)
{
    return real_ns(CLOCK_REALTIME) + shift_ns();
}

static bool is_wall(clockid_t clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    *out = time_of(real_ns(clock) + (is_wall(clock) ? shift_ns() : 0));
    return 0;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    (void)zone;
    int64_t now = wall_ns();
    *out = (struct timeval){.tv_sec = now / NS_PER_S, .tv_usec = now % NS_PER_S / 1000};
    return 0;
}

time_t time(time_t *out)
{
    time_t now = wall_ns() / NS_PER_S;

    if (out != NULL) {
        *out = now;
    }
    return now;
}

int timespec_get(struct timespec *out, int base)
{
    *out = time_of(wall_ns());
    return base;
}

/* The end of the next slice on `clock`, before `until` by our wall clock. False: that is over. */
static bool slice_end(const struct timespec *until, clockid_t clock, struct timespec *out)
{
    int64_t left = ns_of(until) - wall_ns();

    *out = time_of(real_ns(clock) + (left < SLICE_NS ? left : SLICE_NS));
    return left > 0;
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until)
{
    struct timespec end;

    if (until->tv_sec < WALL_S_MIN) {
        return pthread_cond_clockwait(cond, mutex, CLOCK_MONOTONIC, until);
    }
    if (!slice_end(until, CLOCK_MONOTONIC, &end)) {
        return ETIMEDOUT;
    }
    int result = pthread_cond_clockwait(cond, mutex, CLOCK_MONOTONIC, &end);
    return result == ETIMEDOUT && slice_end(until, CLOCK_MONOTONIC, &end) ? 0 : result;
}

/* glibc's types for C11 are those of POSIX under other names. */
int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex,
                  const struct timespec *restrict until)
{
    int result = pthread_cond_timedwait((pthread_cond_t *)cond, (pthread_mutex_t *)mutex, until);

    return result == 0 ? thrd_success : result == ETIMEDOUT ? thrd_timedout : thrd_error;
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until)
{
    struct timespec end;

    while (slice_end(until, CLOCK_MONOTONIC, &end)) {
        int result = sem_clockwait(semaphore, CLOCK_MONOTONIC, &end);
        if (result == 0 || errno != ETIMEDOUT) {
            return result;
        }
    }
    errno = ETIMEDOUT;
    return -1;
}

/* A futex() that waits for a time of the wall clock. */
static long futex_wait(const long *arguments)
{
    struct timespec end;
    const struct timespec *until = (const struct timespec *)arguments[3];

    if (!slice_end(until, CLOCK_REALTIME, &end)) {
        errno = ETIMEDOUT;
        return -1;
    }
    long result = real_syscall(SYS_futex, arguments[0], arguments[1], arguments[2], &end,
                               arguments[4], arguments[5]);
    if (result == -1 && errno == ETIMEDOUT && slice_end(until, CLOCK_REALTIME, &end)) {
        errno = EINTR;
    }
    return result;
}

long syscall(long number, ...)
{
    const int wall_wait = FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME;
    long arguments[6];
    va_list list;

    va_start(list, number);
    for (int i = 0; i < 6; i++) {
        arguments[i] = va_arg(list, long);
    }
    va_end(list);
    if (real_syscall == NULL) {
        real_syscall = (syscall_fn *)dlsym(RTLD_NEXT, "syscall");
    }
    if (number == SYS_futex && (arguments[1] & ~FUTEX_PRIVATE_FLAG) == wall_wait &&
        arguments[3] != 0) {
        return futex_wait(arguments);
    }
    return real_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
                        arguments[4], arguments[5]);
}
