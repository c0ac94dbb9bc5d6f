/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc.h"

#include "mesh/log.h"
#include "mesh/macros.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc_security.h>
#include <stdint.h>
#include <stdlib.h>

#define BACKOFF_MS_MIN 50
#define BACKOFF_MS_MAX 1000
#define KEEPALIVE_MS 10000
#define KEEPALIVE_TIMEOUT_MS 5000
#define FILES_LOOK_S 2
#define MESSAGE_BYTES_MAX 4194304

static grpc_arg int_arg(const char *name, int value)
{
    return (grpc_arg){
        .type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)name, .value.integer = value};
}

void rpc_log_line(gpr_log_func_args *line)
{
    mesh_log(MESH_LOG_DEBUG, "gRPC", MESH_LOG_TEXT("file", line->file),
             MESH_LOG_INT("line", line->line), MESH_LOG_TEXT("message", line->message));
}

static grpc_channel_credentials *credentials_new(const struct mesh_tls_files *tls)
{
    if (tls == NULL || !mesh_tls_given(tls->ca)) {
        return grpc_insecure_credentials_create();
    }
    const bool ours = mesh_tls_given(tls->cert);
    grpc_tls_certificate_provider *provider = grpc_tls_certificate_provider_file_watcher_create(
        ours ? tls->key : NULL, ours ? tls->cert : NULL, tls->ca, FILES_LOOK_S);
    grpc_tls_credentials_options *options = grpc_tls_credentials_options_create();
    grpc_tls_credentials_options_set_certificate_provider(options, provider);
    grpc_tls_certificate_provider_release(provider);
    grpc_tls_credentials_options_watch_root_certs(options);
    if (ours) {
        grpc_tls_credentials_options_watch_identity_key_cert_pairs(options);
    }
    return grpc_tls_credentials_create(options); /* which owns the options */
}

grpc_channel *rpc_channel_new(const struct rpc_target *target)
{
    grpc_arg list[] = {
        int_arg(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
        int_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS),
        int_arg(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
        int_arg(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, BACKOFF_MS_MIN),
        int_arg(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, BACKOFF_MS_MAX),
        int_arg(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, BACKOFF_MS_MAX),
        int_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, MESSAGE_BYTES_MAX),
        int_arg(GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, MESSAGE_BYTES_MAX),
        int_arg(GRPC_ARG_ENABLE_RETRIES, 0), /* a resend is ours to decide */
        int_arg(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1),
        int_arg(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
        {.type = GRPC_ARG_STRING,
         .key = (char *)(uintptr_t)GRPC_SSL_TARGET_NAME_OVERRIDE_ARG,
         .value.string = (char *)(uintptr_t)target->server_name},
    };
    const bool named = mesh_tls_given(target->server_name);
    grpc_channel_args args = {.num_args = MESH_COUNT_OF(list) - (named ? 0 : 1), .args = list};
    grpc_channel_credentials *credentials = credentials_new(target->tls);
    grpc_channel *channel = grpc_channel_create(target->address, credentials, &args);
    grpc_channel_credentials_release(credentials);
    return channel;
}

void rpc_call_start(struct rpc_call *call, grpc_channel *channel, grpc_completion_queue *queue,
                    const char *method, gpr_timespec until)
{
    *call = (struct rpc_call){.details = grpc_empty_slice()};
    grpc_metadata_array_init(&call->initial);
    grpc_metadata_array_init(&call->trailing);
    call->call = grpc_channel_create_call(channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue,
                                          grpc_slice_from_static_string(method), NULL, until, NULL);
}

void rpc_call_batch(struct rpc_call *call, const grpc_op *ops, size_t count, void *tag)
{
    if (grpc_call_start_batch(call->call, ops, count, tag, NULL) != GRPC_CALL_OK) {
        abort(); /* a batch that the library refuses is our own bug */
    }
}

grpc_op rpc_receive_initial(struct rpc_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_INITIAL_METADATA};
    op.data.recv_initial_metadata.recv_initial_metadata = &call->initial;
    return op;
}

grpc_op rpc_receive_message(struct rpc_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &call->received;
    return op;
}

grpc_op rpc_receive_status(struct rpc_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    op.data.recv_status_on_client.trailing_metadata = &call->trailing;
    op.data.recv_status_on_client.status = &call->status;
    op.data.recv_status_on_client.status_details = &call->details;
    return op;
}

grpc_op rpc_send_message(grpc_byte_buffer *message)
{
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};
    op.data.send_message.send_message = message;
    return op;
}

bool rpc_take_message(struct rpc_call *call, grpc_slice *out)
{
    grpc_byte_buffer_reader reader;
    if (call->received == NULL) {
        return false;
    }
    bool good = grpc_byte_buffer_reader_init(&reader, call->received) != 0;
    if (good) {
        *out = grpc_byte_buffer_reader_readall(&reader);
        grpc_byte_buffer_reader_destroy(&reader);
    }
    grpc_byte_buffer_destroy(call->received);
    call->received = NULL;
    return good;
}

void rpc_call_done(struct rpc_call *call)
{
    grpc_metadata_array_destroy(&call->initial);
    grpc_metadata_array_destroy(&call->trailing);
    grpc_slice_unref(call->details);
    if (call->received != NULL) {
        grpc_byte_buffer_destroy(call->received);
    }
    grpc_call_unref(call->call);
    *call = (struct rpc_call){0};
}
