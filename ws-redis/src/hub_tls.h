/* SPDX-License-Identifier: Apache-2.0 */
/* hub_tls: TLS on the WebSocket port. Threads: libwebsockets', unless it says otherwise. */
#ifndef HUB_TLS_H
#define HUB_TLS_H

#include "hub_state.h"

/* Adds TLS to what a context and a virtual host are made with, if there is a certificate. Caller:
 * hub_new(). */
void hub_tls_fill(struct hub *hub, struct lws_context_creation_info *info);
/* Takes the new certificate, if there is one. */
void hub_tls_renew(struct hub *hub);

#endif
