/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process: what this process uses and may use.
 *
 * Threads: any. Nothing blocks or fails.
 */
#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

/* User and system time of all its threads so far, also of those that have ended. */
double process_cpu_seconds(void);
/* As many open files as it may have. */
void process_raise_files(void);

#endif
