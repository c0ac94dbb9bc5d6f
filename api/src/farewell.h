/* SPDX-License-Identifier: Apache-2.0 */
/*
 * farewell: closes sockets whose client is still sending, so that the client gets its answer.
 *
 * A socket that is closed while bytes wait in it is reset, and a client that is busy sending may
 * then lose the answer. So what still comes is read and thrown away, for at most two seconds.
 *
 * Threads: farewell_take() from any thread; reading is done on the deadline thread.
 */
#ifndef API_FAREWELL_H
#define API_FAREWELL_H

#include "deadline.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define FAREWELL_COUNT_MAX 64 /* at once; further sockets are closed at once */

struct farewell {
    struct deadline deadline;
    atomic_bool used;
    int socket;
    int64_t until_us;
};

struct farewells {
    struct deadlines *deadlines;
    struct farewell at[FAREWELL_COUNT_MAX];
};

void farewells_init(struct farewells *farewells, struct deadlines *deadlines);
/* Duplicates a socket that is about to be closed. The answer must have been written. */
void farewell_take(struct farewells *farewells, int socket);
/* Closes them all. */
void farewells_done(struct farewells *farewells);

#endif
