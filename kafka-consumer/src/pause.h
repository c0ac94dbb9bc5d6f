/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pause: how long to leave a server alone that did not answer: 100 ms, doubling up to 1 s, each a
 * little different so that several consumers do not knock at the same moment.
 *
 * Threads: one. Nothing blocks.
 */
#ifndef PAUSE_H
#define PAUSE_H

#include <stdbool.h>
#include <stdint.h>

struct pause {
    int64_t until_us; /* monotonic */
    int64_t length_us;
};

/* It failed once more: the next attempt is later. */
void pause_longer(struct pause *pause);
/* It answered. */
void pause_reset(struct pause *pause);
bool pause_is_on(const struct pause *pause);
/* Milliseconds left, rounded up; 0: none. */
uint32_t pause_left_ms(const struct pause *pause);

#endif
