/* SPDX-License-Identifier: Apache-2.0 */
/* A pod: three processes, the stream between api and grpc-server, and the way of the hints. */
#include "chance.h"
#include "clients.h"
#include "mesh/alloc.h"
#include "side.h"
#include "verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAME_COUNT_MAX = 32 };

struct parcel {
    struct parcel *next;
    unsigned int life; /* of the stream it was sent on */
    struct mesh_bytes bytes;
};

struct parcels {
    struct parcel *first;
    struct parcel **end;
};

struct pod {
    struct process api_process;
    struct process server_process;
    struct process hub_process;
    struct api *api; /* NULL: not running; likewise below */
    struct server *server;
    struct hub *hub;
    unsigned int life; /* number of the stream */
    bool up;
    struct parcels to_server;
    struct parcels to_api;
    struct mesh_bytes frames[FRAME_COUNT_MAX]; /* on their way to ws-redis */
    size_t frame_count;
};

/* ---- parcels: in the ledger's memory ---- */

static void parcels_clear(struct parcels *parcels)
{
    parcels->first = NULL;
    parcels->end = &parcels->first;
}

static struct mesh_bytes keep(struct mesh_bytes bytes)
{
    uint8_t *copy = ledger_memory(bytes.size);

    memcpy(copy, bytes.data, bytes.size);
    return mesh_bytes_of(copy, bytes.size);
}

static void parcels_add(struct parcels *parcels, unsigned int life, struct mesh_bytes bytes)
{
    struct parcel *parcel = ledger_memory(sizeof(*parcel));

    *parcel = (struct parcel){.life = life, .bytes = keep(bytes)};
    *parcels->end = parcel;
    parcels->end = &parcel->next;
}

static struct parcel *parcels_take(struct parcels *parcels)
{
    struct parcel *first = parcels->first;

    if (first != NULL) {
        parcels->first = first->next;
        if (parcels->first == NULL) {
            parcels->end = &parcels->first;
        }
    }
    return first;
}

void pod_send(struct pod *pod, struct mesh_bytes message)
{
    trace("%s sends a message of %zu bytes on stream %u", pod->api_process.name, message.size,
          pod->life);
    if (!pod->up) {
        verdict_broken("api sends where it must not");
    }
    parcels_add(&pod->to_server, pod->life, message);
}

void pod_reply(struct pod *pod, unsigned int life, struct mesh_bytes reply)
{
    if (pod->up && life == pod->life) {
        parcels_add(&pod->to_api, life, reply);
    }
}

/* ---- life ---- */

static void process_name(struct process *process, const char *what, size_t number)
{
    (void)snprintf(process->name, sizeof(process->name), "%s-%zu", what, number);
}

struct pod *pod_new(size_t number)
{
    struct pod *pod = mesh_new(struct pod);

    process_name(&pod->api_process, "api", number);
    process_name(&pod->server_process, "grpc-server", number);
    process_name(&pod->hub_process, "ws-redis", number);
    parcels_clear(&pod->to_server);
    parcels_clear(&pod->to_api);
    return pod;
}

static void process_begin(struct process *process)
{
    trace("%s starts", process->name);
    process->killed = false;
}

bool pod_start(struct pod *pod)
{
    if (pod->api != NULL && pod->server != NULL && pod->hub != NULL) {
        return true;
    }
    if (pod->api == NULL) {
        process_begin(&pod->api_process);
        pod->api = api_start(pod, &pod->api_process);
    }
    if (pod->server == NULL) {
        process_begin(&pod->server_process);
        pod->server = server_start(pod, &pod->server_process);
    }
    if (pod->hub == NULL) {
        process_begin(&pod->hub_process);
        pod->hub = hub_start(&pod->hub_process);
    }
    return false;
}

/* What the server has not read yet may still reach it, up to some message. */
static void link_break(struct pod *pod)
{
    trace("stream %u of %s breaks", pod->life, pod->api_process.name);
    if (pod->api != NULL) {
        api_link_closing(pod->api);
    }
    pod->up = false;
    struct parcel **at = &pod->to_server.first;
    while (*at != NULL && chance_one_in(2)) {
        at = &(*at)->next;
    }
    *at = NULL;
    pod->to_server.end = at;
    parcels_clear(&pod->to_api);
    if (pod->api != NULL) {
        api_link_down(pod->api);
    }
}

static void api_reap(struct pod *pod)
{
    struct api *api = pod->api;

    /* For the server a stream of a dead client is one that breaks. */
    api_close(api);
    pod->api = NULL;
    if (pod->up) {
        link_break(pod);
    }
    clients_lose(api);
    api_stop(api);
}

void pod_reap(struct pod *pod)
{
    if (pod->server != NULL && pod->server_process.killed) {
        if (pod->up) {
            link_break(pod);
        }
        parcels_clear(&pod->to_server);
        server_stop(pod->server);
        pod->server = NULL;
    }
    if (pod->api != NULL && pod->api_process.killed) {
        api_reap(pod);
    }
    if (pod->hub != NULL && pod->hub_process.killed) {
        pod->frame_count = 0;
        hub_stop(pod->hub);
        pod->hub = NULL;
    }
}

void pod_kill(struct pod *pod)
{
    struct process *processes[] = {&pod->api_process, &pod->server_process, &pod->hub_process};
    struct process *process = processes[chance_below(MESH_COUNT_OF(processes))];

    trace("%s is killed", process->name);
    process->killed = true;
}

void pod_free(struct pod *pod)
{
    struct process *processes[] = {&pod->api_process, &pod->server_process, &pod->hub_process};

    for (size_t i = 0; i < MESH_COUNT_OF(processes); i++) {
        processes[i]->killed = true;
    }
    pod_reap(pod);
    free(pod);
}

struct api *pod_api(struct pod *pod)
{
    return pod->api;
}

/* ---- steps ---- */

static void link_step(struct pod *pod)
{
    if (pod->api == NULL) {
        return;
    }
    api_look(pod->api);
    if (!pod->up) {
        if (pod->server != NULL && server_ready(pod->server)) {
            pod->life++;
            pod->up = true;
            trace("stream %u of %s is up", pod->life, pod->api_process.name);
            api_link_up(pod->api);
        }
        return;
    }
    if (chance_one_in(faults.link_break) || !api_link_tick(pod->api)) {
        link_break(pod);
    }
}

static void deliver(struct pod *pod)
{
    struct parcel *parcel = pod->server == NULL ? NULL : parcels_take(&pod->to_server);

    if (parcel != NULL) {
        trace("%s gets a message of stream %u", pod->server_process.name, parcel->life);
        server_receive(pod->server, parcel->life, parcel->bytes);
    }
}

static void reply(struct pod *pod)
{
    struct parcel *parcel = pod->api == NULL ? NULL : parcels_take(&pod->to_api);

    if (parcel != NULL && !api_link_reply(pod->api, parcel->bytes)) {
        verdict_broken("api does not understand a reply of grpc-server's");
    }
}

static void frame_make(struct pod *pod)
{
    struct mesh_buffer frame = {0};

    if (pod->api != NULL && pod->hub != NULL && pod->frame_count < FRAME_COUNT_MAX &&
        api_next_frame(pod->api, &frame)) {
        pod->frames[pod->frame_count++] = keep(mesh_buffer_bytes(&frame));
        mesh_buffer_done(&frame);
    }
}

static void frame_deliver(struct pod *pod)
{
    if (pod->frame_count == 0 || pod->hub == NULL) {
        return;
    }
    bool strange = chance_one_in(faults.hint);
    size_t at = strange ? chance_below(pod->frame_count) : 0; /* overtakes others */
    bool doubled = strange && chance_one_in(3);
    bool lost = strange && !doubled && chance_one_in(2);
    struct mesh_bytes frame = pod->frames[at];

    trace("%s: a frame%s", pod->hub_process.name,
          lost      ? " is lost"
          : doubled ? ", which will come again"
                    : "");
    if (!doubled) {
        pod->frame_count--;
        memmove(pod->frames + at, pod->frames + at + 1,
                (pod->frame_count - at) * sizeof(pod->frames[0]));
    }
    if (!lost) {
        hub_receive(pod->hub, frame);
    }
}

void pod_step(struct pod *pod)
{
    static void (*const steps[])(struct pod *pod) = {link_step, deliver, reply, frame_make,
                                                     frame_deliver};

    steps[chance_below(MESH_COUNT_OF(steps))](pod);
}

bool pod_at_rest(struct pod *pod)
{
    return pod->api != NULL && pod->server != NULL && pod->hub != NULL && pod->up &&
           pod->to_server.first == NULL && pod->to_api.first == NULL && pod->frame_count == 0 &&
           hub_at_rest(pod->hub);
}
