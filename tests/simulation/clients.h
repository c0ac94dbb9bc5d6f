/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clients: those who send events, single or in lists, with and without Idempotency-Key, and send
 * again with the same key what they are not sure of.
 *
 * Threads: one.
 */
#ifndef SIMULATION_CLIENTS_H
#define SIMULATION_CLIENTS_H

#include "side.h"

#include <stdbool.h>

void clients_start(void);
/* Sends something new, or something again. */
void clients_post(struct api *api);
/* Reads an answer, or lets a deadline pass. */
void clients_step(bool expire);
/* The connections to this api are broken. */
void clients_lose(struct api *api);
/* Sends again what is not known to be stored though it has a key; reads what is answered. */
void clients_finish(struct api *api);
bool clients_at_rest(void);

#endif
