/* SPDX-License-Identifier: Apache-2.0 */
#include "health.h"

#include "grpc/health/v1/health.pb-c.h"
#include "mesh/alloc.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus serving_status;

static const serving_status unknown =
    GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__UNKNOWN;
static const serving_status serving =
    GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
static const serving_status not_serving =
    GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING;
static const serving_status service_unknown =
    GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN;

struct watcher {
    struct watcher *next;
    struct call *call; /* lives until on_closed() */
    bool known;        /* the service asked for is one of ours */
    serving_status told;
};

struct health {
    health_probe_fn *probe;
    void *arg;
    pthread_mutex_t mutex;    /* guards everything below; taken before a call's mutex */
    struct watcher *watchers; /* at most as many as there may be calls */
};

struct health *health_new(health_probe_fn *probe, void *arg)
{
    struct health *health = mesh_new(struct health);

    health->probe = probe;
    health->arg = arg;
    pthread_mutex_init(&health->mutex, NULL);
    return health;
}

static grpc_slice response(serving_status status)
{
    Grpc__Health__V1__HealthCheckResponse message = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

    message.status = status;
    grpc_slice slice =
        grpc_slice_malloc(grpc__health__v1__health_check_response__get_packed_size(&message));
    (void)grpc__health__v1__health_check_response__pack(&message, GRPC_SLICE_START_PTR(slice));
    return slice;
}

/* Whether the message asks for the server as a whole or a service of ours. False: malformed. */
static bool asked_read(struct mesh_bytes message, bool *out_known)
{
    Grpc__Health__V1__HealthCheckRequest *request =
        grpc__health__v1__health_check_request__unpack(NULL, message.size, message.data);

    if (request == NULL) {
        return false;
    }
    *out_known =
        request->service[0] == '\0' || strcmp(request->service, "tweetmesh.v1.Ingest") == 0;
    grpc__health__v1__health_check_request__free_unpacked(request, NULL);
    return true;
}

static serving_status status_of(const struct health *health, bool known)
{
    if (!known) {
        return service_unknown;
    }
    return health->probe(health->arg) ? serving : not_serving;
}

static void on_check(void *arg, struct call *call, struct mesh_bytes message)
{
    struct health *health = arg;
    bool known = false;

    if (!asked_read(message, &known)) {
        call_fail(call, MESH_INVALID_ARGUMENT, "the message is not a HealthCheckRequest");
        return;
    }
    if (!known) {
        call_fail(call, MESH_NOT_FOUND, "no such service");
        return;
    }
    call_reply(call, response(status_of(health, known)));
}

/* Mutex held. What cannot be sent now is sent at the next health_tell(). */
static void watcher_tell(struct health *health, struct watcher *watcher)
{
    serving_status status = status_of(health, watcher->known);

    if (status != watcher->told && call_push(watcher->call, response(status))) {
        watcher->told = status;
    }
}

static void on_watch(void *arg, struct call *call, struct mesh_bytes message)
{
    struct health *health = arg;
    struct watcher *watcher = mesh_new(struct watcher);

    watcher->call = call;
    watcher->told = unknown;
    /* What is malformed asks for nothing of ours. */
    (void)asked_read(message, &watcher->known);
    pthread_mutex_lock(&health->mutex);
    watcher->next = health->watchers;
    health->watchers = watcher;
    watcher_tell(health, watcher);
    pthread_mutex_unlock(&health->mutex);
}

static void on_watch_closed(void *arg, struct call *call)
{
    struct health *health = arg;

    pthread_mutex_lock(&health->mutex);
    for (struct watcher **at = &health->watchers; *at != NULL; at = &(*at)->next) {
        if ((*at)->call == call) {
            struct watcher *gone = *at;
            *at = gone->next;
            free(gone);
            break;
        }
    }
    pthread_mutex_unlock(&health->mutex);
}

void health_methods(struct health *health, struct method out[static HEALTH_METHOD_COUNT])
{
    out[0] = (struct method){.path = "/grpc.health.v1.Health/Check",
                             .kind = METHOD_UNARY,
                             .arg = health,
                             .message = on_check};
    out[1] = (struct method){.path = "/grpc.health.v1.Health/Watch",
                             .kind = METHOD_SERVER_STREAM,
                             .arg = health,
                             .message = on_watch,
                             .closed = on_watch_closed};
}

void health_tell(struct health *health)
{
    pthread_mutex_lock(&health->mutex);
    for (struct watcher *watcher = health->watchers; watcher != NULL; watcher = watcher->next) {
        watcher_tell(health, watcher);
    }
    pthread_mutex_unlock(&health->mutex);
}

void health_free(struct health *health)
{
    if (health == NULL) {
        return;
    }
    pthread_mutex_destroy(&health->mutex);
    free(health);
}
