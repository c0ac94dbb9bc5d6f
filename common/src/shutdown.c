/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/shutdown.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static sigset_t stop_signals;
static atomic_int requested_exit_code;

void mesh_shutdown_catch_signals(void)
{
    (void)sigemptyset(&stop_signals);
    (void)sigaddset(&stop_signals, SIGTERM);
    (void)sigaddset(&stop_signals, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &stop_signals, NULL);
    /* A peer that went away shows as EPIPE where it is written to. */
    (void)signal(SIGPIPE, SIG_IGN);
}

int mesh_shutdown_wait(void)
{
    int signal_number = 0;
    (void)sigwait(&stop_signals, &signal_number);
    return atomic_load(&requested_exit_code);
}

void mesh_shutdown_request(int exit_code)
{
    atomic_store(&requested_exit_code, exit_code);
    (void)kill(getpid(), SIGTERM);
}

void mesh_shutdown_delay(uint64_t delay_ms)
{
    if (delay_ms == 0) {
        return;
    }
    struct timespec delay = {.tv_sec = (time_t)(delay_ms / 1000),
                             .tv_nsec = (long)(delay_ms % 1000) * 1000000};
    (void)sigtimedwait(&stop_signals, NULL, &delay);
}
