/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link: the connection to grpc-server: one channel, a stream on it that is started anew whenever it
 * ends, and a health check a second (every four while nothing is sent).
 *
 * The stream is one PublishStream call or more, of which each has one message without a reply at a
 * time; most of the time one does. They end together.
 *
 * Threads: one of its own, for the completion queue; all handlers run on it and must not block.
 * link_send() may be called from any thread, between up() and closing(), by one at a time.
 */
#ifndef API_LINK_H
#define API_LINK_H

#include "mesh/bytes.h"
#include "mesh/error.h"
#include "rpc.h"

#include <stdbool.h>
#include <stddef.h>

struct link;

#define LINK_TICK_MS 5

struct link_handler {
    void *arg;
    void (*up)(void *arg); /* the server serves: messages may be sent */
    /* A message's reply came. False: it makes no sense, end the stream. */
    bool (*reply)(void *arg, struct mesh_bytes message);
    /* The stream ends: no link_send() may be announced any more. Replies may still come. */
    void (*closing)(void *arg);
    void (*down)(void *arg); /* the stream has ended; nothing of it will be heard any more */
    /* At least twice a second, and every LINK_TICK_MS while messages are without a reply. False:
     * end the stream. */
    bool (*tick)(void *arg);
};

/* Starts connecting. `target` is copied. NULL on failure, with *err filled in. */
MESH_MUST_CHECK
struct link *link_new(const struct rpc_target *target, const struct link_handler *handler,
                      struct mesh_error *err);

/* Announces a link_send() so that the stream is not taken away meanwhile. To be called under the
 * lock by which up() and closing() tell the caller that there is a stream. */
void link_reserve(struct link *link);
/* Sends the parts, one after another, as one message; they are copied. At most LANES_MAX
 * messages may be without a reply. */
void link_send(struct link *link, const struct mesh_bytes *parts, size_t count);

/* Whether the last health check said SERVING. */
bool link_serving(const struct link *link);
/* Cancels the call and ends the thread. Accepts NULL. */
void link_free(struct link *link);

#endif
