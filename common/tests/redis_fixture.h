/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis_fixture: a real redis-server for a test, in a folder of its own.
 *
 * It listens on a socket file and on a free port of 127.0.0.1, and dies with the thread that
 * started it, however that ends; its folder goes at exit. Threads: the test's main thread.
 * Failures fail the cmocka case.
 */
#ifndef REDIS_FIXTURE_H
#define REDIS_FIXTURE_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redis_fixture;

struct redis_fixture_options {
    bool append_only;     /* with an AOF, so that it survives redis_fixture_kill() */
    const char *password; /* NULL: none; kept */
};

/* Starts it and waits until it answers; the process ignores SIGPIPE from now on. */
struct redis_fixture *redis_fixture_new(const struct redis_fixture_options *options);
/* "unix://…" and "redis://127.0.0.1:port"; both live as long as the fixture. */
const char *redis_fixture_url(const struct redis_fixture *fixture);
const char *redis_fixture_tcp_url(const struct redis_fixture *fixture);
/* A new connection; the caller frees it (redisFree). */
redisContext *redis_fixture_connect(const struct redis_fixture *fixture);
/* kill -9. */
void redis_fixture_kill(struct redis_fixture *fixture);
/* Cuts bytes off the AOF's end while the server is down, as a crash of the machine would. */
void redis_fixture_tear(const struct redis_fixture *fixture, size_t bytes);
/* Starts it again after a kill, on the same addresses. */
void redis_fixture_start(struct redis_fixture *fixture);
/* Stops it and removes the folder. Accepts NULL. */
void redis_fixture_free(struct redis_fixture *fixture);

#endif
