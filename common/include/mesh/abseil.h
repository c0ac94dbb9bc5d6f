/* SPDX-License-Identifier: Apache-2.0 */
/*
 * abseil: the one setting of the library beneath gRPC that we change.
 *
 * Debian builds Abseil with its debug checks: each lock of a mutex is entered in a graph of all
 * mutexes, itself behind a lock of the whole process, to find orders that could deadlock. That is
 * a quarter of the instructions that a gRPC message costs.
 */
#ifndef MESH_ABSEIL_H
#define MESH_ABSEIL_H

#include <stdbool.h>

/* Switches that search off, for the whole process. To be called before grpc_init(), while no other
 * thread uses gRPC. False: not found in this process, nothing is changed. */
bool mesh_abseil_checks_off(void);

#endif
