/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chance: the dice of a schedule; the same seed gives the same throws.
 *
 * Threads: one.
 */
#ifndef SIMULATION_CHANCE_H
#define SIMULATION_CHANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void chance_start(uint64_t seed);
uint64_t chance_next(void);
/* 0 to limit - 1. */
size_t chance_below(size_t limit);
/* True once in n times; never for n = 0. */
bool chance_one_in(size_t n);

#endif
