/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mongo: a MongoDB client from a URI, JSON values as BSON, and driver errors in our vocabulary.
 *
 * A library of its own (mesh-mongo), so that only programs which talk to MongoDB load the driver.
 * Threads: one struct mesh_mongo, one thread; the driver keeps one more that watches the servers,
 * which is why a server that comes back is noticed within half a second. Every call that talks to
 * the server blocks at most about options.timeout_ms.
 */
#ifndef MESH_MONGO_H
#define MESH_MONGO_H

#include "mesh/bytes.h"
#include "mesh/config.h"
#include "mesh/error.h"
#include "mesh/tls.h"

#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <stdint.h>
#include <yyjson.h>

struct mesh_mongo;

struct mesh_mongo_options {
    const char *uri;      /* mongodb:// or mongodb+srv://; what it says about time-outs wins */
    const char *app_name; /* shown in the server's log; at most 128 bytes */
    uint32_t timeout_ms;  /* for one answer; to find a server and to connect at most 10 s of it */
};

/* Whether a URI can be used; for --check-config. */
bool mesh_mongo_uri_valid(const char *uri, struct mesh_error *err);

/* What belongs to a URI and may come from files; one per process, like the log. */
struct mesh_mongo_login {
    struct mesh_tls_files files; /* the certificate's file holds its key, too; .key is .cert */
    char *user;
    char *password;
};

/* Its rows in a table of options; `at` is its offset in the program's struct config. */
/* clang-format off */
#define MESH_MONGO_LOGIN_OPTIONS(at)                                                               \
    MESH_TLS_OPTION_CA("MONGODB", (at) + offsetof(struct mesh_mongo_login, files),                 \
     "File (PEM) with the authorities of MongoDB's certificate, and TLS with it; empty: as MONGODB_URI says."), \
    MESH_TLS_OPTION_CERT("MONGODB", (at) + offsetof(struct mesh_mongo_login, files),               \
     "File (PEM) with our certificate and its key, if MongoDB wants one."),                        \
    {"MONGODB_PASSWORD", MESH_SECRET, (at) + offsetof(struct mesh_mongo_login, password), "", 0, 1024, \
     "Password of MONGODB_USER; from a file it is read again when that changes."},                 \
    {"MONGODB_USER", MESH_TEXT, (at) + offsetof(struct mesh_mongo_login, user), "", 0, 256,        \
     "Whom to log in as (SCRAM), unless MONGODB_URI says so."}
/* clang-format on */

/* For a program's check of its settings: of the URI, too. */
void mesh_mongo_login_check(const struct mesh_mongo_login *login, const char *uri,
                            struct mesh_buffer *problems);
/* From now on mesh_mongo_new() uses it. Kept. */
void mesh_mongo_login_use(const struct mesh_mongo_login *login);
/* Whether the password, or the URI, has changed in its file since `mongo` was made: then another
 * client is wanted. */
bool mesh_mongo_login_changed(const struct mesh_mongo *mongo);

/* Prepares a client without waiting for a server. The caller owns the result. NULL: the URI is
 * wrong, with *err filled in; its text never holds the password. */
MESH_MUST_CHECK
struct mesh_mongo *mesh_mongo_new(const struct mesh_mongo_options *options, struct mesh_error *err);
/* The driver's client; lives as long as `mongo`. */
mongoc_client_t *mesh_mongo_client(const struct mesh_mongo *mongo);
/* Asks the server for a sign of life. */
MESH_MUST_CHECK
bool mesh_mongo_ping(struct mesh_mongo *mongo, struct mesh_error *err);
/* Accepts NULL. Collections made from its client must be gone. */
void mesh_mongo_free(struct mesh_mongo *mongo);

/* As mesh_bson_add_members(), for who builds a document with the driver; *out is as before where
 * that fails. */
const char *mesh_mongo_append_members(bson_t *out, yyjson_val *object, const char *const *skip);

/* Fills *err from what the driver said: UNAVAILABLE when the server could not be reached or may
 * answer later, PERMISSION_DENIED and UNAUTHENTICATED for credentials, INVALID_ARGUMENT when it
 * refuses what was asked. Returns false. */
bool mesh_mongo_fail(struct mesh_error *err, const bson_error_t *error);

/* Whether a server error is about the very document or command, so that repeating it is in vain. */
bool mesh_mongo_is_refusal(int32_t server_code);

#endif
