/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/mongo.h"

#include "mesh/alloc.h"
#include "mesh/bson.h"
#include "mesh/log.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* An answer may take long, a sign of life may not. */
enum { FIND_MS_MAX = 10000 };

struct mesh_mongo {
    mongoc_client_pool_t *pool;
    mongoc_client_t *client;
    char *login; /* URI and password, as they were */
};

static const struct mesh_mongo_login *in_use; /* NULL: what the URI says is all */

/* The driver's own lines. FerretDB does not know endSessions, which the driver says at each close
 * and which means nothing. */
static void log_line(mongoc_log_level_t level, const char *domain, const char *message, void *arg)
{
    (void)arg;
    if (strstr(message, "endSessions") != NULL ||
        strstr(message, "Failed authentication") != NULL) {
        return; /* the latter is the error of a call, too */
    }
    mesh_log(level <= MONGOC_LOG_LEVEL_WARNING ? MESH_LOG_WARN : MESH_LOG_DEBUG, "mongodb",
             MESH_LOG_TEXT("domain", domain), MESH_LOG_TEXT("message", message));
}

static void driver_start(void)
{
    mongoc_init();
    mongoc_log_set_handler(log_line, NULL);
    /* Once per process, and after the last pool. */
    (void)atexit(mongoc_cleanup);
}

static mongoc_uri_t *uri_read(const char *text, struct mesh_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    bson_error_t error;

    (void)pthread_once(&once, driver_start);
    mongoc_uri_t *uri = mongoc_uri_new_with_error(text, &error);
    if (uri == NULL) {
        /* The driver's reason may quote the URI, and with it the password. */
        mesh_fail(err, MESH_INVALID_ARGUMENT, "not a MongoDB URI (mongodb://host:port/)");
    }
    return uri;
}

bool mesh_mongo_uri_valid(const char *text, struct mesh_error *err)
{
    mongoc_uri_t *uri = uri_read(text, err);

    if (uri == NULL) {
        return false;
    }
    mongoc_uri_destroy(uri);
    return true;
}

void mesh_mongo_login_check(const struct mesh_mongo_login *login, const char *uri,
                            struct mesh_buffer *problems)
{
    const bool user = login->user[0] != '\0';
    const struct mesh_tls_files files = {
        .ca = login->files.ca, .cert = login->files.cert, .key = login->files.cert};
    struct mesh_error err = {0};
    mongoc_uri_t *parsed = uri_read(uri, &err);

    mesh_tls_check("MONGODB", &files, problems);
    if (parsed == NULL) {
        mesh_buffer_add_format(problems, "MONGODB_URI: %s\n", err.text);
        return;
    }
    if (user != (login->password[0] != '\0')) {
        mesh_buffer_add_format(problems, "MONGODB_%s is given without MONGODB_%s\n",
                               user ? "USER" : "PASSWORD", user ? "PASSWORD" : "USER");
    }
    if (user && mongoc_uri_get_username(parsed) != NULL) {
        mesh_buffer_add_text(problems, "MONGODB_USER: MONGODB_URI names a user, too\n");
    }
    if (mesh_tls_given(files.cert) && !mesh_tls_given(files.ca) && !mongoc_uri_get_tls(parsed)) {
        mesh_buffer_add_text(
            problems,
            "MONGODB_CERT means nothing without MONGODB_CA, or tls=true in MONGODB_URI\n");
    }
    mongoc_uri_destroy(parsed);
}

void mesh_mongo_login_use(const struct mesh_mongo_login *login)
{
    in_use = login;
}

/* What a client is made from that may change. */
static char *login_text(const char *uri)
{
    if (in_use == NULL) {
        return NULL;
    }
    char *now = mesh_config_secret_now("MONGODB_URI", uri);
    char *password = mesh_config_secret_now("MONGODB_PASSWORD", in_use->password);
    char *text = mesh_format("%s\n%s", now, password);
    free(now);
    free(password);
    return text;
}

bool mesh_mongo_login_changed(const struct mesh_mongo *mongo)
{
    if (in_use == NULL || (mesh_config_secret_file("MONGODB_URI") == NULL &&
                           mesh_config_secret_file("MONGODB_PASSWORD") == NULL)) {
        return false;
    }
    char *was = mesh_strndup(mongo->login, strcspn(mongo->login, "\n"));
    char *now = login_text(was);
    bool changed = strcmp(now, mongo->login) != 0;
    free(now);
    free(was);
    return changed;
}

/* The URI with the login in use. */
static mongoc_uri_t *uri_read_now(struct mesh_mongo *mongo, const char *text,
                                  struct mesh_error *err)
{
    mongo->login = login_text(text);
    if (mongo->login == NULL) {
        return uri_read(text, err);
    }
    size_t size = strcspn(mongo->login, "\n");
    char *now = mesh_strndup(mongo->login, size);
    mongoc_uri_t *uri = uri_read(now, err);
    free(now);
    bool good = uri != NULL;
    if (good && in_use->user[0] != '\0') {
        good = mongoc_uri_set_username(uri, in_use->user) &&
               mongoc_uri_set_password(uri, mongo->login + size + 1);
    }
    if (good && mesh_tls_given(in_use->files.ca)) {
        good = mongoc_uri_set_option_as_bool(uri, MONGOC_URI_TLS, true) &&
               mongoc_uri_set_option_as_utf8(uri, MONGOC_URI_TLSCAFILE, in_use->files.ca);
    }
    if (good && mesh_tls_given(in_use->files.cert)) {
        good = mongoc_uri_set_option_as_utf8(uri, MONGOC_URI_TLSCERTIFICATEKEYFILE,
                                             in_use->files.cert);
    }
    if (uri != NULL && !good) {
        mesh_fail(err, MESH_INVALID_ARGUMENT, "MongoDB: the login cannot be set");
        mongoc_uri_destroy(uri);
        return NULL;
    }
    return uri;
}

static void set_default_ms(mongoc_uri_t *uri, const char *name, uint32_t ms)
{
    if (!mongoc_uri_has_option(uri, name)) {
        (void)mongoc_uri_set_option_as_int32(uri, name, (int32_t)ms);
    }
}

struct mesh_mongo *mesh_mongo_new(const struct mesh_mongo_options *options, struct mesh_error *err)
{
    struct mesh_mongo *mongo = mesh_new(struct mesh_mongo);
    mongoc_uri_t *uri = uri_read_now(mongo, options->uri, err);
    bson_error_t error;

    if (uri == NULL) {
        goto fail;
    }
    uint32_t find_ms = options->timeout_ms < FIND_MS_MAX ? options->timeout_ms : FIND_MS_MAX;
    set_default_ms(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, find_ms);
    set_default_ms(uri, MONGOC_URI_CONNECTTIMEOUTMS, find_ms);
    set_default_ms(uri, MONGOC_URI_SOCKETTIMEOUTMS, options->timeout_ms);
    /* Who calls tries again himself; the driver's own second try would double timeout_ms. */
    (void)mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYWRITES, false);
    (void)mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYREADS, false);
    mongo->pool = mongoc_client_pool_new_with_error(uri, &error);
    if (mongo->pool == NULL) {
        mesh_fail(err, MESH_INVALID_ARGUMENT, "MongoDB: %s", error.message);
        goto fail;
    }
    (void)mongoc_client_pool_set_error_api(mongo->pool, MONGOC_ERROR_API_VERSION_2);
    (void)mongoc_client_pool_set_appname(mongo->pool, options->app_name);
    mongo->client = mongoc_client_pool_pop(mongo->pool);
    mongoc_uri_destroy(uri);
    return mongo;

fail:
    mongoc_uri_destroy(uri);
    mesh_mongo_free(mongo);
    return NULL;
}

mongoc_client_t *mesh_mongo_client(const struct mesh_mongo *mongo)
{
    return mongo->client;
}

bool mesh_mongo_ping(struct mesh_mongo *mongo, struct mesh_error *err)
{
    bson_t ping = BSON_INITIALIZER;
    bson_error_t error;

    BSON_APPEND_INT32(&ping, "ping", 1);
    bool ok = mongoc_client_command_simple(mongo->client, "admin", &ping, NULL, NULL, &error);
    bson_destroy(&ping);
    return ok || mesh_mongo_fail(err, &error);
}

void mesh_mongo_free(struct mesh_mongo *mongo)
{
    if (mongo == NULL) {
        return;
    }
    if (mongo->client != NULL) {
        mongoc_client_pool_push(mongo->pool, mongo->client);
    }
    if (mongo->pool != NULL) {
        mongoc_client_pool_destroy(mongo->pool);
    }
    if (mongo->login != NULL) {
        explicit_bzero(mongo->login, strlen(mongo->login));
    }
    free(mongo->login);
    free(mongo);
}

const char *mesh_mongo_append_members(bson_t *out, yyjson_val *object, const char *const *skip)
{
    struct mesh_buffer document = {0};
    bson_t members;

    size_t place = mesh_bson_begin(&document);
    const char *reason = mesh_bson_add_members(&document, object, skip);
    mesh_bson_end(&document, place);
    if (reason == NULL &&
        !(bson_init_static(&members, (const uint8_t *)document.data, document.size) &&
          bson_concat(out, &members))) {
        reason = "does not fit into a document";
    }
    mesh_buffer_done(&document);
    return reason;
}

bool mesh_mongo_is_refusal(int32_t server_code)
{
    switch (server_code) {
    case 2:     /* BadValue */
    case 9:     /* FailedToParse */
    case 14:    /* TypeMismatch */
    case 15:    /* Overflow: nested too deeply */
    case 22:    /* InvalidBSON */
    case 52:    /* DollarPrefixedFieldName */
    case 53:    /* InvalidIdField */
    case 56:    /* EmptyFieldName */
    case 57:    /* DottedFieldName */
    case 121:   /* DocumentValidationFailure */
    case 10334: /* BSONObjectTooLarge */
    case 17280: /* KeyTooLong */
    case 17419: /* the document would grow too large */
    case 17420: /* likewise */
        return true;
    default:
        return false;
    }
}

static enum mesh_code code_from_mongoc(const bson_error_t *error)
{
    if (error->domain == MONGOC_ERROR_CLIENT && error->code == MONGOC_ERROR_CLIENT_AUTHENTICATE) {
        return MESH_UNAUTHENTICATED;
    }
    if (error->domain != MONGOC_ERROR_SERVER) {
        return MESH_UNAVAILABLE;
    }
    switch (error->code) {
    case 13: /* Unauthorized */
        return MESH_PERMISSION_DENIED;
    case 18: /* AuthenticationFailed */
        return MESH_UNAUTHENTICATED;
    default:
        return mesh_mongo_is_refusal((int32_t)error->code) ? MESH_INVALID_ARGUMENT
                                                           : MESH_UNAVAILABLE;
    }
}

bool mesh_mongo_fail(struct mesh_error *err, const bson_error_t *error)
{
    return mesh_fail(err, code_from_mongoc(error), "MongoDB: %s (domain %u, code %u)",
                     error->message, error->domain, error->code);
}
