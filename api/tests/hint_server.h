/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hint_server: a WebSocket server for tests, on loopback, that keeps the CountFrames it gets.
 *
 * Threads: one of its own; all calls below from any thread.
 */
#ifndef API_TESTS_HINT_SERVER_H
#define API_TESTS_HINT_SERVER_H

#include "tweetmesh/v1/counts.pb-c.h"

#include <stddef.h>
#include <stdint.h>

#define HINT_SERVER_FRAMES_MAX 4096

struct hint_server;

/* port 0: any free one. */
struct hint_server *hint_server_new(uint16_t port);
uint16_t hint_server_port(const struct hint_server *server);
size_t hint_server_frame_count(struct hint_server *server);
/* Offsets spoken of in all frames. */
size_t hint_server_offset_count(struct hint_server *server);
/* Lives until hint_server_free(). */
const Tweetmesh__V1__CountFrame *hint_server_frame(struct hint_server *server, size_t index);
void hint_server_free(struct hint_server *server);

#endif
