/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest_fixture: the server as main() builds it, in this process, in front of a mock broker, with
 * a client.
 *
 * Threads: the test's. Failures fail the cmocka case.
 */
#ifndef INGEST_FIXTURE_H
#define INGEST_FIXTURE_H

#include "client.h"
#include "ingest.h"
#include "mock_kafka.h"
#include "publisher.h"
#include "server.h"
#include "tweetmesh/v1/ingest.pb-c.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* The server's limits, and how long a test waits for what must come. */
enum { CALL_REQUESTS_MAX = 4, CALLS_MAX = 3, INGEST_WAIT_MS = 30000 };

extern const char ingest_publish_path[];
extern const char ingest_stream_path[];
extern const char ingest_good_event[];

struct ingest_fixture {
    struct mock_kafka mock;
    struct mesh_streams *streams;
    struct publisher *publisher;
    struct ingest *ingest;
    struct server *server;
    struct method methods[INGEST_METHOD_COUNT];
    struct client client;
};

int ingest_fixture_set_up(void **state);
int ingest_fixture_tear_down(void **state);

/* A request of `count` events with this payload. The caller is done with it. */
struct mesh_buffer ingest_request(uint64_t sequence, size_t count, const char *payload);
/* The caller frees it (tweetmesh__v1__publish_reply__free_unpacked). */
Tweetmesh__V1__PublishReply *ingest_reply(const struct mesh_buffer *buffer);
/* A message of `count` good events. */
void ingest_stream_send(struct client_call *call, uint64_t sequence, size_t count);
/* Returns once Kafka has not yet answered for at least so many events. */
void ingest_await_under_way(const struct ingest_fixture *fixture, size_t count);
/* Lets the server drain, in a thread that the caller joins; returns once it does. */
pthread_t ingest_drain_begin(struct ingest_fixture *fixture);
/* How Publish answers this message; its status must have this text. */
grpc_status_code ingest_unary_status(struct ingest_fixture *fixture, struct mesh_bytes message,
                                     const char *text);

#endif
