/* SPDX-License-Identifier: Apache-2.0 */
#include "mongo_sink.h"

#include <arpa/inet.h>
#include <bson/bson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/ */
enum {
    HEADER_SIZE = 16,
    MESSAGE_SIZE_MAX = 50 << 20,
    OP_REPLY = 1,
    OP_QUERY = 2004, /* the driver's first hello */
    OP_MSG = 2013,
    MORE_TO_COME = 2, /* no reply is wanted */
    CONNECTION_COUNT_MAX = 64,
};

struct mongo_sink {
    char uri[64];
    int listener;
    pthread_t acceptor;
    pthread_t threads[CONNECTION_COUNT_MAX];
    atomic_int sockets[CONNECTION_COUNT_MAX];
    size_t thread_count;   /* the acceptor's until it ends */
    pthread_mutex_t mutex; /* guards insert_reply, insert_reply_times, found */
    bson_t *insert_reply;
    size_t insert_reply_times;
    bson_t *found;
    atomic_size_t inserted;
    atomic_size_t finds;
};

struct connection {
    struct mongo_sink *sink;
    int socket;
};

/* One request, as far as we look into it. */
struct request {
    int32_t id;
    bool legacy;
    bool wants_reply;
    char command[32];
    size_t documents;
};

static bool read_full(int socket, uint8_t *out, size_t size)
{
    while (size > 0) {
        ssize_t n = read(socket, out, size);
        if (n <= 0) {
            return false;
        }
        out += n;
        size -= (size_t)n;
    }
    return true;
}

static int32_t int32_at(const uint8_t *bytes)
{
    int32_t value = 0;

    (void)memcpy(&value, bytes, sizeof value);
    return value;
}

/* Documents in a sequence: size, identifier, NUL, documents. */
static size_t sequence_count(const uint8_t *sequence, size_t size)
{
    size_t count = 0;

    for (size_t at = 4 + strlen((const char *)sequence + 4) + 1; at < size; count++) {
        at += (size_t)int32_at(sequence + at);
    }
    return count;
}

static void command_read(struct request *request, const uint8_t *document)
{
    /* Behind the size: the type of the first member, then its name. */
    (void)snprintf(request->command, sizeof request->command, "%s", (const char *)document + 5);
}

/* body: what follows the header. */
static void request_read(struct request *request, const uint8_t *body, size_t size)
{
    if (request->legacy) {
        return;
    }
    request->wants_reply = (int32_at(body) & MORE_TO_COME) == 0;
    for (size_t at = 4; at < size;) {
        uint8_t kind = body[at++];
        size_t length = (size_t)int32_at(body + at);
        if (kind == 0) {
            command_read(request, body + at);
        } else {
            request->documents += sequence_count(body + at, length);
        }
        at += length;
    }
}

static void answer_insert(struct mongo_sink *sink, const struct request *request, bson_t *reply)
{
    (void)atomic_fetch_add(&sink->inserted, request->documents);
    (void)pthread_mutex_lock(&sink->mutex);
    if (sink->insert_reply != NULL && sink->insert_reply_times > 0) {
        sink->insert_reply_times--;
        bson_concat(reply, sink->insert_reply);
    }
    (void)pthread_mutex_unlock(&sink->mutex);
    if (!bson_has_field(reply, "n")) {
        BSON_APPEND_INT32(reply, "n", (int32_t)request->documents);
    }
}

static void answer_find(struct mongo_sink *sink, bson_t *reply)
{
    bson_t cursor;
    bson_t batch;

    (void)atomic_fetch_add(&sink->finds, 1);
    BSON_APPEND_DOCUMENT_BEGIN(reply, "cursor", &cursor);
    BSON_APPEND_INT64(&cursor, "id", 0);
    BSON_APPEND_UTF8(&cursor, "ns", "sink.sink");
    BSON_APPEND_ARRAY_BEGIN(&cursor, "firstBatch", &batch);
    (void)pthread_mutex_lock(&sink->mutex);
    if (sink->found != NULL) {
        BSON_APPEND_DOCUMENT(&batch, "0", sink->found);
    }
    (void)pthread_mutex_unlock(&sink->mutex);
    bson_append_array_end(&cursor, &batch);
    bson_append_document_end(reply, &cursor);
}

static void answer_hello(bson_t *reply)
{
    BSON_APPEND_BOOL(reply, "ismaster", true);
    BSON_APPEND_INT32(reply, "maxWireVersion", 21);
    BSON_APPEND_INT32(reply, "minWireVersion", 0);
    BSON_APPEND_INT32(reply, "maxBsonObjectSize", 16777216);
    BSON_APPEND_INT32(reply, "maxMessageSizeBytes", 48000000);
    BSON_APPEND_INT32(reply, "maxWriteBatchSize", 100000);
}

static bool reply_send(int socket, const struct request *request, const bson_t *reply)
{
    /* OP_REPLY: flags, cursor, start, count. OP_MSG: flags and the kind of the one section. */
    const size_t head = HEADER_SIZE + (request->legacy ? 20 : 5);
    uint8_t out[8192] = {0};
    int32_t header[4] = {(int32_t)(head + reply->len), 1, request->id,
                         request->legacy ? OP_REPLY : OP_MSG};

    if (head + reply->len > sizeof out) {
        return false;
    }
    (void)memcpy(out, header, sizeof header);
    if (request->legacy) {
        out[32] = 1; /* one document */
    }
    (void)memcpy(out + head, bson_get_data(reply), reply->len);
    return send(socket, out, head + reply->len, MSG_NOSIGNAL) == (ssize_t)(head + reply->len);
}

static bool serve_one(struct mongo_sink *sink, int socket, uint8_t *body)
{
    uint8_t header[HEADER_SIZE];
    bson_t reply = BSON_INITIALIZER;

    if (!read_full(socket, header, sizeof header)) {
        return false;
    }
    int32_t size = int32_at(header) - HEADER_SIZE;
    if (size < 4 || size > MESSAGE_SIZE_MAX || !read_full(socket, body, (size_t)size)) {
        return false;
    }
    struct request request = {.id = int32_at(header + 4),
                              .legacy = int32_at(header + 12) == OP_QUERY,
                              .wants_reply = true};
    request_read(&request, body, (size_t)size);
    if (strcmp(request.command, "insert") == 0) {
        answer_insert(sink, &request, &reply);
    } else if (strcmp(request.command, "find") == 0) {
        answer_find(sink, &reply);
    } else {
        answer_hello(&reply);
    }
    if (!bson_has_field(&reply, "ok")) {
        BSON_APPEND_DOUBLE(&reply, "ok", 1);
    }
    bool ok = !request.wants_reply || reply_send(socket, &request, &reply);
    bson_destroy(&reply);
    return ok;
}

static void *serve(void *arg)
{
    struct connection *connection = arg;
    uint8_t *body = malloc(MESSAGE_SIZE_MAX);

    while (body != NULL && serve_one(connection->sink, connection->socket, body)) {
    }
    (void)shutdown(connection->socket, SHUT_RDWR);
    free(body);
    free(connection);
    return NULL;
}

static void *accept_all(void *arg)
{
    struct mongo_sink *sink = arg;

    while (sink->thread_count < CONNECTION_COUNT_MAX) {
        int accepted = accept(sink->listener, NULL, NULL);
        if (accepted < 0) {
            break;
        }
        struct connection *connection = malloc(sizeof *connection);
        if (connection == NULL) {
            (void)close(accepted);
            break;
        }
        *connection = (struct connection){.sink = sink, .socket = accepted};
        atomic_store(&sink->sockets[sink->thread_count], accepted);
        if (pthread_create(&sink->threads[sink->thread_count], NULL, serve, connection) != 0) {
            free(connection);
            (void)close(accepted);
            break;
        }
        sink->thread_count++;
    }
    return NULL;
}

struct mongo_sink *mongo_sink_new(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    socklen_t size = sizeof address;
    struct mongo_sink *sink = calloc(1, sizeof *sink);
    int on = 1;

    if (sink == NULL) {
        return NULL;
    }
    (void)pthread_mutex_init(&sink->mutex, NULL);
    sink->listener = socket(AF_INET, SOCK_STREAM, 0);
    (void)setsockopt(sink->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (sink->listener < 0 || bind(sink->listener, (struct sockaddr *)&address, size) != 0 ||
        listen(sink->listener, CONNECTION_COUNT_MAX) != 0 ||
        getsockname(sink->listener, (struct sockaddr *)&address, &size) != 0 ||
        pthread_create(&sink->acceptor, NULL, accept_all, sink) != 0) {
        (void)close(sink->listener);
        free(sink);
        return NULL;
    }
    (void)snprintf(sink->uri, sizeof sink->uri, "mongodb://127.0.0.1:%d", ntohs(address.sin_port));
    return sink;
}

const char *mongo_sink_uri(const struct mongo_sink *sink)
{
    return sink->uri;
}

static bson_t *json_read(const char *json)
{
    return json == NULL ? NULL : bson_new_from_json((const uint8_t *)json, -1, NULL);
}

void mongo_sink_set_insert_reply(struct mongo_sink *sink, const char *json, size_t times)
{
    (void)pthread_mutex_lock(&sink->mutex);
    bson_destroy(sink->insert_reply);
    sink->insert_reply = json_read(json);
    sink->insert_reply_times = times;
    (void)pthread_mutex_unlock(&sink->mutex);
}

void mongo_sink_set_found(struct mongo_sink *sink, const char *json)
{
    (void)pthread_mutex_lock(&sink->mutex);
    bson_destroy(sink->found);
    sink->found = json_read(json);
    (void)pthread_mutex_unlock(&sink->mutex);
}

size_t mongo_sink_inserted(const struct mongo_sink *sink)
{
    return atomic_load(&sink->inserted);
}

size_t mongo_sink_finds(const struct mongo_sink *sink)
{
    return atomic_load(&sink->finds);
}

void mongo_sink_free(struct mongo_sink *sink)
{
    if (sink == NULL) {
        return;
    }
    (void)shutdown(sink->listener, SHUT_RDWR);
    (void)pthread_join(sink->acceptor, NULL);
    for (size_t i = 0; i < sink->thread_count; i++) {
        (void)shutdown(atomic_load(&sink->sockets[i]), SHUT_RDWR);
        (void)pthread_join(sink->threads[i], NULL);
        (void)close(atomic_load(&sink->sockets[i]));
    }
    (void)close(sink->listener);
    bson_destroy(sink->insert_reply);
    bson_destroy(sink->found);
    (void)pthread_mutex_destroy(&sink->mutex);
    free(sink);
}
