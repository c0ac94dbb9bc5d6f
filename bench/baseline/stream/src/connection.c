/* SPDX-License-Identifier: Apache-2.0 */
#include "connection.h"

#include "mesh/alloc.h"
#include "mesh/clock.h"
#include "tweetmesh/v1/ingest.pb-c.h"

#include <assert.h>
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>
#include <stdlib.h>

#define METHOD "/tweetmesh.v1.Ingest/PublishStream"

struct connection {
    struct connection_shared *shared;
    struct connection_tag tags[STEP_COUNT];
    grpc_channel *channel;
    grpc_call *call;
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_byte_buffer *received;
    grpc_status_code status;
    grpc_slice details;
    struct window *window;
    int steps; /* not completed */
    bool sending;
    bool closing; /* the end is ours */
    bool ended;
};

static void start(struct connection *connection, enum connection_step step, const grpc_op *ops,
                  size_t count)
{
    connection->steps++;
    if (grpc_call_start_batch(connection->call, ops, count, &connection->tags[step], NULL) !=
        GRPC_CALL_OK) {
        abort(); /* a batch that the library refuses is our own bug */
    }
}

static grpc_arg int_arg(const char *name, int value)
{
    return (grpc_arg){
        .type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)name, .value.integer = value};
}

static grpc_channel *channel_new(const char *target)
{
    grpc_arg list[] = {
        int_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, MESSAGES_BYTES_MAX),
        int_arg(GRPC_ARG_ENABLE_RETRIES, 0),
        int_arg(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1), /* else all share one connection */
        int_arg(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
    };
    grpc_channel_args args = {.num_args = MESH_COUNT_OF(list), .args = list};
    grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
    grpc_channel *channel = grpc_channel_create(target, credentials, &args);
    grpc_channel_credentials_release(credentials);
    return channel;
}

static void receive(struct connection *connection)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &connection->received;
    start(connection, STEP_RECEIVE, &op, 1);
}

static void call_start(struct connection *connection)
{
    grpc_op begin[] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},
                       {.op = GRPC_OP_RECV_INITIAL_METADATA}};
    grpc_op status = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    connection->call = grpc_channel_create_call(
        connection->channel, NULL, GRPC_PROPAGATE_DEFAULTS, connection->shared->cq,
        grpc_slice_from_static_string(METHOD), NULL, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    begin[1].data.recv_initial_metadata.recv_initial_metadata = &connection->initial;
    status.data.recv_status_on_client.trailing_metadata = &connection->trailing;
    status.data.recv_status_on_client.status = &connection->status;
    status.data.recv_status_on_client.status_details = &connection->details;
    start(connection, STEP_START, begin, MESH_COUNT_OF(begin));
    start(connection, STEP_STATUS, &status, 1);
    receive(connection);
}

struct connection *connection_new(struct connection_shared *shared, const char *target)
{
    struct connection *connection = mesh_new(struct connection);
    connection->shared = shared;
    for (int step = 0; step < STEP_COUNT; step++) {
        connection->tags[step] =
            (struct connection_tag){.connection = connection, .step = (enum connection_step)step};
    }
    connection->details = grpc_empty_slice();
    grpc_metadata_array_init(&connection->initial);
    grpc_metadata_array_init(&connection->trailing);
    connection->window = window_new(shared->window);
    connection->channel = channel_new(target);
    call_start(connection);
    return connection;
}

void connection_send(struct connection *connection, int64_t now_us)
{
    struct connection_shared *shared = connection->shared;
    uint64_t room = run_room(shared->run, now_us);
    uint64_t events = room < shared->batch ? room : shared->batch;
    if (connection->sending || connection->ended || connection->closing || events == 0 ||
        window_is_full(connection->window)) {
        return;
    }
    uint64_t sequence = window_open(connection->window, events, now_us);
    size_t size_max =
        messages_size(shared->messages, shared->number, events) + MESSAGES_SEQUENCE_BYTES_MAX;
    grpc_slice slice = grpc_slice_malloc(size_max);
    size_t size = messages_write(shared->messages, shared->number++, events, sequence,
                                 GRPC_SLICE_START_PTR(slice));
    GRPC_SLICE_SET_LENGTH(slice, size);
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};
    op.data.send_message.send_message = message;
    connection->sending = true;
    run_begin(shared->run, events);
    start(connection, STEP_SEND, &op, 1);
    grpc_byte_buffer_destroy(message);
}

/* What ingest.proto says that a code means. */
static enum run_outcome outcome_of(uint32_t code)
{
    switch (code) {
    case MESH_OK:
        return RUN_ACKED;
    case MESH_INVALID_ARGUMENT:
    case MESH_RESOURCE_EXHAUSTED:
    case MESH_UNAVAILABLE:
        return RUN_REFUSED;
    default:
        return RUN_UNKNOWN;
    }
}

static bool count_reply(struct connection *connection, const Tweetmesh__V1__PublishReply *reply)
{
    uint64_t counts[RUN_OUTCOMES] = {0};
    struct window_message message;
    if (!window_close(connection->window, reply->sequence, &message)) {
        return false;
    }
    for (size_t i = 0; i < reply->n_codes; i++) {
        counts[outcome_of(reply->codes[i])]++;
    }
    if (reply->n_codes != message.events) { /* which of them are stored cannot be told */
        counts[RUN_ACKED] = 0;
        counts[RUN_REFUSED] = 0;
        counts[RUN_UNKNOWN] = message.events;
    }
    int64_t now_us = mesh_clock_mono_us();
    for (int outcome = 0; outcome < RUN_OUTCOMES; outcome++) {
        run_report(connection->shared->run, (enum run_outcome)outcome, counts[outcome],
                   message.sent_us, now_us);
    }
    return reply->n_codes == message.events;
}

static bool on_received(struct connection *connection, struct mesh_error *err)
{
    grpc_byte_buffer_reader reader;
    if (connection->received == NULL) {
        return true; /* no more come; the status says why */
    }
    Tweetmesh__V1__PublishReply *reply = NULL;
    if (grpc_byte_buffer_reader_init(&reader, connection->received)) {
        grpc_slice bytes = grpc_byte_buffer_reader_readall(&reader);
        reply = tweetmesh__v1__publish_reply__unpack(NULL, GRPC_SLICE_LENGTH(bytes),
                                                     GRPC_SLICE_START_PTR(bytes));
        grpc_slice_unref(bytes);
        grpc_byte_buffer_reader_destroy(&reader);
    }
    grpc_byte_buffer_destroy(connection->received);
    connection->received = NULL;
    bool good = reply != NULL && count_reply(connection, reply);
    if (reply != NULL) {
        tweetmesh__v1__publish_reply__free_unpacked(reply, NULL);
    }
    if (!good) {
        return mesh_fail(err, MESH_INTERNAL, "a reply makes no sense");
    }
    receive(connection);
    return true;
}

static bool on_status(struct connection *connection, struct mesh_error *err)
{
    connection->ended = true;
    if (connection->closing) {
        return true;
    }
    char *details = grpc_slice_to_c_string(connection->details);
    mesh_fail(err, MESH_UNAVAILABLE, "the stream ended: %s: %s",
              mesh_code_name((enum mesh_code)connection->status), details);
    gpr_free(details);
    return false;
}

bool connection_complete(const struct connection_tag *tag, bool success, struct mesh_error *err)
{
    struct connection *connection = tag->connection;
    connection->steps--;
    switch (tag->step) {
    case STEP_SEND:
        connection->sending = false; /* if it failed, the status comes */
        return true;
    case STEP_RECEIVE:
        return !success || on_received(connection, err);
    case STEP_STATUS:
        return on_status(connection, err);
    default:
        return true;
    }
}

void connection_close(struct connection *connection)
{
    const grpc_op op = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
    if (!connection->ended && !connection->closing && !connection->sending) {
        start(connection, STEP_CLOSE, &op, 1);
    }
    connection->closing = true;
}

void connection_cancel(struct connection *connection)
{
    connection->closing = true;
    (void)grpc_call_cancel(connection->call, NULL);
}

bool connection_is_idle(const struct connection *connection)
{
    return connection->steps == 0;
}

void connection_free(struct connection *connection)
{
    if (connection == NULL) {
        return;
    }
    assert(connection->steps == 0);
    if (connection->received != NULL) {
        grpc_byte_buffer_destroy(connection->received);
    }
    grpc_metadata_array_destroy(&connection->initial);
    grpc_metadata_array_destroy(&connection->trailing);
    grpc_slice_unref(connection->details);
    grpc_call_unref(connection->call);
    grpc_channel_destroy(connection->channel);
    window_free(connection->window);
    free(connection);
}
