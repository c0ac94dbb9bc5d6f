/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mongo_sink: a server that speaks MongoDB's protocol and stores nothing, to inject errors and to
 * measure speed. It says yes to every insert, unless told otherwise, and finds what it is told.
 *
 * Threads: one per connection, of its own; the calls from any thread.
 */
#ifndef MONGO_SINK_H
#define MONGO_SINK_H

#include <stddef.h>
#include <stdint.h>

struct mongo_sink;

/* Listens on 127.0.0.1; port 0: any free one. NULL: it cannot. */
struct mongo_sink *mongo_sink_new(uint16_t port);
/* "mongodb://127.0.0.1:port"; lives as long as the sink. */
const char *mongo_sink_uri(const struct mongo_sink *sink);
/* JSON that is merged into each reply to an insert, as
 * {"n":0,"writeErrors":[{"index":0,"code":121,"errmsg":"x"}]}; NULL: none. `times`: then no more.
 */
void mongo_sink_set_insert_reply(struct mongo_sink *sink, const char *json, size_t times);
/* JSON of the one document that each find finds; NULL: none. */
void mongo_sink_set_found(struct mongo_sink *sink, const char *json);
/* Documents that came in inserts, and finds. */
size_t mongo_sink_inserted(const struct mongo_sink *sink);
size_t mongo_sink_finds(const struct mongo_sink *sink);
/* Ends all connections. */
void mongo_sink_free(struct mongo_sink *sink);

#endif
