/* SPDX-License-Identifier: Apache-2.0 */
/*
 * document: the archive's form of an event.
 *
 * Threads: any. Nothing blocks.
 */
#ifndef DOCUMENT_H
#define DOCUMENT_H

#include "batch.h"

/* Appends the document of an entry whose record was read, and is still there. NULL, or a constant
 * that says why there can be none; *out is as before then. */
const char *document_write(struct mesh_buffer *out, const struct entry *entry);
/* The traceparent header, if it is there and well-formed, else empty; good as long as the message.
 */
struct mesh_bytes document_traceparent(const rd_kafka_message_t *message);

#endif
