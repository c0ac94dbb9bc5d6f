/* SPDX-License-Identifier: Apache-2.0 */
/*
 * messages: PublishRequests made of the lines of a file before the clock runs; only ids and
 * sequence numbers are written when one is sent.
 *
 * Threads: one at a time.
 */
#ifndef MESSAGES_H
#define MESSAGES_H

#include "lines.h"

#include <stdint.h>

#define MESSAGES_BATCH_MAX 1000      /* events in a message; proto/ says so */
#define MESSAGES_BYTES_MAX 4194304   /* likewise */
#define MESSAGES_STREAM_BYTES_MAX 63 /* likewise */
#define MESSAGES_SEQUENCE_BYTES_MAX 11

struct messages;

/* batch: events in a message. The caller owns the result, and `lines` can go. NULL on failure, with
 * *err filled in (INVALID_ARGUMENT): a message would be too big. */
MESH_MUST_CHECK
struct messages *messages_new(const struct lines *lines, const char *stream, uint64_t batch,
                              struct mesh_error *err);
/* The bytes of the first `events` of message `number` (round and round), without its sequence. */
size_t messages_size(const struct messages *messages, uint64_t number, uint64_t events);
/* Writes them, and the sequence; each event with an id that no other has. `out` has room for
 * messages_size() and MESSAGES_SEQUENCE_BYTES_MAX. Returns how many bytes there are. */
size_t messages_write(struct messages *messages, uint64_t number, uint64_t events,
                      uint64_t sequence, uint8_t *out);
/* Accepts NULL. */
void messages_free(struct messages *messages);

#endif
