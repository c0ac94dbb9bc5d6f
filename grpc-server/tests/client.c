/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include "cmocka_all.h"

#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc_security.h>
#include <stdio.h>
#include <string.h>

void client_open(struct client *client, uint16_t port)
{
    char target[32];
    /* Without it, channels to one address would share a connection. */
    grpc_arg alone = {.type = GRPC_ARG_INTEGER,
                      .key = (char *)"grpc.use_local_subchannel_pool",
                      .value.integer = 1};

    grpc_init();
    (void)snprintf(target, sizeof target, "127.0.0.1:%u", port);
    grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
    client->channel = grpc_channel_create(target, credentials,
                                          &(grpc_channel_args){.num_args = 1, .args = &alone});
    grpc_channel_credentials_release(credentials);
    client->queue = grpc_completion_queue_create_for_next(NULL);
}

static gpr_timespec in_time(void)
{
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                        gpr_time_from_millis(CLIENT_WAIT_MS, GPR_TIMESPAN));
}

void client_close(struct client *client)
{
    grpc_channel_destroy(client->channel);
    grpc_completion_queue_shutdown(client->queue);
    while (grpc_completion_queue_next(client->queue, in_time(), NULL).type != GRPC_QUEUE_SHUTDOWN) {
    }
    grpc_completion_queue_destroy(client->queue);
    grpc_shutdown();
}

/* Starts operations and waits for them; one batch at a time. */
static bool run(struct client_call *call, const grpc_op *ops, size_t count)
{
    assert_int_equal(grpc_call_start_batch(call->grpc, ops, count, call, NULL), GRPC_CALL_OK);
    grpc_event event = grpc_completion_queue_next(call->client->queue, in_time(), NULL);
    assert_int_equal(event.type, GRPC_OP_COMPLETE);
    assert_ptr_equal(event.tag, call);
    return event.success != 0;
}

static void begin(struct client_call *call, struct client *client, const char *path,
                  grpc_metadata *metadata, size_t count)
{
    *call = (struct client_call){.client = client};
    grpc_metadata_array_init(&call->initial);
    grpc_metadata_array_init(&call->trailing);
    grpc_slice method = grpc_slice_from_copied_string(path);
    call->grpc =
        grpc_channel_create_call(client->channel, NULL, GRPC_PROPAGATE_DEFAULTS, client->queue,
                                 method, NULL, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    grpc_slice_unref(method);
    grpc_op op = {.op = GRPC_OP_SEND_INITIAL_METADATA,
                  .flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY,
                  .data.send_initial_metadata = {.count = count, .metadata = metadata}};
    assert_true(run(call, &op, 1));
}

void client_call_begin(struct client_call *call, struct client *client, const char *path)
{
    begin(call, client, path, NULL, 0);
}

void client_call_begin_windowed(struct client_call *call, struct client *client, const char *path,
                                const char *window)
{
    grpc_metadata metadata = {.key = grpc_slice_from_static_string("tweetmesh-window"),
                              .value = grpc_slice_from_copied_string(window)};

    begin(call, client, path, &metadata, 1);
    grpc_slice_unref(metadata.value);
}

bool client_send(struct client_call *call, struct mesh_bytes message)
{
    grpc_slice slice = grpc_slice_from_copied_buffer((const char *)message.data, message.size);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = buffer};
    bool sent = run(call, &op, 1);

    grpc_byte_buffer_destroy(buffer);
    grpc_slice_unref(slice);
    return sent;
}

void client_send_end(struct client_call *call)
{
    grpc_op op = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};

    (void)run(call, &op, 1);
}

bool client_receive(struct client_call *call, struct mesh_buffer *out)
{
    grpc_op ops[2] = {
        {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->received},
        {.op = GRPC_OP_RECV_INITIAL_METADATA,
         .data.recv_initial_metadata.recv_initial_metadata = &call->initial}};
    grpc_byte_buffer_reader reader;

    mesh_buffer_reset(out);
    call->received = NULL;
    (void)run(call, ops, call->has_initial ? 1 : 2);
    call->has_initial = true;
    if (call->received == NULL) {
        return false;
    }
    assert_int_equal(grpc_byte_buffer_reader_init(&reader, call->received), 1);
    grpc_slice message = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    mesh_buffer_add(out, mesh_bytes_of(GRPC_SLICE_START_PTR(message), GRPC_SLICE_LENGTH(message)));
    grpc_slice_unref(message);
    grpc_byte_buffer_destroy(call->received);
    return true;
}

void client_call_end(struct client_call *call)
{
    grpc_slice details = grpc_empty_slice();
    grpc_op ops[2] = {{.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
                       .data.recv_status_on_client = {.trailing_metadata = &call->trailing,
                                                      .status = &call->status,
                                                      .status_details = &details}},
                      {.op = GRPC_OP_RECV_INITIAL_METADATA,
                       .data.recv_initial_metadata.recv_initial_metadata = &call->initial}};

    (void)run(call, ops, call->has_initial ? 1 : 2);
    size_t length = GRPC_SLICE_LENGTH(details);
    if (length >= sizeof call->text) {
        length = sizeof call->text - 1;
    }
    memcpy(call->text, GRPC_SLICE_START_PTR(details), length);
    call->text[length] = '\0';
    grpc_slice_unref(details);
    grpc_metadata_array_destroy(&call->initial);
    grpc_metadata_array_destroy(&call->trailing);
    grpc_call_unref(call->grpc);
}

void client_cancel(struct client_call *call)
{
    assert_int_equal(grpc_call_cancel(call->grpc, NULL), GRPC_CALL_OK);
}

bool client_unary(struct client_call *call, struct client *client, const char *path,
                  struct mesh_bytes message, struct mesh_buffer *out)
{
    client_call_begin(call, client, path);
    (void)client_send(call, message);
    client_send_end(call);
    bool answered = client_receive(call, out);
    client_call_end(call);
    return answered;
}
