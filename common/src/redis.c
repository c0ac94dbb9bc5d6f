/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/redis.h"

#include "mesh/alloc.h"
#include "redis_tls.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define URL_LENGTH_MAX 1024
#define DATABASE_MAX 65535

enum transport { TCP, TLS, UNIX_SOCKET };

struct url {
    enum transport transport;
    char *user;     /* NULL: none */
    char *password; /* NULL: none */
    char *host;     /* or the path of the socket */
    uint16_t port;
    unsigned int database;
};

static const struct mesh_redis_login *in_use; /* NULL: what the URL says is all */

static void url_done(struct url *url)
{
    free(url->user);
    if (url->password != NULL) {
        explicit_bzero(url->password, strlen(url->password));
    }
    free(url->password);
    free(url->host);
    *url = (struct url){0};
}

static int hex_value(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = digit == '\0' ? NULL : strchr(digits, tolower((unsigned char)digit));
    return at == NULL ? -1 : (int)(at - digits);
}

/* NULL: a percent sign without two hex digits, or a NUL in disguise. */
static char *percent_decode(const char *text, size_t size)
{
    char *decoded = mesh_strndup(text, size);
    size_t out = 0;
    for (size_t in = 0; in < size; in++, out++) {
        decoded[out] = text[in];
        if (text[in] == '%') {
            int high = in + 2 < size ? hex_value(text[in + 1]) : -1;
            int low = high >= 0 ? hex_value(text[in + 2]) : -1;
            if (low < 0 || (high == 0 && low == 0)) {
                free(decoded);
                return NULL;
            }
            decoded[out] = (char)(high * 16 + low);
            in += 2;
        }
    }
    decoded[out] = '\0';
    return decoded;
}

/* Digits only; an empty text is none. */
static bool read_number(const char *text, size_t size, unsigned long max, unsigned long *out)
{
    unsigned long number = 0;
    if (size == 0 || size > 5) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (!isdigit((unsigned char)text[i])) {
            return false;
        }
        number = number * 10 + (unsigned long)(text[i] - '0');
    }
    if (number > max) {
        return false;
    }
    *out = number;
    return true;
}

/* "user:password@", "password@" is taken as a user without password and refused by Redis. */
static const char *read_login(struct url *url, const char *text, struct mesh_error *err)
{
    const char *stop = text + strcspn(text, "/?");
    const char *at = memrchr(text, '@', (size_t)(stop - text));
    if (at == NULL) {
        return text;
    }
    const char *colon = memchr(text, ':', (size_t)(at - text));
    if (colon == NULL) {
        mesh_fail(err, MESH_INVALID_ARGUMENT, "Redis URL: want user:password@ or :password@");
        return NULL;
    }
    url->user = percent_decode(text, (size_t)(colon - text));
    url->password = percent_decode(colon + 1, (size_t)(at - colon - 1));
    if (url->user == NULL || url->password == NULL) {
        mesh_fail(err, MESH_INVALID_ARGUMENT, "Redis URL: bad percent-encoding in the login");
        return NULL;
    }
    return at + 1;
}

static bool read_database(struct url *url, const char *text, struct mesh_error *err)
{
    unsigned long number = 0;
    if (!read_number(text, strlen(text), DATABASE_MAX, &number)) {
        return mesh_fail(err, MESH_INVALID_ARGUMENT, "Redis URL: the database is no number");
    }
    url->database = (unsigned int)number;
    return true;
}

static bool read_socket_path(struct url *url, const char *text, struct mesh_error *err)
{
    const char *query = strchr(text, '?');
    size_t size = query == NULL ? strlen(text) : (size_t)(query - text);
    if (text[0] != '/' || size < 2) {
        return mesh_fail(err, MESH_INVALID_ARGUMENT, "Redis URL: want unix:///path/of/socket");
    }
    url->host = mesh_strndup(text, size);
    if (query == NULL) {
        return true;
    }
    if (strncmp(query, "?db=", 4) != 0) {
        return mesh_fail(err, MESH_INVALID_ARGUMENT, "Redis URL: only ?db=n may follow the path");
    }
    return read_database(url, query + 4, err);
}

/* "host:port/db"; an IPv6 address stands in brackets. */
static bool read_address(struct url *url, const char *text, struct mesh_error *err)
{
    size_t size = strcspn(text, "/");
    const char *host_end = text + strcspn(text, ":/");
    const char *after = host_end;
    if (text[0] == '[') {
        text++;
        host_end = text + strcspn(text, "]/");
        if (*host_end != ']') {
            return mesh_fail(err, MESH_INVALID_ARGUMENT, "Redis URL: ] is missing");
        }
        after = host_end + 1;
        size--;
    }
    if (host_end == text || strcspn(text, " \t\r\n?#") < strlen(text)) {
        return mesh_fail(err, MESH_INVALID_ARGUMENT, "Redis URL: want redis://host:port/db");
    }
    url->host = mesh_strndup(text, (size_t)(host_end - text));
    url->port = 6379;
    const char *end = text + size;
    if (after < end) {
        unsigned long port = 0;
        if (*after != ':' || !read_number(after + 1, (size_t)(end - after - 1), 65535, &port) ||
            port == 0) {
            return mesh_fail(err, MESH_INVALID_ARGUMENT, "Redis URL: the port is none");
        }
        url->port = (uint16_t)port;
    }
    return end[0] == '\0' || end[1] == '\0' || read_database(url, end + 1, err);
}

static bool url_read(const char *text, struct url *out, struct mesh_error *err)
{
    static const struct {
        const char *scheme;
        enum transport transport;
    } schemes[] = {{"redis://", TCP}, {"rediss://", TLS}, {"unix://", UNIX_SOCKET}};

    const char *rest = NULL;
    *out = (struct url){0};
    if (strlen(text) > URL_LENGTH_MAX) {
        return mesh_fail(err, MESH_INVALID_ARGUMENT, "Redis URL: longer than %d", URL_LENGTH_MAX);
    }
    for (size_t i = 0; i < MESH_COUNT_OF(schemes) && rest == NULL; i++) {
        size_t length = strlen(schemes[i].scheme);
        if (strncmp(text, schemes[i].scheme, length) == 0) {
            out->transport = schemes[i].transport;
            rest = text + length;
        }
    }
    if (rest == NULL) {
        return mesh_fail(err, MESH_INVALID_ARGUMENT,
                         "Redis URL: must start with redis://, rediss:// or unix://");
    }
    rest = read_login(out, rest, err);
    bool read = rest != NULL && (out->transport == UNIX_SOCKET ? read_socket_path(out, rest, err)
                                                               : read_address(out, rest, err));
    if (!read) {
        url_done(out);
    }
    return read;
}

bool mesh_redis_url_valid(const char *url, struct mesh_error *err)
{
    struct url parts;
    bool valid = url_read(url, &parts, err);
    if (valid) {
        url_done(&parts);
    }
    return valid;
}

void mesh_redis_login_check(const struct mesh_redis_login *login, const char *url,
                            struct mesh_buffer *problems)
{
    struct mesh_error err = {0};
    struct url parts;

    mesh_tls_check("REDIS", &login->files, problems);
    if (!url_read(url, &parts, &err)) {
        mesh_buffer_add_format(problems, "REDIS_URL: %s\n", err.text);
        return;
    }
    if (parts.transport != TLS &&
        (mesh_tls_given(login->files.ca) || mesh_tls_given(login->files.cert))) {
        mesh_buffer_add_text(problems, "REDIS_CA, REDIS_CERT and REDIS_KEY mean nothing unless "
                                       "REDIS_URL begins with rediss://\n");
    }
    if (parts.password != NULL && login->password[0] != '\0') {
        mesh_buffer_add_text(problems, "REDIS_PASSWORD: REDIS_URL holds a password, too\n");
    }
    if (login->user[0] != '\0' && login->password[0] == '\0') {
        mesh_buffer_add_text(problems, "REDIS_USER is given without REDIS_PASSWORD\n");
    }
    url_done(&parts);
}

void mesh_redis_login_use(const struct mesh_redis_login *login)
{
    in_use = login;
}

bool mesh_redis_fail(const redisContext *redis, const redisReply *reply, struct mesh_error *err)
{
    static const struct {
        const char *prefix;
        enum mesh_code code;
    } codes[] = {
        {"NOAUTH", MESH_UNAUTHENTICATED},
        {"WRONGPASS", MESH_UNAUTHENTICATED},
        {"NOPERM", MESH_PERMISSION_DENIED},
        {"OOM", MESH_RESOURCE_EXHAUSTED},
        {"WRONGTYPE", MESH_FAILED_PRECONDITION},
        {"LOADING", MESH_UNAVAILABLE},
        {"BUSY", MESH_UNAVAILABLE},
        {"READONLY", MESH_UNAVAILABLE},
        {"MASTERDOWN", MESH_UNAVAILABLE},
        {"MISCONF", MESH_UNAVAILABLE},
        {"TRYAGAIN", MESH_UNAVAILABLE},
        {"CLUSTERDOWN", MESH_UNAVAILABLE},
        {"TWEETMESH", MESH_INVALID_ARGUMENT},
    };

    if (reply == NULL) {
        bool late = redis->err == REDIS_ERR_TIMEOUT ||
                    (redis->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK));
        return mesh_fail(err, late ? MESH_DEADLINE_EXCEEDED : MESH_UNAVAILABLE, "Redis: %s",
                         late ? "no answer in time" : redis->errstr);
    }
    if (reply->type != REDIS_REPLY_ERROR) {
        return mesh_fail(err, MESH_INTERNAL, "Redis: unexpected reply of type %d", reply->type);
    }
    for (size_t i = 0; i < MESH_COUNT_OF(codes); i++) {
        if (strncmp(reply->str, codes[i].prefix, strlen(codes[i].prefix)) == 0) {
            return mesh_fail(err, codes[i].code, "Redis: %s", reply->str);
        }
    }
    return mesh_fail(err, MESH_INTERNAL, "Redis: %s", reply->str);
}

/* Sends one command of the login; any reply but an error will do. */
static bool login_command(redisContext *redis, int argc, const char **argv, struct mesh_error *err)
{
    redisReply *reply = redisCommandArgv(redis, argc, argv, NULL);
    bool good = reply != NULL && reply->type != REDIS_REPLY_ERROR;
    if (!good) {
        mesh_redis_fail(redis, reply, err);
    }
    freeReplyObject(reply);
    return good;
}

static bool log_in(redisContext *redis, const struct url *url, struct mesh_error *err)
{
    if (url->transport == TLS &&
        !redis_tls_start(redis, url->host, in_use == NULL ? NULL : &in_use->files, err)) {
        return false;
    }
    if (url->password != NULL) {
        bool named = url->user[0] != '\0';
        const char *auth[] = {"AUTH", named ? url->user : url->password, url->password};
        if (!login_command(redis, named ? 3 : 2, auth, err)) {
            return false;
        }
    }
    if (url->database > 0) {
        char *number = mesh_format("%u", url->database);
        bool selected = login_command(redis, 2, (const char *[]){"SELECT", number}, err);
        free(number);
        return selected;
    }
    return true;
}

/* The URL and the login as they are now. */
static bool url_read_now(const char *url, struct url *out, struct mesh_error *err)
{
    if (in_use == NULL) {
        return url_read(url, out, err);
    }
    char *now = mesh_config_secret_now("REDIS_URL", url);
    bool good = url_read(now, out, err);
    free(now);
    if (good && out->password == NULL && in_use->password[0] != '\0') {
        out->user = mesh_strdup(in_use->user);
        out->password = mesh_config_secret_now("REDIS_PASSWORD", in_use->password);
    }
    return good;
}

redisContext *mesh_redis_connect(const char *url, uint32_t timeout_ms, struct mesh_error *err)
{
    struct url parts;
    if (!url_read_now(url, &parts, err)) {
        return NULL;
    }
    struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000L};
    redisOptions options = {.connect_timeout = &timeout, .command_timeout = &timeout};
    if (parts.transport == UNIX_SOCKET) {
        REDIS_OPTIONS_SET_UNIX(&options, parts.host);
    } else {
        REDIS_OPTIONS_SET_TCP(&options, parts.host, parts.port);
    }
    redisContext *redis = redisConnectWithOptions(&options);
    bool good = redis != NULL && redis->err == 0;
    if (!good) {
        mesh_fail(err, MESH_UNAVAILABLE, "Redis: %s", redis == NULL ? "no memory" : redis->errstr);
    } else {
        good = log_in(redis, &parts, err);
    }
    if (good && parts.transport != UNIX_SOCKET) {
        (void)redisEnableKeepAlive(redis); /* a peer that vanished is noticed even when idle */
    }
    if (!good) {
        mesh_error_prefix(err, parts.transport == UNIX_SOCKET ? "%s" : "%s:%u", parts.host,
                          parts.port);
        redisFree(redis); /* accepts NULL */
        redis = NULL;
    }
    url_done(&parts);
    return redis;
}
