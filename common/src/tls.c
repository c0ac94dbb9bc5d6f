/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include <time.h>

static const char *openssl_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return reason != NULL ? reason : "unreadable";
}

/* A key that wants a password has none here; nobody is asked. */
static int no_password(char *out, int size, int writing, void *arg)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static X509 *certificate_read(const char *path, struct mesh_error *err)
{
    BIO *file = BIO_new_file(path, "r");
    X509 *certificate = file == NULL ? NULL : PEM_read_bio_X509(file, NULL, no_password, NULL);
    BIO_free(file);
    if (certificate == NULL) {
        mesh_fail(err, MESH_INVALID_ARGUMENT, "no certificate (PEM) in \"%s\": %s", path,
                  openssl_reason());
    }
    return certificate;
}

static EVP_PKEY *key_read(const char *path, struct mesh_error *err)
{
    BIO *file = BIO_new_file(path, "r");
    EVP_PKEY *key = file == NULL ? NULL : PEM_read_bio_PrivateKey(file, NULL, no_password, NULL);
    BIO_free(file);
    if (key == NULL) {
        mesh_fail(err, MESH_INVALID_ARGUMENT,
                  "no private key (PEM, without password) in \"%s\": %s", path, openssl_reason());
    }
    return key;
}

static bool expiry_of(const X509 *certificate, int64_t *out_s)
{
    struct tm time;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &time) != 1) {
        return false;
    }
    *out_s = timegm(&time);
    return true;
}

bool mesh_tls_read(const char *cert, const char *key, int64_t *out_expiry_s, struct mesh_error *err)
{
    EVP_PKEY *pair = NULL;
    X509 *certificate = certificate_read(cert, err);
    bool good = certificate != NULL;
    if (good && mesh_tls_given(key)) {
        pair = key_read(key, err);
        good = pair != NULL;
    }
    if (good && pair != NULL && X509_check_private_key(certificate, pair) != 1) {
        ERR_clear_error();
        good = mesh_fail(err, MESH_INVALID_ARGUMENT, "the key in \"%s\" is not that of \"%s\"", key,
                         cert);
    }
    if (good && !expiry_of(certificate, out_expiry_s)) {
        good = mesh_fail(err, MESH_INVALID_ARGUMENT, "\"%s\" does not say when it expires", cert);
    }
    EVP_PKEY_free(pair); /* these accept NULL */
    X509_free(certificate);
    return good;
}

void mesh_tls_check(const char *prefix, const struct mesh_tls_files *files,
                    struct mesh_buffer *problems)
{
    const bool cert = mesh_tls_given(files->cert);
    struct mesh_error err = {0};
    int64_t expiry_s = 0;

    if (mesh_tls_given(files->ca) && !mesh_tls_read(files->ca, NULL, &expiry_s, &err)) {
        mesh_buffer_add_format(problems, "%s_CA: %s\n", prefix, err.text);
    }
    if (cert != mesh_tls_given(files->key)) {
        mesh_buffer_add_format(problems, "%s_%s is given without %s_%s\n", prefix,
                               cert ? "CERT" : "KEY", prefix, cert ? "KEY" : "CERT");
    } else if (cert && !mesh_tls_read(files->cert, files->key, &expiry_s, &err)) {
        mesh_buffer_add_format(problems, "%s_CERT, %s_KEY: %s\n", prefix, prefix, err.text);
    }
}
