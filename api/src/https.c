/* SPDX-License-Identifier: Apache-2.0 */
#include "https.h"

#include "https_record.h"
#include "https_wire.h"
#include "mesh/alloc.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static char priorities[] =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:"
    "+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:-MAC-ALL:+AEAD:%SERVER_PRECEDENCE";

/* One generation of the certificate. */
struct https_credentials {
    atomic_uint refs;
    gnutls_certificate_credentials_t gnutls;
    gnutls_datum_t ticket_key; /* of its own: whoever resumes has seen this certificate */
};

struct https {
    const struct mesh_tls_files *files;
    pthread_mutex_t mutex; /* guards the pointer */
    struct https_credentials *present;
};

static void credentials_unref(struct https_credentials *credentials)
{
    if (credentials != NULL && atomic_fetch_sub(&credentials->refs, 1) == 1) {
        gnutls_certificate_free_credentials(credentials->gnutls);
        gnutls_memset(credentials->ticket_key.data, 0, credentials->ticket_key.size);
        gnutls_free(credentials->ticket_key.data);
        free(credentials);
    }
}

static struct https_credentials *credentials_new(const struct mesh_tls_files *files,
                                                 struct mesh_error *err)
{
    struct https_credentials *credentials = mesh_new(struct https_credentials);
    atomic_init(&credentials->refs, 1);
    int code = gnutls_certificate_allocate_credentials(&credentials->gnutls);
    if (code < 0) {
        abort(); /* only for want of memory */
    }
    code = gnutls_certificate_set_x509_key_file(credentials->gnutls, files->cert, files->key,
                                                GNUTLS_X509_FMT_PEM);
    if (code >= 0) {
        code = gnutls_session_ticket_key_generate(&credentials->ticket_key);
    }
    if (code < 0) {
        mesh_fail(err, MESH_INVALID_ARGUMENT, "TLS_CERT, TLS_KEY: %s", gnutls_strerror(code));
        credentials_unref(credentials);
        return NULL;
    }
    return credentials;
}

struct https *https_new(const struct mesh_tls_files *files, struct mesh_error *err)
{
    struct https *https = mesh_new(struct https);
    https->files = files;
    pthread_mutex_init(&https->mutex, NULL);
    https->present = credentials_new(files, err);
    if (https->present == NULL) {
        https_free(https);
        return NULL;
    }
    return https;
}

bool https_renew(void *arg, struct mesh_error *err)
{
    struct https *https = arg;
    struct https_credentials *renewed = credentials_new(https->files, err);
    if (renewed == NULL) {
        return false;
    }
    pthread_mutex_lock(&https->mutex);
    struct https_credentials *old = https->present;
    https->present = renewed;
    pthread_mutex_unlock(&https->mutex);
    credentials_unref(old);
    return true;
}

/* libmicrohttpd wants to know of some certificate; https_session_begin() sets another before it is
 * asked for. */
static int no_certificate(gnutls_session_t session, const gnutls_datum_t *authorities, int count,
                          const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
                          gnutls_pcert_st **out_certificate, unsigned *out_length,
                          gnutls_privkey_t *out_key)
{
    (void)session;
    (void)authorities;
    (void)count;
    (void)algorithms;
    (void)algorithm_count;
    (void)out_certificate;
    (void)out_length;
    (void)out_key;
    return -1;
}

/* GnuTLS ends the reading of a new key by "again", which libmicrohttpd takes for an empty socket;
 * but the request behind it may have been read, too, and nothing would wake us for it. */
static int read_on(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
                   const gnutls_datum_t *message)
{
    (void)session;
    (void)type;
    (void)when;
    (void)message;
    return incoming != 0 ? GNUTLS_E_INTERRUPTED : 0;
}

struct MHD_OptionItem *https_options(void)
{
    static struct MHD_OptionItem options[] = {
        {MHD_OPTION_HTTPS_PRIORITIES, 0, priorities},
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    options[1].ptr_value = (void *)(uintptr_t)no_certificate;
    return options;
}

struct https_session https_session_begin(struct https *https, struct MHD_Connection *mhd)
{
    gnutls_session_t gnutls =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session;
    pthread_mutex_lock(&https->mutex);
    struct https_credentials *credentials = https->present;
    atomic_fetch_add(&credentials->refs, 1);
    pthread_mutex_unlock(&https->mutex);
    struct https_wire *wire =
        https_wire_new(MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
    gnutls_transport_set_ptr(gnutls, wire);
    gnutls_transport_set_pull_function(gnutls, https_wire_pull);
    gnutls_transport_set_vec_push_function(gnutls, https_wire_push);
    gnutls_handshake_set_hook_function(gnutls, GNUTLS_HANDSHAKE_KEY_UPDATE, GNUTLS_HOOK_POST,
                                       read_on);
    /* Neither fails but for want of memory; then the handshake does. */
    (void)gnutls_credentials_set(gnutls, GNUTLS_CRD_CERTIFICATE, credentials->gnutls);
    (void)gnutls_session_ticket_enable_server(gnutls, &credentials->ticket_key);
    return (struct https_session){.gnutls = gnutls,
                                  .wire = wire,
                                  .record = https_record_new(gnutls),
                                  .credentials = credentials};
}

void https_session_gather(const struct https_session *session)
{
    if (session->record != NULL) {
        https_record_gather(session->record);
    }
}

void https_session_write(const struct https_session *session, struct mesh_bytes bytes)
{
    (void)gnutls_record_send2(session->gnutls, bytes.data, bytes.size, 0, 0); /* never held */
}

uint64_t https_session_received(const struct https_session *session)
{
    return https_wire_pulled(session->wire);
}

void https_session_end(struct https_session *session)
{
    credentials_unref(session->credentials);
    https_wire_free(session->wire);
    https_record_free(session->record);
    *session = (struct https_session){0};
}

void https_free(struct https *https)
{
    if (https == NULL) {
        return;
    }
    credentials_unref(https->present);
    pthread_mutex_destroy(&https->mutex);
    free(https);
}
