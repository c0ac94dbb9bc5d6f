/* SPDX-License-Identifier: Apache-2.0 */
#include "hint_server.h"

#include "mesh/alloc.h"
#include "mesh/bytes.h"
#include "mesh/stream.h"

#include <assert.h>
#include <libwebsockets.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct hint_server {
    struct lws_context *context;
    struct lws_vhost *vhost;
    pthread_t thread;
    atomic_bool stop;
    struct mesh_buffer message; /* the server's thread: pieces of the message at hand */
    pthread_mutex_t mutex;      /* guards what follows */
    Tweetmesh__V1__CountFrame *frames[HINT_SERVER_FRAMES_MAX];
    size_t count;
    size_t offsets;
};

static void keep(struct hint_server *server)
{
    Tweetmesh__V1__CountFrame *frame = tweetmesh__v1__count_frame__unpack(
        NULL, server->message.size, (const uint8_t *)server->message.data);
    assert(frame != NULL && "a frame must be protobuf");
    mesh_buffer_reset(&server->message);
    pthread_mutex_lock(&server->mutex);
    assert(server->count < HINT_SERVER_FRAMES_MAX);
    server->frames[server->count++] = frame;
    for (size_t i = 0; i < frame->groups.len; i++) {
        server->offsets += frame->groups.data[i] != MESH_GROUP_HOLE;
    }
    pthread_mutex_unlock(&server->mutex);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t size)
{
    (void)user;
    struct hint_server *server = lws_context_user(lws_get_context(wsi));
    if (reason == LWS_CALLBACK_RECEIVE) {
        mesh_buffer_add(&server->message, mesh_bytes_of(in, size));
        if (lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0) {
            assert(lws_frame_is_binary(wsi));
            keep(server);
        }
    }
    return 0;
}

static const struct lws_protocols protocols[] = {
    {.name = "counts.v1", .callback = on_event, .rx_buffer_size = 8192},
    LWS_PROTOCOL_LIST_TERM,
};

static void *run(void *arg)
{
    struct hint_server *server = arg;
    while (!atomic_load(&server->stop) && lws_service(server->context, 0) >= 0) {
    }
    return NULL;
}

struct hint_server *hint_server_new(uint16_t port)
{
    struct hint_server *server = mesh_new(struct hint_server);
    pthread_mutex_init(&server->mutex, NULL);
    lws_set_log_level(0, NULL);
    struct lws_context_creation_info info = {.port = port,
                                             .iface = "127.0.0.1",
                                             .protocols = protocols,
                                             .user = server,
                                             .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS};
    server->context = lws_create_context(&info);
    assert(server->context != NULL);
    server->vhost = lws_create_vhost(server->context, &info);
    assert(server->vhost != NULL);
    pthread_create(&server->thread, NULL, run, server);
    return server;
}

uint16_t hint_server_port(const struct hint_server *server)
{
    return (uint16_t)lws_get_vhost_listen_port(server->vhost);
}

size_t hint_server_frame_count(struct hint_server *server)
{
    pthread_mutex_lock(&server->mutex);
    size_t count = server->count;
    pthread_mutex_unlock(&server->mutex);
    return count;
}

size_t hint_server_offset_count(struct hint_server *server)
{
    pthread_mutex_lock(&server->mutex);
    size_t offsets = server->offsets;
    pthread_mutex_unlock(&server->mutex);
    return offsets;
}

const Tweetmesh__V1__CountFrame *hint_server_frame(struct hint_server *server, size_t index)
{
    pthread_mutex_lock(&server->mutex);
    assert(index < server->count);
    const Tweetmesh__V1__CountFrame *frame = server->frames[index];
    pthread_mutex_unlock(&server->mutex);
    return frame;
}

void hint_server_free(struct hint_server *server)
{
    atomic_store(&server->stop, true);
    lws_cancel_service(server->context);
    pthread_join(server->thread, NULL);
    lws_context_destroy(server->context);
    for (size_t i = 0; i < server->count; i++) {
        tweetmesh__v1__count_frame__free_unpacked(server->frames[i], NULL);
    }
    mesh_buffer_done(&server->message);
    pthread_mutex_destroy(&server->mutex);
    free(server);
}
