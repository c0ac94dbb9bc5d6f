/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest_server.h"

#include "mesh/alloc.h"
#include "mesh/macros.h"
#include "peer_call.h"
#include "tweetmesh/v1/ingest.pb-c.h"

#include <assert.h>
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDS_MAX 65536

struct ingest_server {
    grpc_server *server;
    grpc_completion_queue *cq;
    pthread_t thread;
    uint16_t port;
    struct peer_reply *held; /* the thread's: INGEST_REVERSES; and whose it is */
    struct peer_call *held_call;
    pthread_mutex_t mutex; /* guards what follows */
    enum ingest_mode mode;
    uint32_t code;
    bool serving;
    size_t events;
    size_t messages;
    size_t streams;
    size_t broken;
    int64_t offset;
    char *payload;
    char *traceparent;
    char (*ids)[37];
};

static void remember(struct ingest_server *server, const Tweetmesh__V1__PublishRequest *request)
{
    server->messages++;
    for (size_t i = 0; i < request->n_events; i++) {
        const Tweetmesh__V1__Event *event = request->events[i];
        snprintf(server->ids[server->events++ % IDS_MAX], 37, "%s", event->id);
        if (i + 1 == request->n_events) {
            free(server->payload);
            free(server->traceparent);
            server->payload = mesh_strndup((const char *)event->payload.data, event->payload.len);
            server->traceparent = mesh_strdup(event->traceparent);
        }
    }
}

static struct peer_reply *make_reply(struct ingest_server *server,
                                     const Tweetmesh__V1__PublishRequest *request)
{
    size_t count = request->n_events;
    uint32_t *codes = mesh_new_array(uint32_t, count + 1);
    int32_t *partitions = mesh_new_array(int32_t, count + 1);
    int64_t *offsets = mesh_new_array(int64_t, count + 1);
    for (size_t i = 0; i < count; i++) {
        bool fails =
            server->mode == INGEST_FAILS || (server->mode == INGEST_ALTERNATES && i % 2 == 1);
        codes[i] = fails ? server->code : 0;
        partitions[i] = fails ? -1 : (int32_t)(server->offset % 4);
        offsets[i] = fails || server->mode == INGEST_NO_OFFSETS ? -1 : server->offset;
        server->offset++;
    }
    Tweetmesh__V1__PublishReply reply = TWEETMESH__V1__PUBLISH_REPLY__INIT;
    reply.sequence = request->sequence + (server->mode == INGEST_UNKNOWN_SEQUENCE ? 12345 : 0);
    reply.n_codes = count - (server->mode == INGEST_WRONG_COLUMNS ? 1 : 0);
    reply.codes = codes;
    reply.n_partitions = reply.n_offsets = count;
    reply.partitions = partitions;
    reply.offsets = offsets;
    Tweetmesh__V1__Problem problem = TWEETMESH__V1__PROBLEM__INIT;
    Tweetmesh__V1__Problem *problems[] = {&problem};
    if (server->mode == INGEST_FAILS && server->code == 3) {
        problem.pointer = (char *)(uintptr_t)"/country";
        problem.reason = (char *)(uintptr_t)"is not wanted here";
        reply.n_problems = 1;
        reply.problems = problems;
    }
    size_t size = tweetmesh__v1__publish_reply__get_packed_size(&reply);
    uint8_t *bytes = mesh_alloc(size + 1);
    tweetmesh__v1__publish_reply__pack(&reply, bytes);
    struct peer_reply *made = peer_reply_new(bytes, size);
    free(bytes);
    free(codes);
    free(partitions);
    free(offsets);
    return made;
}

static void handle_request(struct ingest_server *server, struct peer_call *call,
                           const Tweetmesh__V1__PublishRequest *request)
{
    pthread_mutex_lock(&server->mutex);
    remember(server, request);
    enum ingest_mode mode = server->mode;
    server->broken += mode == INGEST_BREAKS;
    struct peer_reply *reply = make_reply(server, request);
    pthread_mutex_unlock(&server->mutex);
    switch (mode) {
    case INGEST_HOLDS:
        peer_reply_free(reply);
        break;
    case INGEST_BREAKS:
        peer_reply_free(reply);
        grpc_call_cancel_with_status(call->call, GRPC_STATUS_UNAVAILABLE, "told to break", NULL);
        break;
    case INGEST_REVERSES:
        if (server->held == NULL) {
            server->held = reply;
            server->held_call = call;
        } else {
            peer_call_reply(call, reply);
            peer_call_reply(server->held_call, server->held);
            server->held = NULL;
        }
        break;
    default:
        peer_call_reply(call, reply);
        break;
    }
}

static void handle_received(struct ingest_server *server, struct peer_call *call)
{
    grpc_byte_buffer_reader reader;
    if (call->received == NULL || !grpc_byte_buffer_reader_init(&reader, call->received)) {
        return;
    }
    grpc_slice bytes = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    grpc_byte_buffer_destroy(call->received);
    call->received = NULL;
    Tweetmesh__V1__PublishRequest *request = tweetmesh__v1__publish_request__unpack(
        NULL, GRPC_SLICE_LENGTH(bytes), GRPC_SLICE_START_PTR(bytes));
    assert(request != NULL && "the bytes of wire.c must be protobuf");
    handle_request(server, call, request);
    tweetmesh__v1__publish_request__free_unpacked(request, NULL);
    grpc_slice_unref(bytes);
    peer_call_receive(call);
}

static void answer_check(struct ingest_server *server, struct peer_call *call)
{
    pthread_mutex_lock(&server->mutex);
    uint8_t health[] = {0x08, server->serving ? 1 : 2};
    pthread_mutex_unlock(&server->mutex);
    grpc_slice slice = grpc_slice_from_copied_buffer((const char *)health, sizeof(health));
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    peer_call_start(
        call,
        (grpc_op[]){{.op = GRPC_OP_SEND_INITIAL_METADATA},
                    {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = message},
                    {.op = GRPC_OP_SEND_STATUS_FROM_SERVER,
                     .data.send_status_from_server.status = GRPC_STATUS_OK},
                    {.op = GRPC_OP_RECV_CLOSE_ON_SERVER,
                     .data.recv_close_on_server.cancelled = &call->cancelled}},
        4, &call->tag_closed);
    grpc_byte_buffer_destroy(message);
}

static void handle_new(struct ingest_server *server, struct peer_call *call)
{
    peer_call_await(server->server, server->cq);
    if (grpc_slice_str_cmp(call->details.method, "/grpc.health.v1.Health/Check") == 0) {
        answer_check(server, call);
        return;
    }
    assert(grpc_slice_str_cmp(call->details.method, "/tweetmesh.v1.Ingest/PublishStream") == 0);
    pthread_mutex_lock(&server->mutex);
    server->streams++;
    pthread_mutex_unlock(&server->mutex);
    grpc_op closed = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
    closed.data.recv_close_on_server.cancelled = &call->cancelled;
    peer_call_start(call, &closed, 1, &call->tag_closed);
    peer_call_receive(call);
}

static void *run(void *arg)
{
    struct ingest_server *server = arg;
    for (;;) {
        grpc_event event =
            grpc_completion_queue_next(server->cq, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN) {
            return NULL;
        }
        struct peer_tag *tag = event.tag;
        if (tag == NULL) {
            grpc_completion_queue_shutdown(server->cq); /* the server has shut down */
            continue;
        }
        struct peer_call *call = tag->call;
        if (tag->kind == TAG_NEW && event.success) {
            handle_new(server, call);
        } else if (tag->kind == TAG_RECEIVED && event.success) {
            handle_received(server, call);
        } else if (tag->kind == TAG_SENT) {
            call->sending = false;
            if (event.success) {
                peer_call_send_next(call);
            }
        }
        if (--call->open_ops == 0) {
            peer_call_free(call);
        }
    }
}

struct ingest_server *ingest_server_new(uint16_t port)
{
    grpc_init();
    struct ingest_server *server = mesh_new(struct ingest_server);
    pthread_mutex_init(&server->mutex, NULL);
    server->serving = true;
    server->code = 14;
    server->ids = mesh_alloc_zeroed(IDS_MAX, sizeof(server->ids[0]));
    server->cq = grpc_completion_queue_create_for_next(NULL);
    server->server = grpc_server_create(NULL, NULL);
    grpc_server_register_completion_queue(server->server, server->cq, NULL);
    char address[32];
    snprintf(address, sizeof(address), "127.0.0.1:%u", (unsigned)port);
    grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
    int bound = grpc_server_add_http2_port(server->server, address, credentials);
    grpc_server_credentials_release(credentials);
    assert(bound > 0);
    server->port = (uint16_t)bound;
    grpc_server_start(server->server);
    peer_call_await(server->server, server->cq);
    pthread_create(&server->thread, NULL, run, server);
    return server;
}

uint16_t ingest_server_port(const struct ingest_server *server)
{
    return server->port;
}

void ingest_server_set_mode(struct ingest_server *server, enum ingest_mode mode)
{
    pthread_mutex_lock(&server->mutex);
    server->mode = mode;
    pthread_mutex_unlock(&server->mutex);
}

void ingest_server_fail_with(struct ingest_server *server, uint32_t code)
{
    pthread_mutex_lock(&server->mutex);
    server->code = code;
    pthread_mutex_unlock(&server->mutex);
}

void ingest_server_set_serving(struct ingest_server *server, bool serving)
{
    pthread_mutex_lock(&server->mutex);
    server->serving = serving;
    pthread_mutex_unlock(&server->mutex);
}

size_t ingest_server_seen(struct ingest_server *server, const char *id)
{
    size_t seen = 0;
    pthread_mutex_lock(&server->mutex);
    for (size_t i = 0; i < server->events && i < IDS_MAX; i++) {
        seen += strcmp(server->ids[i], id) == 0;
    }
    pthread_mutex_unlock(&server->mutex);
    return seen;
}

static size_t read_count(struct ingest_server *server, const size_t *count)
{
    pthread_mutex_lock(&server->mutex);
    size_t value = *count;
    pthread_mutex_unlock(&server->mutex);
    return value;
}

size_t ingest_server_events(struct ingest_server *server)
{
    return read_count(server, &server->events);
}

size_t ingest_server_messages(struct ingest_server *server)
{
    return read_count(server, &server->messages);
}

size_t ingest_server_streams(struct ingest_server *server)
{
    return read_count(server, &server->streams);
}

size_t ingest_server_broken(struct ingest_server *server)
{
    return read_count(server, &server->broken);
}

void ingest_server_last(struct ingest_server *server, char **payload, char **traceparent)
{
    pthread_mutex_lock(&server->mutex);
    *payload = mesh_strdup(server->payload == NULL ? "" : server->payload);
    *traceparent = mesh_strdup(server->traceparent == NULL ? "" : server->traceparent);
    pthread_mutex_unlock(&server->mutex);
}

void ingest_server_free(struct ingest_server *server)
{
    if (server == NULL) {
        return;
    }
    grpc_server_shutdown_and_notify(server->server, server->cq, NULL);
    grpc_server_cancel_all_calls(server->server);
    pthread_join(server->thread, NULL);
    grpc_server_destroy(server->server);
    grpc_completion_queue_destroy(server->cq);
    pthread_mutex_destroy(&server->mutex);
    if (server->held != NULL) {
        peer_reply_free(server->held);
    }
    free(server->payload);
    free(server->traceparent);
    free(server->ids);
    free(server);
    grpc_shutdown();
}
