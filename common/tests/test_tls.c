/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: certificates that cannot be used are refused with the reason; new ones are noticed.
 * Method: certificates made by OpenSSL in a folder of the test's own; the watch really watches.
 */
#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "mesh/macros.h"
#include "mesh/metrics.h"
#include "mesh/tls.h"

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
/* clang-format on */

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WAIT_US 20000000

static char folder[] = "/tmp/test_tls_XXXXXX";
static char cert[64];
static char key[64];
static char other_key[64];
static char junk[64];

/* A self-signed certificate that expires in so many seconds, and its key. */
static void make(const char *cert_path, const char *key_path, long expires_in_s)
{
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    X509 *made = X509_new();
    assert_non_null(pair);
    assert_non_null(made);
    X509_set_version(made, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made), 1);
    X509_gmtime_adj(X509_getm_notBefore(made), -1000);
    X509_gmtime_adj(X509_getm_notAfter(made), expires_in_s);
    X509_set_pubkey(made, pair);
    assert_true(X509_sign(made, pair, EVP_sha256()) > 0);
    char *partial = mesh_format("%s.partial", cert_path);
    FILE *file = fopen(partial, "w");
    if (file == NULL) {
        fail_msg("cannot write %s", partial);
        return;
    }
    bool good = PEM_write_X509(file, made) == 1;
    good = fclose(file) == 0 && good;
    assert_true(good);
    file = fopen(key_path, "w");
    if (file == NULL) {
        fail_msg("cannot write %s", key_path);
        return;
    }
    good = PEM_write_PrivateKey(file, pair, NULL, NULL, 0, NULL, NULL) == 1;
    good = fclose(file) == 0 && good;
    assert_true(good);
    assert_int_equal(rename(partial, cert_path), 0);
    free(partial);
    X509_free(made);
    EVP_PKEY_free(pair);
}

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(cert, sizeof(cert), "%s/cert", folder);
    snprintf(key, sizeof(key), "%s/key", folder);
    snprintf(other_key, sizeof(other_key), "%s/other", folder);
    snprintf(junk, sizeof(junk), "%s/junk", folder);
    make(cert, other_key, 3600);
    make(cert, key, 3600);
    FILE *file = fopen(junk, "w");
    return file == NULL || fputs("-----BEGIN CERTIFICATE-----\nnonsense\n", file) < 0 ||
           fclose(file) != 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(cert);
    (void)unlink(key);
    (void)unlink(other_key);
    (void)unlink(junk);
    mesh_metrics_done();
    return rmdir(folder);
}

static void test_what_cannot_be_used_is_refused_with_the_reason(void **state)
{
    (void)state;
    const struct {
        struct mesh_tls_files files;
        const char *said;
    } cases[] = {
        {{.cert = cert}, "X_CERT is given without X_KEY"},
        {{.key = key}, "X_KEY is given without X_CERT"},
        {{.cert = cert, .key = other_key}, "is not that of"},
        {{.cert = junk, .key = key}, "no certificate"},
        {{.cert = cert, .key = junk}, "no private key"},
        {{.ca = key}, "X_CA: no certificate"},
        {{.ca = folder}, "X_CA: no certificate"},
    };
    for (size_t i = 0; i < MESH_COUNT_OF(cases); i++) {
        struct mesh_buffer problems = {0};
        mesh_tls_check("X", &cases[i].files, &problems);
        assert_true(problems.size > 0);
        assert_non_null(strstr(problems.data, cases[i].said));
        mesh_buffer_done(&problems);
    }
}

static void test_good_files_and_none_at_all_are_taken(void **state)
{
    (void)state;
    const struct mesh_tls_files cases[] = {
        {0}, {.ca = "", .cert = "", .key = ""}, {.ca = cert, .cert = cert, .key = key}};
    for (size_t i = 0; i < MESH_COUNT_OF(cases); i++) {
        struct mesh_buffer problems = {0};
        mesh_tls_check("X", &cases[i], &problems);
        assert_int_equal(problems.size, 0);
    }
}

static bool count(void *arg, struct mesh_error *err)
{
    (void)err;
    atomic_fetch_add((atomic_int *)arg, 1);
    return true;
}

static bool wait_for(const atomic_int *value, int wanted)
{
    int64_t until_us = mesh_clock_mono_us() + WAIT_US;
    while (atomic_load(value) < wanted && mesh_clock_mono_us() < until_us) {
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    return atomic_load(value) == wanted;
}

static int64_t shown_expiry(void)
{
    return mesh_metric_value(mesh_gauge("tweetmesh_certificate_expiry_timestamp_seconds",
                                        "use=\"test\"",
                                        "When our certificate expires, in seconds "
                                        "of Unix time."));
}

static void test_a_new_certificate_is_told_and_a_broken_one_is_not(void **state)
{
    (void)state;
    static atomic_int changes;
    const struct mesh_tls_files files = {.cert = cert, .key = key};
    const struct mesh_tls_watched watched = {
        .use = "test", .files = &files, .changed = count, .arg = &changes};
    struct mesh_error err = {0};
    struct mesh_buffer reason = {0};

    make(cert, key, 3600);
    struct mesh_tls_watch *watch = mesh_tls_watch_new(&watched, 1, &err);
    assert_non_null(watch);
    assert_true(mesh_tls_watch_ready(watch, &reason));
    int64_t first_s = shown_expiry();
    assert_true(first_s > time(NULL));

    make(cert, key, 7200);
    assert_true(wait_for(&changes, 1));
    assert_true(shown_expiry() > first_s);

    make(cert, other_key, 9999); /* whose key is not there */
    make(other_key, other_key, 1);
    int64_t until_us = mesh_clock_mono_us() + 3000000;
    while (mesh_clock_mono_us() < until_us) {
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
        assert_int_equal(atomic_load(&changes), 1);
    }
    make(cert, key, 3600);
    assert_true(wait_for(&changes, 2));
    mesh_tls_watch_free(watch);
}

static void test_an_expired_certificate_is_not_ready_and_says_so(void **state)
{
    (void)state;
    const struct mesh_tls_files files = {.cert = cert, .key = key};
    const struct mesh_tls_watched watched = {.use = "test", .files = &files};
    struct mesh_error err = {0};
    struct mesh_buffer reason = {0};

    make(cert, key, -10);
    struct mesh_tls_watch *watch = mesh_tls_watch_new(&watched, 1, &err);
    assert_non_null(watch);
    assert_false(mesh_tls_watch_ready(watch, &reason));
    assert_non_null(strstr(reason.data, "test has expired"));
    mesh_buffer_done(&reason);
    mesh_tls_watch_free(watch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_cannot_be_used_is_refused_with_the_reason),
        cmocka_unit_test(test_good_files_and_none_at_all_are_taken),
        cmocka_unit_test(test_a_new_certificate_is_told_and_a_broken_one_is_not),
        cmocka_unit_test(test_an_expired_certificate_is_not_ready_and_says_so),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
