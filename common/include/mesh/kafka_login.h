/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_login: how a program reaches Kafka: plain, over TLS, with a password (SASL, SCRAM-SHA-512)
 * or with a certificate. One per process, like the log.
 *
 * A password that comes from a file is read again when a client is made, and, by the watch, when
 * the file changes: running clients use it when they connect next. Certificates librdkafka reads
 * once; new ones need a restart, which is logged. Threads: mesh_kafka_login_use() before clients
 * are made; the rest as said.
 */
#ifndef MESH_KAFKA_LOGIN_H
#define MESH_KAFKA_LOGIN_H

#include "mesh/bytes.h"
#include "mesh/error.h"
#include "mesh/tls.h"

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

struct mesh_kafka_login {
    bool tls;
    struct mesh_tls_files files;
    char *user;
    char *password;
};

/* Its rows in a table of options; `at` is its offset in the program's struct config. */
/* clang-format off */
#define MESH_KAFKA_LOGIN_OPTIONS(at)                                                               \
    MESH_TLS_OPTION_CA("KAFKA", (at) + offsetof(struct mesh_kafka_login, files),                   \
     "File (PEM) with the authorities of the brokers' certificates; empty: the system's."),        \
    MESH_TLS_OPTION_CERT("KAFKA", (at) + offsetof(struct mesh_kafka_login, files),                 \
     "File (PEM) with our certificate, if the brokers want one."),                                 \
    MESH_TLS_OPTION_KEY("KAFKA", (at) + offsetof(struct mesh_kafka_login, files),                  \
     "File (PEM) with its key."),                                                                  \
    {"KAFKA_PASSWORD", MESH_SECRET, (at) + offsetof(struct mesh_kafka_login, password), "", 0, 1024, \
     "Password of KAFKA_USER; from a file it is read again when that changes."},                   \
    {"KAFKA_TLS", MESH_BOOL, (at) + offsetof(struct mesh_kafka_login, tls), "false", 0, 0,         \
     "Whether to talk to the brokers over TLS only, and check their certificates."},               \
    {"KAFKA_USER", MESH_TEXT, (at) + offsetof(struct mesh_kafka_login, user), "", 0, 256,          \
     "Whom to log in as (SASL, SCRAM-SHA-512); empty: nobody, or whom the certificate names."}
/* clang-format on */

/* For a program's check of its settings. */
void mesh_kafka_login_check(const struct mesh_kafka_login *login, struct mesh_buffer *problems);
/* From now on mesh_kafka_conf_new() makes clients that log in like this. Kept. */
void mesh_kafka_login_use(const struct mesh_kafka_login *login);
/* What is to be watched. */
struct mesh_tls_watched mesh_kafka_login_watched(const struct mesh_kafka_login *login);

/* For kafka.c: puts the login in use into a configuration. */
MESH_MUST_CHECK
bool mesh_kafka_login_apply(rd_kafka_conf_t *conf, struct mesh_error *err);
/* For kafka.c: whether a line of librdkafka says that a broker refuses us, or we it; the first of
 * these since a broker was reached is logged, as "kafka_login_failed". */
bool mesh_kafka_login_heard(const char *line);

#endif
