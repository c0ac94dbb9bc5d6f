/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shutdown: SIGTERM and SIGINT, read in one place.
 *
 * Threads: mesh_shutdown_catch_signals() is called on the main thread before any other exists, so
 * that all inherit the blocked mask; mesh_shutdown_request() from any thread.
 */
#ifndef MESH_SHUTDOWN_H
#define MESH_SHUTDOWN_H

#include <stdbool.h>
#include <stdint.h>

/* Blocks SIGTERM and SIGINT for all threads to come, and ignores SIGPIPE. */
void mesh_shutdown_catch_signals(void);
/* Blocks until one of them comes or mesh_shutdown_request() was called. Returns the exit code to
 * use: 0 after a signal, what was requested otherwise. */
int mesh_shutdown_wait(void);
/* As if SIGTERM had come; for a program that cannot go on. */
void mesh_shutdown_request(int exit_code);
/* Waits delay_ms so that balancers notice "not ready"; a second signal ends the wait. */
void mesh_shutdown_delay(uint64_t delay_ms);

#endif
