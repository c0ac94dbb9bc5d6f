/* SPDX-License-Identifier: Apache-2.0 */
#include "loop.h"

#include "https.h"
#include "https_wire.h"
#include "mesh/alloc.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* libmicrohttpd's memory for one connection. What does not fit it refuses itself, as HTML; so heads
 * are refused by http.c long before. */
#define CONNECTION_BYTES 12288

/* A round in line costs 0.1 us, to be suspended and resumed 4 us. */
#define LINE_ROUNDS_MAX 24
#define LINE_LENGTH_MAX 64
/* With a line, libmicrohttpd cannot tell whether it has more to do that no callback shows; then it
 * is given another chance this soon. */
#define LINE_WAIT_MS 10

STAILQ_HEAD(loop_waiters, loop_waiter);

struct loop {
    struct MHD_Daemon *daemon;
    struct loop_options options;
    size_t line_length; /* waiters that are not suspended; this and below: the thread's own */
    bool busy;          /* a callback did something in this round: there may be more */
    bool was_busy;      /* before the callback at hand */
    int poll;           /* epoll: the daemon's own one, and the bell */
    int bell;           /* eventfd; edge-triggered, so that nobody has to read it */
    pthread_t thread;
    bool started;          /* the main thread's */
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t quiet;  /* quiesced */
    struct loop_waiters woken;
    bool asleep; /* the bell must be rung */
    bool quiesce;
    bool quiesced;
    bool stop;
};

/* With the mutex held, so that the loop cannot be gone before the bell has been rung. */
static void ring(struct loop *loop)
{
    if (loop->asleep) {
        loop->asleep = false;
        (void)eventfd_write(loop->bell, 1);
    }
}

void loop_wake(struct loop *loop, struct loop_waiter *waiter)
{
    pthread_mutex_lock(&loop->mutex);
    STAILQ_INSERT_TAIL(&loop->woken, waiter, entry);
    ring(loop);
    pthread_mutex_unlock(&loop->mutex);
}

static void suspend(struct loop_waiter *waiter)
{
    waiter->suspended = true;
    MHD_suspend_connection(waiter->mhd);
}

void loop_wait(struct loop *loop, struct loop_waiter *waiter)
{
    waiter->waits = true;
    waiter->suspended = false;
    waiter->rounds = 0;
    if (loop->line_length < LINE_LENGTH_MAX) {
        loop->line_length++;
    } else {
        suspend(waiter);
    }
}

bool loop_waits(struct loop *loop, struct loop_waiter *waiter)
{
    if (!waiter->waits) {
        return false;
    }
    loop->busy = loop->was_busy;
    if (++waiter->rounds == LINE_ROUNDS_MAX) {
        loop->line_length--;
        suspend(waiter);
    }
    return true;
}

bool loop_leaves(struct loop *loop, struct loop_waiter *waiter)
{
    loop->busy = true; /* the next request may have come */
    waiter->left = waiter->waits;
    return waiter->left;
}

static void wake(struct loop *loop, struct loop_waiter *waiter)
{
    waiter->waits = false;
    if (!waiter->suspended) {
        loop->line_length--; /* it is asked for its answer in the next round */
    } else {
        MHD_resume_connection(waiter->mhd);
    }
    if (waiter->left) {
        loop->options.on_left(waiter);
    }
}

/* Takes what others have left for this thread. False: stop. */
static bool take_orders(struct loop *loop)
{
    struct loop_waiters woken = STAILQ_HEAD_INITIALIZER(woken);
    pthread_mutex_lock(&loop->mutex);
    loop->asleep = false;
    STAILQ_CONCAT(&woken, &loop->woken);
    bool stop = loop->stop;
    if (loop->quiesce && !loop->quiesced) {
        (void)MHD_quiesce_daemon(loop->daemon); /* the listener stays the caller's */
        loop->quiesced = true;
        pthread_cond_signal(&loop->quiet);
    }
    pthread_mutex_unlock(&loop->mutex);

    struct loop_waiter *waiter;
    while ((waiter = STAILQ_FIRST(&woken)) != NULL) {
        STAILQ_REMOVE_HEAD(&woken, entry);
        wake(loop, waiter);
    }
    return !stop;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_size, void **slot)
{
    struct loop *loop = cls;
    loop->was_busy = loop->busy;
    loop->busy = true; /* unless loop_waits() finds that nothing happened */
    return loop->options.on_request(loop->options.arg, mhd, path, method, version, data, data_size,
                                    slot);
}

/* False: there is something to do. */
static bool fall_asleep(struct loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    bool quiet = STAILQ_EMPTY(&loop->woken) && !loop->stop && (loop->quiesced || !loop->quiesce);
    loop->asleep = quiet;
    pthread_mutex_unlock(&loop->mutex);
    return quiet;
}

/* How long libmicrohttpd has nothing to do; -1: until something comes. */
static int wait_ms(struct loop *loop)
{
    bool busy = (loop->options.tls && https_wire_moved()) || loop->busy;
    if (loop->line_length > 0) {
        return busy ? 0 : LINE_WAIT_MS;
    }
    int64_t ms = MHD_get_timeout64s(loop->daemon);
    if (ms == 0 && loop->options.tls && !busy) {
        return LINE_WAIT_MS; /* a handshake waits; what comes for it wakes us */
    }
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

static void sleep_for(const struct loop *loop, int ms, int64_t us)
{
    struct epoll_event events[2];
    if (us < 0) {
        (void)epoll_wait(loop->poll, events, 2, ms);
        return;
    }
    const struct timespec until = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    /* A kernel without it (before 5.11) makes the few rounds until then come at once. */
    (void)epoll_pwait2(loop->poll, events, 2, &until, NULL);
}

static void *run(void *arg)
{
    struct loop *loop = arg;
    while (take_orders(loop)) {
        loop->busy = false;
        (void)MHD_run(loop->daemon);
        int64_t us = loop->options.on_round(loop->options.arg);
        int ms = wait_ms(loop);
        if (ms != 0 && fall_asleep(loop)) {
            sleep_for(loop, ms, us);
        }
    }
    return NULL;
}

static bool daemon_start(struct loop *loop, const struct loop_options *options,
                         struct mesh_error *err)
{
    static struct MHD_OptionItem plain[] = {{MHD_OPTION_END, 0, NULL}};
    loop->daemon = MHD_start_daemon(
        (options->tls ? MHD_USE_TLS : 0U) | MHD_USE_EPOLL | MHD_USE_NO_THREAD_SAFETY |
            MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO,
        0, NULL, NULL, on_request, loop, MHD_OPTION_LISTEN_SOCKET, options->listener,
        MHD_OPTION_CONNECTION_LIMIT, options->connections_max, MHD_OPTION_CONNECTION_TIMEOUT,
        options->idle_s_max, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
        MHD_OPTION_NOTIFY_COMPLETED, options->on_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION,
        options->on_connection, options->arg, MHD_OPTION_CLIENT_DISCIPLINE_LVL, (int)1,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, (int)1, MHD_OPTION_ARRAY,
        options->tls ? https_options() : plain, MHD_OPTION_END);
    if (loop->daemon == NULL) {
        return mesh_fail(err, MESH_UNAVAILABLE, "libmicrohttpd does not start: %s",
                         strerror(errno));
    }
    return true;
}

static bool watch(const struct loop *loop, int descriptor, uint32_t events)
{
    struct epoll_event event = {.events = events};
    return epoll_ctl(loop->poll, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

static bool poll_start(struct loop *loop, struct mesh_error *err)
{
    loop->poll = epoll_create1(EPOLL_CLOEXEC);
    loop->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->poll < 0 || loop->bell < 0 || !watch(loop, loop->bell, EPOLLIN | EPOLLET) ||
        !watch(loop, MHD_get_daemon_info(loop->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd,
               EPOLLIN)) {
        return mesh_fail(err, MESH_RESOURCE_EXHAUSTED, "epoll: %s", strerror(errno));
    }
    return true;
}

bool loop_start(struct loop *loop, struct mesh_error *err)
{
    if (pthread_create(&loop->thread, NULL, run, loop) != 0) {
        return mesh_fail(err, MESH_RESOURCE_EXHAUSTED, "cannot start an HTTP thread");
    }
    loop->started = true;
    pthread_setname_np(loop->thread, "http");
    return true;
}

/* All but the thread. */
static void release(struct loop *loop)
{
    if (loop->daemon != NULL) {
        (void)MHD_quiesce_daemon(loop->daemon); /* else it would close the listener */
        MHD_stop_daemon(loop->daemon);
    }
    if (loop->bell >= 0) {
        close(loop->bell);
    }
    if (loop->poll >= 0) {
        close(loop->poll);
    }
    pthread_cond_destroy(&loop->quiet);
    pthread_mutex_destroy(&loop->mutex);
    free(loop);
}

struct loop *loop_new(const struct loop_options *options, struct mesh_error *err)
{
    struct loop *loop = mesh_new(struct loop);
    loop->options = *options;
    loop->poll = -1;
    loop->bell = -1;
    pthread_mutex_init(&loop->mutex, NULL);
    pthread_cond_init(&loop->quiet, NULL);
    STAILQ_INIT(&loop->woken);
    if (!daemon_start(loop, options, err) || !poll_start(loop, err)) {
        release(loop);
        return NULL;
    }
    return loop;
}

void loop_quiesce(struct loop *loop)
{
    if (!loop->started) {
        return;
    }
    pthread_mutex_lock(&loop->mutex);
    loop->quiesce = true;
    ring(loop);
    while (!loop->quiesced) {
        pthread_cond_wait(&loop->quiet, &loop->mutex);
    }
    pthread_mutex_unlock(&loop->mutex);
}

void loop_free(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    pthread_mutex_lock(&loop->mutex);
    loop->stop = true;
    ring(loop);
    pthread_mutex_unlock(&loop->mutex);
    if (loop->started) {
        pthread_join(loop->thread, NULL);
    }
    release(loop);
}
