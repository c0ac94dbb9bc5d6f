/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest: the service tweetmesh.v1.Ingest: from a PublishRequest to Kafka and back as a reply.
 *
 * Threads: requests come in on gRPC workers and are answered on a producer's thread.
 */
#ifndef INGEST_H
#define INGEST_H

#include "call.h"
#include "mesh/stream.h"
#include "publisher.h"

struct ingest;

enum { INGEST_METHOD_COUNT = 2 };

/* Both are kept and must outlive it, and so must ingest outlive the publisher's last report: free
 * it after the publisher's end. The caller owns the result. */
struct ingest *ingest_new(const struct mesh_streams *streams, struct publisher *publisher);
/* Writes the methods that a server has to offer. */
void ingest_methods(struct ingest *ingest, struct method out[static INGEST_METHOD_COUNT]);
/* Accepts NULL. */
void ingest_free(struct ingest *ingest);

#endif
