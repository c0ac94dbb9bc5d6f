/* SPDX-License-Identifier: Apache-2.0 */
#include "redis_tls.h"

#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

static bool files_load(SSL_CTX *context, const struct mesh_tls_files *files, struct mesh_error *err)
{
    bool good = files != NULL && mesh_tls_given(files->ca)
                    ? SSL_CTX_load_verify_file(context, files->ca) == 1
                    : SSL_CTX_set_default_verify_paths(context) == 1;
    if (good && files != NULL && mesh_tls_given(files->cert)) {
        good = SSL_CTX_use_certificate_chain_file(context, files->cert) == 1 &&
               SSL_CTX_use_PrivateKey_file(context, files->key, SSL_FILETYPE_PEM) == 1;
    }
    ERR_clear_error();
    return good || mesh_fail(err, MESH_UNAVAILABLE, "TLS: the certificates cannot be read");
}

/* hiredis's own redisSSLContext would not compare the name in the certificate with the host. */
bool redis_tls_start(redisContext *redis, const char *host, const struct mesh_tls_files *files,
                     struct mesh_error *err)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *tls = NULL;
    bool started = false;
    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
        mesh_fail(err, MESH_INTERNAL, "TLS: OpenSSL does not start");
        goto out;
    }
    if (!files_load(context, files, err)) {
        goto out;
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    tls = SSL_new(context);
    if (tls == NULL ||
        (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host) != 1 &&
         (SSL_set1_host(tls, host) != 1 || SSL_set_tlsext_host_name(tls, host) != 1))) {
        mesh_fail(err, MESH_INTERNAL, "TLS: OpenSSL does not take the host's name");
        goto out;
    }
    started = redisInitiateSSL(redis, tls) == REDIS_OK;
    if (started) {
        tls = NULL; /* the connection owns it now */
    } else {
        mesh_fail(err, MESH_UNAVAILABLE, "TLS: %s", redis->errstr);
    }
out:
    SSL_free(tls);
    SSL_CTX_free(context); /* tls holds its own reference */
    return started;
}
