/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc-server: its requests, ingest, publisher, offsets and producer are the real ones; a call is
 * ours.
 */
#include "call.h"
#include "ingest.h"
#include "mesh/alloc.h"
#include "mutants.h"
#include "offsets.h"
#include "publisher.h"
#include "side.h"
#include "verdict.h"

#include <grpc/slice.h>
#include <stdlib.h>

enum { STREAM_METHOD = 1 };

struct server {
    struct pod *pod;
    struct process *process;
    struct publisher *publisher;
    struct ingest *ingest;
    struct method methods[INGEST_METHOD_COUNT];
};

/* One message of a stream, until it is answered. */
struct call {
    struct server *server;
    unsigned int life;
};

void call_reply(struct call *call, grpc_slice reply)
{
    if (!call->server->process->killed) {
        pod_reply(call->server->pod, call->life,
                  mesh_bytes_of(GRPC_SLICE_START_PTR(reply), GRPC_SLICE_LENGTH(reply)));
    }
    grpc_slice_unref(reply);
    free(call);
}

void call_fail(struct call *call, enum mesh_code code, const char *text)
{
    verdict_broken("grpc-server refuses a message of api's: %s, %s", mesh_code_name(code), text);
    free(call);
}

int64_t __real_offsets_believe(struct offsets *offsets, size_t topic, int32_t partition,
                               int64_t offset);
int64_t __wrap_offsets_believe(struct offsets *offsets, size_t topic, int32_t partition,
                               int64_t offset);

int64_t __wrap_offsets_believe(struct offsets *offsets, size_t topic, int32_t partition,
                               int64_t offset)
{
    if (mutant == MUTANT_believe_all || (mutant == MUTANT_believe_valid && offset >= 0)) {
        return offset;
    }
    return __real_offsets_believe(offsets, topic, partition, offset);
}

struct server *server_start(struct pod *pod, struct process *process)
{
    struct server *server = mesh_new(struct server);
    struct mesh_error err = {0};

    process_enter(process);
    server->pod = pod;
    server->process = process;
    server->publisher = publisher_new(&(struct publisher_options){.brokers = "simulated",
                                                                  .streams = side_streams,
                                                                  .delivery_ms_max = 8000,
                                                                  .queue_len_max = 1000,
                                                                  .queue_kb_max = 1000},
                                      &err);
    if (server->publisher == NULL) {
        abort();
    }
    server->ingest = ingest_new(side_streams, server->publisher);
    ingest_methods(server->ingest, server->methods);
    return server;
}

void server_stop(struct server *server)
{
    process_enter(server->process);
    publisher_free(server->publisher, 0);
    ingest_free(server->ingest);
    free(server);
}

void server_receive(struct server *server, unsigned int life, struct mesh_bytes message)
{
    struct call *call = mesh_new(struct call);
    const struct method *method = &server->methods[STREAM_METHOD];

    process_enter(server->process);
    *call = (struct call){.server = server, .life = life};
    method->message(method->arg, call, message);
}

bool server_ready(struct server *server)
{
    struct mesh_buffer reason = {0};

    process_enter(server->process);
    bool ready = publisher_ready(server->publisher, &reason);
    mesh_buffer_done(&reason);
    return ready;
}
