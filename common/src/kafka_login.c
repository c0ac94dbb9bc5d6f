/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/kafka_login.h"

#include "mesh/alloc.h"
#include "mesh/kafka.h"
#include "mesh/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS_MAX 8 /* at a time; more get a new password when they are made anew */

static const struct mesh_kafka_login *in_use;
static atomic_bool failed; /* told, and no broker reached since */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static rd_kafka_t *clients[CLIENTS_MAX]; /* guarded by the mutex */

void mesh_kafka_login_check(const struct mesh_kafka_login *login, struct mesh_buffer *problems)
{
    const struct mesh_tls_files *files = &login->files;
    const bool user = login->user[0] != '\0';

    if (user != (login->password[0] != '\0')) {
        mesh_buffer_add_format(problems, "KAFKA_%s is given without KAFKA_%s\n",
                               user ? "USER" : "PASSWORD", user ? "PASSWORD" : "USER");
    }
    if (!login->tls && user) {
        mesh_buffer_add_text(
            problems, "KAFKA_USER without KAFKA_TLS=true: a password needs a private line\n");
    }
    if (!login->tls &&
        (mesh_tls_given(files->ca) || mesh_tls_given(files->cert) || mesh_tls_given(files->key))) {
        mesh_buffer_add_text(
            problems, "KAFKA_CA, KAFKA_CERT and KAFKA_KEY mean nothing without KAFKA_TLS=true\n");
    }
    mesh_tls_check("KAFKA", files, problems);
}

void mesh_kafka_login_use(const struct mesh_kafka_login *login)
{
    in_use = login;
}

static bool password_renew(struct mesh_error *err)
{
    char *password = mesh_config_secret_now("KAFKA_PASSWORD", in_use->password);
    bool good = true;

    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        rd_kafka_error_t *error =
            clients[i] == NULL ? NULL
                               : rd_kafka_sasl_set_credentials(clients[i], in_use->user, password);
        if (error != NULL) {
            good = mesh_fail(err, MESH_INTERNAL, "Kafka: %s", rd_kafka_error_string(error));
            rd_kafka_error_destroy(error);
        }
    }
    pthread_mutex_unlock(&mutex);
    free(password);
    atomic_store(&failed, false); /* if it is wrong again, that is news */
    return good;
}

static bool on_changed(void *arg, struct mesh_error *err)
{
    (void)arg;
    if (mesh_tls_given(in_use->files.ca) || mesh_tls_given(in_use->files.cert)) {
        mesh_log(MESH_LOG_WARN, "kafka_files_changed",
                 MESH_LOG_TEXT("message", "a password is taken; certificates with the next start"));
    }
    return in_use->user[0] == '\0' || password_renew(err);
}

struct mesh_tls_watched mesh_kafka_login_watched(const struct mesh_kafka_login *login)
{
    return (struct mesh_tls_watched){.use = "kafka",
                                     .files = &login->files,
                                     .secret = mesh_config_secret_file("KAFKA_PASSWORD"),
                                     .changed = on_changed};
}

static rd_kafka_resp_err_t on_state(rd_kafka_t *kafka, int32_t broker, const char *protocol,
                                    const char *name, int port, const char *state, void *arg)
{
    (void)kafka;
    (void)broker;
    (void)protocol;
    (void)name;
    (void)port;
    (void)arg;
    if (strcmp(state, "UP") == 0 && atomic_exchange(&failed, false)) {
        mesh_log(MESH_LOG_INFO, "kafka_login_good");
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void client_replace(rd_kafka_t *old, rd_kafka_t *new)
{
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        if (clients[i] == old) {
            clients[i] = new;
            break;
        }
    }
    pthread_mutex_unlock(&mutex);
}

static rd_kafka_resp_err_t on_destroy(rd_kafka_t *kafka, void *arg)
{
    (void)arg;
    client_replace(kafka, NULL);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(rd_kafka_t *kafka, const rd_kafka_conf_t *conf, void *arg,
                                  char *text, size_t text_size)
{
    (void)conf;
    (void)arg;
    (void)text;
    (void)text_size;
    (void)rd_kafka_interceptor_add_on_broker_state_change(kafka, "mesh", on_state, NULL);
    if (rd_kafka_interceptor_add_on_destroy(kafka, "mesh", on_destroy, NULL) ==
            RD_KAFKA_RESP_ERR_NO_ERROR &&
        in_use->user[0] != '\0') {
        client_replace(NULL, kafka);
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static bool set_if(rd_kafka_conf_t *conf, const char *name, const char *value,
                   struct mesh_error *err)
{
    return !mesh_tls_given(value) || mesh_kafka_set(conf, name, value, err);
}

static bool apply_password(rd_kafka_conf_t *conf, struct mesh_error *err)
{
    char *password = mesh_config_secret_now("KAFKA_PASSWORD", in_use->password);
    bool good = mesh_kafka_set(conf, "sasl.mechanism", "SCRAM-SHA-512", err) &&
                mesh_kafka_set(conf, "sasl.username", in_use->user, err) &&
                mesh_kafka_set(conf, "sasl.password", password, err);
    free(password);
    return good;
}

bool mesh_kafka_login_apply(rd_kafka_conf_t *conf, struct mesh_error *err)
{
    if (in_use == NULL || !in_use->tls) {
        return true;
    }
    const struct mesh_tls_files *files = &in_use->files;
    const bool user = in_use->user[0] != '\0';

    if (rd_kafka_conf_interceptor_add_on_new(conf, "mesh", on_new, NULL) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        return mesh_fail(err, MESH_INTERNAL, "librdkafka takes no interceptor");
    }
    return mesh_kafka_set(conf, "security.protocol", user ? "sasl_ssl" : "ssl", err) &&
           mesh_kafka_set(conf, "ssl.ca.location", mesh_tls_given(files->ca) ? files->ca : "probe",
                          err) &&
           set_if(conf, "ssl.certificate.location", files->cert, err) &&
           set_if(conf, "ssl.key.location", files->key, err) &&
           (!user || apply_password(conf, err));
}

bool mesh_kafka_login_heard(const char *line)
{
    static const char *const signs[] = {"SASL authentication error", "SSL handshake failed",
                                        "Authentication failed"};

    if (in_use == NULL || !in_use->tls) {
        return false;
    }
    for (size_t i = 0; i < MESH_COUNT_OF(signs); i++) {
        if (strstr(line, signs[i]) != NULL) {
            if (!atomic_exchange(&failed, true)) {
                mesh_log(MESH_LOG_ERROR, "kafka_login_failed", MESH_LOG_TEXT("message", line));
            }
            return true;
        }
    }
    return false;
}
