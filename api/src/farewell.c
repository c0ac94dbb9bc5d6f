/* SPDX-License-Identifier: Apache-2.0 */
#include "farewell.h"

#include "mesh/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#define FAREWELL_US 2000000
#define LOOK_US 1              /* at the next tick */
#define LOOK_BYTES_MAX 4194304 /* thrown away at one look: the thread has other work */

/* False: there is nothing more to come. */
static bool throw_away(int socket)
{
    char waste[65536];
    ssize_t size = 1;
    for (size_t total = 0; total < LOOK_BYTES_MAX && size > 0; total += sizeof(waste)) {
        size = recv(socket, waste, sizeof(waste), MSG_DONTWAIT);
    }
    return size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR));
}

static int64_t look(struct deadline *deadline, int64_t now_us)
{
    struct farewell *farewell =
        (struct farewell *)((char *)deadline - offsetof(struct farewell, deadline));
    if (throw_away(farewell->socket) && now_us < farewell->until_us) {
        return now_us + LOOK_US;
    }
    close(farewell->socket);
    atomic_store(&farewell->used, false);
    return 0;
}

void farewells_init(struct farewells *farewells, struct deadlines *deadlines)
{
    farewells->deadlines = deadlines;
    for (size_t i = 0; i < FAREWELL_COUNT_MAX; i++) {
        farewells->at[i] = (struct farewell){.deadline = {.late = look}};
    }
}

void farewell_take(struct farewells *farewells, int socket)
{
    for (size_t i = 0; i < FAREWELL_COUNT_MAX; i++) {
        struct farewell *farewell = &farewells->at[i];
        bool used = false;
        if (!atomic_compare_exchange_strong(&farewell->used, &used, true)) {
            continue;
        }
        farewell->socket = fcntl(socket, F_DUPFD_CLOEXEC, 0);
        if (farewell->socket < 0) {
            atomic_store(&farewell->used, false);
            return;
        }
        shutdown(socket, SHUT_WR);
        int64_t now_us = mesh_clock_mono_us();
        farewell->until_us = now_us + FAREWELL_US;
        deadline_arm(farewells->deadlines, &farewell->deadline, now_us + LOOK_US);
        return;
    }
}

void farewells_done(struct farewells *farewells)
{
    for (size_t i = 0; i < FAREWELL_COUNT_MAX; i++) {
        struct farewell *farewell = &farewells->at[i];
        deadline_disarm(farewells->deadlines, &farewell->deadline);
        if (atomic_load(&farewell->used)) {
            close(farewell->socket);
        }
    }
}
