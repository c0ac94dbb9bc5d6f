/* SPDX-License-Identifier: Apache-2.0 */
/*
 * window: the messages of one stream that wait for their replies, which come in any order.
 *
 * Threads: one at a time.
 */
#ifndef WINDOW_H
#define WINDOW_H

#include "mesh/macros.h"

#include <stdbool.h>
#include <stdint.h>

struct window;

struct window_message {
    uint64_t sequence; /* 0: none */
    uint64_t events;
    int64_t sent_us;
};

/* size: messages at a time, at least 1. The caller owns the result. */
struct window *window_new(uint64_t size);
bool window_is_full(const struct window *window);
/* Adds a message; the window must not be full. Returns its sequence number, which no other message
 * of this window ever had. */
uint64_t window_open(struct window *window, uint64_t events, int64_t sent_us);
/* Takes the message with this number out. False, *out untouched: none waits under it. */
MESH_MUST_CHECK
bool window_close(struct window *window, uint64_t sequence, struct window_message *out);
/* Accepts NULL. */
void window_free(struct window *window);

#endif
