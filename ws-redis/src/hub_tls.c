/* SPDX-License-Identifier: Apache-2.0 */
#include "hub_tls.h"

#include "hub.h"

#include <openssl/ssl.h>

void hub_tls_fill(struct hub *hub, struct lws_context_creation_info *info)
{
    if (hub->tls == NULL || !mesh_tls_given(hub->tls->cert)) {
        return;
    }
    info->options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    info->ssl_cert_filepath = hub->tls->cert;
    info->ssl_private_key_filepath = hub->tls->key;
    info->ssl_options_set = SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1;
    info->alpn = "http/1.1";
}

bool hub_certificate_changed(void *arg, struct mesh_error *err)
{
    struct hub *hub = arg;
    (void)err;
    atomic_store(&hub->certificate_changed, true);
    lws_cancel_service(hub->context);
    return true;
}

void hub_tls_renew(struct hub *hub)
{
    if (atomic_exchange(&hub->certificate_changed, false)) {
        (void)lws_tls_cert_updated(hub->context, hub->tls->cert, hub->tls->key, NULL, 0, NULL, 0);
    }
}
