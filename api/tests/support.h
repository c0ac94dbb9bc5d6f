/* SPDX-License-Identifier: Apache-2.0 */
/*
 * support: what several tests of api need.
 *
 * Threads: a test's own.
 */
#ifndef API_TESTS_SUPPORT_H
#define API_TESTS_SUPPORT_H

#include "body.h"
#include "mesh/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How long a test waits for what must come; only reached when it fails. */
#define SUPPORT_WAIT_MS 20000

/* The project's streams; the caller frees them. */
struct mesh_streams *support_streams(void);
/* Events of the stream "tweets" read from a JSON text, as body_read() makes them. */
void support_events(const struct mesh_streams *streams, const char *json, struct events *out);
/* Polls until condition(arg) holds; fails the test when it does not in time. */
void support_wait(bool (*condition)(void *arg), void *arg);

#endif
