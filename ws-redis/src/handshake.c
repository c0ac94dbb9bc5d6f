/* SPDX-License-Identifier: Apache-2.0 */
#include "handshake.h"

#include <stdbool.h>
#include <string.h>

#define HEADER_BYTES_MAX 256

/* Browsers tell where a page came from; programs usually say nothing. */
static bool is_foreign_origin(struct lws *wsi)
{
    char origin[HEADER_BYTES_MAX];
    char host[HEADER_BYTES_MAX];

    if (lws_hdr_total_length(wsi, WSI_TOKEN_ORIGIN) == 0) {
        return false;
    }
    if (lws_hdr_copy(wsi, origin, sizeof(origin), WSI_TOKEN_ORIGIN) <= 0 ||
        lws_hdr_copy(wsi, host, sizeof(host), WSI_TOKEN_HOST) <= 0) {
        return true;
    }
    const char *authority = strstr(origin, "://");
    return strcmp(authority == NULL ? origin : authority + 3, host) != 0;
}

enum handshake handshake_read(struct lws *wsi, const char *upgrade)
{
    char protocol[HEADER_BYTES_MAX];

    if (strcasecmp(upgrade, "websocket") != 0 ||
        lws_hdr_copy(wsi, protocol, sizeof(protocol), WSI_TOKEN_PROTOCOL) <= 0) {
        return HANDSHAKE_UNKNOWN;
    }
    if (strcmp(protocol, HANDSHAKE_LIVE) == 0) {
        return HANDSHAKE_VIEWER;
    }
    if (strcmp(protocol, HANDSHAKE_COUNTS) == 0) {
        return is_foreign_origin(wsi) ? HANDSHAKE_FOREIGN : HANDSHAKE_FEEDER;
    }
    return HANDSHAKE_UNKNOWN;
}
