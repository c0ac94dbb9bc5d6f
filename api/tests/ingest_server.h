/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest_server: a gRPC server for tests, on loopback, that answers as it is told to.
 *
 * Threads: one of its own; all calls below from any thread.
 */
#ifndef API_TESTS_INGEST_SERVER_H
#define API_TESTS_INGEST_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ingest_mode {
    INGEST_STORES,           /* every event: OK, partition 0 to 3, the next offset */
    INGEST_NO_OFFSETS,       /* OK, but offset -1 */
    INGEST_HOLDS,            /* reads and never answers */
    INGEST_BREAKS,           /* ends the stream when a message comes */
    INGEST_WRONG_COLUMNS,    /* answers one code too few */
    INGEST_UNKNOWN_SEQUENCE, /* answers a sequence nobody sent */
    INGEST_REVERSES,         /* answers messages in pairs, the later one first */
    INGEST_FAILS,            /* every event: the code of ingest_server_fail_with() */
    INGEST_ALTERNATES,       /* every other event so, the first is stored */
};

struct ingest_server;

/* port 0: any free one. */
struct ingest_server *ingest_server_new(uint16_t port);
uint16_t ingest_server_port(const struct ingest_server *server);
void ingest_server_set_mode(struct ingest_server *server, enum ingest_mode mode);
void ingest_server_fail_with(struct ingest_server *server, uint32_t code);
void ingest_server_set_serving(struct ingest_server *server, bool serving);
/* How often an event with this id came in. */
size_t ingest_server_seen(struct ingest_server *server, const char *id);
size_t ingest_server_events(struct ingest_server *server);
size_t ingest_server_messages(struct ingest_server *server);
size_t ingest_server_streams(struct ingest_server *server);
/* How many messages have made it end a stream. */
size_t ingest_server_broken(struct ingest_server *server);
/* The last event that came in, as text; the caller frees them. */
void ingest_server_last(struct ingest_server *server, char **payload, char **traceparent);
void ingest_server_free(struct ingest_server *server);

#endif
