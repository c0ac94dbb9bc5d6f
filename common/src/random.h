/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random: bytes nobody can guess, without a system call for each event.
 *
 * Threads: any; each thread keeps a pool of its own, filled by getrandom().
 */
#ifndef MESH_RANDOM_H
#define MESH_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* size: up to 64 bytes. Ends the program when the kernel gives no randomness. */
void mesh_random(uint8_t *out, size_t size);

#endif
