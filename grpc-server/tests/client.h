/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client: a gRPC client of the C core with blocking calls, for tests.
 *
 * Threads: the test's. Every wait ends after CLIENT_WAIT_MS and then fails the test.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include "mesh/bytes.h"

#include <grpc/grpc.h>
#include <stdbool.h>
#include <stdint.h>

enum { CLIENT_WAIT_MS = 30000, CLIENT_STATUS_TEXT_MAX = 256 };

struct client {
    grpc_channel *channel;
    grpc_completion_queue *queue;
};

struct client_call {
    struct client *client;
    grpc_call *grpc;
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    bool has_initial; /* initial metadata was received */
    grpc_byte_buffer *received;
    grpc_status_code status; /* after client_call_end() */
    char text[CLIENT_STATUS_TEXT_MAX];
};

void client_open(struct client *client, uint16_t port);
void client_close(struct client *client);

void client_call_begin(struct client_call *call, struct client *client, const char *path);
/* With the metadata `tweetmesh-window`. */
void client_call_begin_windowed(struct client_call *call, struct client *client, const char *path,
                                const char *window);
/* False: the call is over. */
bool client_send(struct client_call *call, struct mesh_bytes message);
/* Says that nothing more comes. */
void client_send_end(struct client_call *call);
/* Waits for the next message and puts it in *out. False: there is none, the call is over. */
bool client_receive(struct client_call *call, struct mesh_buffer *out);
/* Waits for the status. */
void client_call_end(struct client_call *call);
/* Cancels before the end. */
void client_cancel(struct client_call *call);

/* One message, one reply. False: *out is empty and call->status says why. */
bool client_unary(struct client_call *call, struct client *client, const char *path,
                  struct mesh_bytes message, struct mesh_buffer *out);

#endif
