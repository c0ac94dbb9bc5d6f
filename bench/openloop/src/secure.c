/* SPDX-License-Identifier: Apache-2.0 */
#include "secure.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>

struct ssl_ctx_st *secure_new(const char *ca, struct mesh_error *err)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL || SSL_CTX_load_verify_file(context, ca) != 1) {
        mesh_fail(err, MESH_INVALID_ARGUMENT, "--ca: no certificate in %s", ca);
        SSL_CTX_free(context);
        return NULL;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    return context;
}

void secure_free(struct ssl_ctx_st *context)
{
    SSL_CTX_free(context);
}

struct ssl_st *secure_open(struct ssl_ctx_st *context, int socket, const char *host)
{
    SSL *tls = SSL_new(context);
    if (tls == NULL || SSL_set_fd(tls, socket) != 1 ||
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host) != 1) {
        SSL_free(tls);
        return NULL;
    }
    SSL_set_connect_state(tls);
    return tls;
}

static ssize_t result_of(const struct ssl_st *tls, int result)
{
    int why = SSL_get_error(tls, result);
    ERR_clear_error();
    if (why == SSL_ERROR_ZERO_RETURN) {
        return 0;
    }
    bool waits = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ||
                 (why == SSL_ERROR_SYSCALL && errno == ENOTCONN);
    errno = waits ? EAGAIN : ECONNRESET;
    return -1;
}

ssize_t secure_send(struct ssl_st *tls, const void *data, size_t size)
{
    size_t sent = 0;
    int result = SSL_write_ex(tls, data, size, &sent);
    return result == 1 ? (ssize_t)sent : result_of(tls, result);
}

ssize_t secure_receive(struct ssl_st *tls, void *out, size_t size)
{
    size_t received = 0;
    int result = SSL_read_ex(tls, out, size, &received);
    return result == 1 ? (ssize_t)received : result_of(tls, result);
}

/* OpenSSL reads ahead as much as its room for a record takes: with less than half of that nothing
 * was left behind. */
bool secure_received_all(const struct ssl_st *tls, size_t size)
{
    return size < SSL3_RT_MAX_PLAIN_LENGTH / 2 && SSL_has_pending(tls) == 0;
}

void secure_close(struct ssl_st *tls)
{
    SSL_free(tls);
}
