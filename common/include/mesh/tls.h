/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls: certificate files: whether they can be used, when they expire, and when they have changed.
 *
 * Threads: checking in any; a watch has a thread of its own if there is anything to watch. It looks
 * once a second, so that it sees files that are moved into place, links that are turned
 * (Kubernetes) and files that are written anew alike. What has changed is judged once it has kept
 * still for a second: a certificate and its key are seldom replaced together.
 */
#ifndef MESH_TLS_H
#define MESH_TLS_H

#include "mesh/bytes.h"
#include "mesh/config.h"
#include "mesh/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* PEM files; NULL or "": none. */
struct mesh_tls_files {
    char *ca;   /* the authorities that the other side's certificate must come from */
    char *cert; /* ours, with what leads to its authority after it */
    char *key;  /* of .cert; may be the same file */
};

/* Their rows in a table of options; `at` is the offset of a struct mesh_tls_files. */
/* clang-format off */
#define MESH_TLS_OPTION_CA(prefix, at, help)                                                       \
    {prefix "_CA", MESH_FILE, (at) + offsetof(struct mesh_tls_files, ca), "", 0, 4096, help}
#define MESH_TLS_OPTION_CERT(prefix, at, help)                                                     \
    {prefix "_CERT", MESH_FILE, (at) + offsetof(struct mesh_tls_files, cert), "", 0, 4096, help}
#define MESH_TLS_OPTION_KEY(prefix, at, help)                                                      \
    {prefix "_KEY", MESH_FILE, (at) + offsetof(struct mesh_tls_files, key), "", 0, 4096, help}
/* clang-format on */

/* Whether a setting was given. */
static inline bool mesh_tls_given(const char *file)
{
    return file != NULL && file[0] != '\0';
}

/* For a program's check of its settings: a line for each of <prefix>_CA, _CERT and _KEY that cannot
 * be used, or lacks its counterpart. A certificate that has expired can: a new one may come. */
void mesh_tls_check(const char *prefix, const struct mesh_tls_files *files,
                    struct mesh_buffer *problems);

/* When a certificate expires, in seconds of Unix time, if it can be used with the key (NULL or "":
 * whatever the key). False with *err filled in. */
MESH_MUST_CHECK
bool mesh_tls_read(const char *cert, const char *key, int64_t *out_expiry_s,
                   struct mesh_error *err);

struct mesh_tls_watched {
    /* "https": label of tweetmesh_certificate_expiry_timestamp_seconds and of log lines. */
    const char *use;
    const struct mesh_tls_files *files; /* kept. NULL: none */
    const char *secret;                 /* kept. Another file that is watched; NULL: none */
    /* On the watch's thread: something has changed and can be used. May be NULL. False: it could
     * not be taken after all, *err says why. */
    bool (*changed)(void *arg, struct mesh_error *err);
    void *arg;
};

struct mesh_tls_watch;

/* Makes the metrics and starts to watch; without a file to watch there is no thread. `watched` is
 * copied. The caller owns the result. NULL with *err filled in. */
MESH_MUST_CHECK
struct mesh_tls_watch *mesh_tls_watch_new(const struct mesh_tls_watched *watched, size_t count,
                                          struct mesh_error *err);
/* A probe for mesh_ops_add_probe(): whether no certificate of ours has expired. */
bool mesh_tls_watch_ready(void *watch, struct mesh_buffer *reason);
/* Accepts NULL. */
void mesh_tls_watch_free(struct mesh_tls_watch *watch);

#endif
