/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include "connection.h"
#include "mesh/alloc.h"
#include "mesh/clock.h"

#include <grpc/grpc.h>
#include <stdlib.h>

#define CLOSE_US 5000000 /* for a server to end a call in order */

struct client {
    const struct client_options *options;
    struct connection_shared shared;
    struct connection **connections;
};

/* Acts on one completion, if there is one within wait_us. */
static bool turn(struct client *client, int64_t wait_us, struct mesh_error *err)
{
    gpr_timespec until =
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_micros(wait_us, GPR_TIMESPAN));
    grpc_event event = grpc_completion_queue_next(client->shared.cq, until, NULL);
    return event.type != GRPC_OP_COMPLETE ||
           connection_complete(event.tag, event.success != 0, err);
}

static bool publish(struct client *client, struct mesh_error *err)
{
    struct run *run = client->shared.run;
    int64_t now_us = mesh_clock_mono_us();
    while (run_turn(run, now_us)) {
        for (uint64_t i = 0; i < client->options->connections; i++) {
            connection_send(client->connections[i], now_us);
        }
        if (!turn(client, run_wait_us(run, now_us), err)) {
            run_abandon(run, mesh_clock_mono_us());
            return false;
        }
        now_us = mesh_clock_mono_us();
    }
    return true;
}

static bool all_idle(const struct client *client)
{
    for (uint64_t i = 0; i < client->options->connections; i++) {
        if (!connection_is_idle(client->connections[i])) {
            return false;
        }
    }
    return true;
}

/* What is still said no longer counts; a server that does not end its calls is left. */
static void close_all(struct client *client, bool orderly)
{
    struct mesh_error ignored;
    int64_t until_us = mesh_clock_mono_us() + (orderly ? CLOSE_US : 0);
    bool cancelled = false;
    for (uint64_t i = 0; i < client->options->connections; i++) {
        connection_close(client->connections[i]);
    }
    while (!all_idle(client)) {
        int64_t wait_us = until_us - mesh_clock_mono_us();
        if (wait_us <= 0 && !cancelled) {
            cancelled = true;
            for (uint64_t i = 0; i < client->options->connections; i++) {
                connection_cancel(client->connections[i]);
            }
        }
        (void)!turn(client, cancelled ? CLOSE_US : wait_us, &ignored);
    }
}

static void queue_free(grpc_completion_queue *cq)
{
    grpc_completion_queue_shutdown(cq);
    while (grpc_completion_queue_next(cq, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).type !=
           GRPC_QUEUE_SHUTDOWN) {
    }
    grpc_completion_queue_destroy(cq);
}

bool client_run(const struct client_options *options, struct messages *messages, struct run *run,
                struct mesh_error *err)
{
    struct client client = {
        .options = options,
        .shared = {
            .messages = messages, .run = run, .batch = options->batch, .window = options->window}};
    grpc_init();
    client.shared.cq = grpc_completion_queue_create_for_next(NULL);
    client.connections = mesh_new_array(struct connection *, options->connections);
    for (uint64_t i = 0; i < options->connections; i++) {
        client.connections[i] = connection_new(&client.shared, options->target);
    }
    bool good = publish(&client, err);
    close_all(&client, good);
    for (uint64_t i = 0; i < options->connections; i++) {
        connection_free(client.connections[i]);
    }
    free(client.connections);
    queue_free(client.shared.cq);
    grpc_shutdown();
    return good;
}
