/* SPDX-License-Identifier: Apache-2.0 */
/*
 * head: the headers of a request that matter, found in one pass, and whether they say in one way
 * only where its body ends and which key it has.
 *
 * Two lengths, or a length beside chunks, are how requests are smuggled past a proxy that reads the
 * other one (RFC 9112, section 6.3); libmicrohttpd takes the first. Threads: the connection's.
 */
#ifndef API_HEAD_H
#define API_HEAD_H

#include <microhttpd.h>
#include <stdbool.h>

/* The first value of each; NULL: absent. They live as long as the request. */
struct head {
    const char *content_type;
    const char *content_encoding;
    const char *content_length;
    const char *transfer_encoding;
    const char *idempotency_key;
    const char *traceparent;
    bool ambiguous; /* answer with 400 and close */
};

struct head head_read(struct MHD_Connection *mhd);

#endif
