/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rpc: the few things that every call through gRPC's C core needs.
 *
 * Threads: any; a call belongs to whoever started it.
 */
#ifndef API_RPC_H
#define API_RPC_H

#include "mesh/tls.h"

#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <stdbool.h>
#include <stddef.h>

/* Where calls go to. */
struct rpc_target {
    const char *address; /* gRPC target */
    /* Kept. With .ca: TLS, with our certificate if there is one; gRPC itself looks at the files
     * every few seconds. NULL: plain. */
    const struct mesh_tls_files *tls;
    const char *server_name; /* that the certificate is for; NULL or "": the address' host */
};

struct rpc_call {
    grpc_call *call; /* NULL: there is none */
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_byte_buffer *received;
    grpc_status_code status;
    grpc_slice details;
};

/* What gRPC has to say itself, as lines of our log; it copes with all of it. For
 * gpr_set_log_function(). */
void rpc_log_line(gpr_log_func_args *line);

/* A channel with our keepalive, backoff and size limits. The caller destroys it. */
grpc_channel *rpc_channel_new(const struct rpc_target *target);

/* `method` must be static. */
void rpc_call_start(struct rpc_call *call, grpc_channel *channel, grpc_completion_queue *queue,
                    const char *method, gpr_timespec until);
/* Starts operations that complete together as `tag`. */
void rpc_call_batch(struct rpc_call *call, const grpc_op *ops, size_t count, void *tag);
/* Operations that write into the call. */
grpc_op rpc_receive_initial(struct rpc_call *call);
grpc_op rpc_receive_message(struct rpc_call *call);
grpc_op rpc_receive_status(struct rpc_call *call);
grpc_op rpc_send_message(grpc_byte_buffer *message);
/* Takes the received message in one slice, which the caller unrefs. False: there is none, or it is
 * broken. */
bool rpc_take_message(struct rpc_call *call, grpc_slice *out);
/* After the last operation has completed. */
void rpc_call_done(struct rpc_call *call);

#endif
