/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request: one PublishRequest from its bytes to the reply's.
 *
 * Threads: one at a time; it goes with its batch from a gRPC thread to a producer's. Ownership:
 * everything a request holds lives in it until request_free().
 */
#ifndef REQUEST_H
#define REQUEST_H

#include "mesh/bytes.h"
#include "mesh/error.h"
#include "mesh/macros.h"
#include "mesh/stream.h"
#include "publication.h"

#include <stdbool.h>
#include <stdint.h>

/* Bytes of a request: the contract's 4 MiB of events, and what frames them. */
#define REQUEST_BYTES_MAX (4 * 1024 * 1024 + 256 * 1024)

/* How far a client's clock may be ahead; Kafka would refuse a whole batch for one such event. */
#define REQUEST_AHEAD_MS_MAX INT64_C(300000)

struct request;

/* Reads a message, which must stay where it is until request_check() returns. The caller owns the
 * result. NULL, with *err filled in (INVALID_ARGUMENT): malformed, no event, or too many. streams
 * is kept. */
MESH_MUST_CHECK
struct request *request_new(const struct mesh_streams *streams, struct mesh_bytes message,
                            struct mesh_error *err);

/* Checks every event and makes its record; to be called once. Refused ones have another code than
 * MESH_OK. Nothing points into the message afterwards. */
void request_check(struct request *request, int64_t now_ms);
/* What is to be published; its done and arg are the caller's to set. Owned by the request. */
struct publication_batch *request_batch(struct request *request);

/* Size of the packed PublishReply once the batch is done, and the reply itself into at least so
 * many bytes. */
size_t request_reply_size(struct request *request);
void request_reply_write(struct request *request, uint8_t *out);

/* The reply is on its way: the end of the request's spans. method: a constant. */
void request_replied(const struct request *request, const char *method, int64_t began_us);

/* Accepts NULL. */
void request_free(struct request *request);

#endif
