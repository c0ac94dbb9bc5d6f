/* SPDX-License-Identifier: Apache-2.0 */
/*
 * framing: whether a request's head says in one way only where its body ends, and which key it has.
 *
 * Two lengths, or a length beside chunks, are how requests are smuggled past a proxy that reads the
 * other one (RFC 9112, section 6.3); libmicrohttpd takes the first. Threads: the connection's.
 */
#ifndef API_FRAMING_H
#define API_FRAMING_H

#include <microhttpd.h>
#include <stdbool.h>

/* False: the head is ambiguous; answer with 400 and close. */
bool framing_is_clear(struct MHD_Connection *mhd);

#endif
