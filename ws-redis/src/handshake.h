/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handshake: what a request for an upgrade asks for, and whether it may.
 *
 * Threads: the libwebsockets thread, inside LWS_CALLBACK_HTTP_CONFIRM_UPGRADE only.
 */
#ifndef HANDSHAKE_H
#define HANDSHAKE_H

#include <libwebsockets.h>

#define HANDSHAKE_COUNTS "counts.v1"
#define HANDSHAKE_LIVE "live.v1"

enum handshake {
    HANDSHAKE_FEEDER,
    HANDSHAKE_VIEWER,
    HANDSHAKE_FOREIGN, /* a feeder that is another site's page in a browser */
    HANDSHAKE_UNKNOWN, /* no WebSocket, or not exactly one subprotocol of ours */
};

enum handshake handshake_read(struct lws *wsi, const char *upgrade);

#endif
