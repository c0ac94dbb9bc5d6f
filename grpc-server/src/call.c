/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"

#include "call_life.h"
#include "mesh/alloc.h"
#include "mesh/log.h"
#include "outbox.h"

#include <grpc/byte_buffer_reader.h>
#include <grpc/support/alloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct call {
    const struct call_owner *owner;
    uint32_t requests_max; /* unanswered at a time */
    bool in_step;          /* the client sends a message when it has the reply to the one before */
    struct call *next;     /* the owner's */
    struct call *previous;
    atomic_uint refs;

    /* The owning worker's. */
    struct operation arrival;
    struct operation receipt;
    struct operation sending;
    struct operation closing;
    grpc_call_details details;
    grpc_metadata_array metadata;
    grpc_byte_buffer *received;
    int cancelled;
    bool message_seen;

    pthread_mutex_t mutex;       /* guards everything below, and starting operations on `grpc` */
    const struct method *method; /* set once; NULL: none of ours */
    grpc_call *grpc;             /* NULL once gRPC is done with it */
    uint32_t operations;         /* started and not completed */
    uint32_t unanswered;         /* messages received whose answer was not sent */
    bool receiving;
    bool received_all; /* the client said that it is done */
    bool draining;     /* read no more */
    bool broken;       /* cancelled or disconnected: nothing can be sent */
    bool closed;
    bool metadata_sent;
    bool status_sent;
    enum mesh_code status; /* to end with */
    char *status_text;
    struct outbox outbox;
    struct outgoing *on_its_way; /* NULL: nothing is being sent, or only a status */
    bool is_sending;
};

static void call_ref(struct call *call)
{
    atomic_fetch_add(&call->refs, 1);
}

void call_unref(struct call *call)
{
    if (atomic_fetch_sub(&call->refs, 1) != 1) {
        return;
    }
    outbox_done(&call->outbox);
    free(call->status_text);
    grpc_call_details_destroy(&call->details);
    grpc_metadata_array_destroy(&call->metadata);
    pthread_mutex_destroy(&call->mutex);
    free(call);
}

/* Mutex held, `grpc` not NULL. Refused only for bugs of ours; the call is then given up. */
static bool start(struct call *call, const grpc_op *ops, size_t count, struct operation *operation)
{
    grpc_call_error error = grpc_call_start_batch(call->grpc, ops, count, operation, NULL);

    if (error != GRPC_CALL_OK) {
        mesh_log(MESH_LOG_ERROR, "grpc_operation_refused",
                 MESH_LOG_TEXT("message", grpc_call_error_to_string(error)));
        call->broken = true;
        grpc_call_cancel(call->grpc, NULL);
        return false;
    }
    call->operations++;
    return true;
}

/* Mutex held. Whether to ask for a message when so many are unanswered. */
static bool may_receive(const struct call *call, uint32_t unanswered)
{
    bool one_only = call->method == NULL || call->method->kind != METHOD_BIDI;

    return call->grpc != NULL && !call->receiving && !call->received_all && !call->draining &&
           !call->broken && call->status == MESH_OK && unanswered < call->requests_max &&
           !(one_only && call->message_seen);
}

static grpc_op receive_op(struct call *call)
{
    return (grpc_op){.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->received};
}

/* Mutex held. */
static void receive_more(struct call *call)
{
    if (may_receive(call, call->unanswered)) {
        grpc_op op = receive_op(call);
        call->receiving = start(call, &op, 1, &call->receipt);
    }
}

/* Mutex held. Whether the call has nothing more to say but its status. */
static bool may_end(const struct call *call)
{
    if (call->unanswered > 0 || call->outbox.first != NULL) {
        return false;
    }
    if (call->status != MESH_OK || call->draining) {
        return true;
    }
    switch (call->method->kind) {
    case METHOD_UNARY: /* ends with its reply, see send_more() */
    case METHOD_SERVER_STREAM:
        return false;
    case METHOD_BIDI:
        return call->received_all;
    }
    return false;
}

/* Mutex held. Fills in the status op; *details lives until the batch was started. */
static grpc_op status_op(struct call *call, bool answered, grpc_slice *details)
{
    enum mesh_code code = call->status;
    const char *text = call->status_text == NULL ? "" : call->status_text;

    if (code == MESH_OK && call->draining && !call->received_all && !answered) {
        code = MESH_UNAVAILABLE;
        text = "the server is shutting down; connect again";
    }
    *details = grpc_slice_from_copied_string(text);
    return (grpc_op){.op = GRPC_OP_SEND_STATUS_FROM_SERVER,
                     .data.send_status_from_server = {.status = (grpc_status_code)code,
                                                      .status_details = details}};
}

/* Mutex held. Starts sending the next message, or the status when it is time. */
static void send_more(struct call *call)
{
    grpc_op ops[4];
    size_t count = 0;
    grpc_slice details = grpc_empty_slice();
    struct outgoing *first = call->outbox.first;
    bool unary_reply = first != NULL && call->method != NULL && call->method->kind == METHOD_UNARY;

    if (call->grpc == NULL || call->is_sending || call->status_sent || call->broken) {
        return;
    }
    bool ends = unary_reply || may_end(call);
    if (first == NULL && !ends) {
        return;
    }
    if (!call->metadata_sent) {
        ops[count++] = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
    }
    if (first != NULL) {
        /* More are waiting: let gRPC put them into one write. */
        ops[count++] = (grpc_op){.op = GRPC_OP_SEND_MESSAGE,
                                 .flags = first->next == NULL ? 0 : GRPC_WRITE_BUFFER_HINT,
                                 .data.send_message.send_message = first->message};
        (void)outbox_take(&call->outbox);
    }
    if (ends) {
        ops[count++] = status_op(call, unary_reply, &details);
    }
    call->metadata_sent = true;
    call->status_sent = ends;
    if (first != NULL && !ends && call->in_step && may_receive(call, call->unanswered - 1)) {
        /* The reply and the wish for the next message, which tells the client that there is room
         * for it, leave in one write; and one completion is all that comes of them. The client has
         * the reply before it sends again, so by then the next one may be sent. */
        ops[count++] = receive_op(call);
        call->unanswered--;
        call->receiving = start(call, ops, count, &call->receipt);
        outgoing_free(first);
    } else {
        call->on_its_way = first;
        call->is_sending = start(call, ops, count, &call->sending);
        if (!call->is_sending) {
            call->on_its_way = NULL;
            outgoing_free(first);
        }
    }
    grpc_slice_unref(details);
}

/* Mutex held on entry, released here. */
static void go_on(struct call *call)
{
    send_more(call);
    receive_more(call);
    pthread_mutex_unlock(&call->mutex);
}

/* The same at the end of an operation, on the worker. Gives the grpc call back once gRPC is done
 * with it, so that late answers cannot outlive the server. */
static void turn(struct call *call)
{
    send_more(call);
    receive_more(call);
    grpc_call *done = NULL;
    if (call->closed && call->operations == 0) {
        done = call->grpc;
        call->grpc = NULL;
    }
    pthread_mutex_unlock(&call->mutex);
    if (done == NULL) {
        return;
    }
    grpc_call_unref(done);
    if (call->message_seen && call->method->closed != NULL) {
        call->method->closed(call->method->arg, call);
    }
    call->owner->released(call->owner->arg, call);
    call_unref(call);
}

static void on_sent(void *owner, bool success)
{
    struct call *call = owner;

    pthread_mutex_lock(&call->mutex);
    call->operations--;
    call->is_sending = false;
    struct outgoing *sent = call->on_its_way;
    call->on_its_way = NULL;
    if (sent != NULL && sent->answers) {
        call->unanswered--;
    }
    if (!success) {
        call->broken = true;
    }
    turn(call);
    outgoing_free(sent);
}

static void on_closed(void *owner, bool success)
{
    struct call *call = owner;

    (void)success; /* always true */
    pthread_mutex_lock(&call->mutex);
    call->operations--;
    call->closed = true;
    call->broken = call->broken || call->cancelled != 0;
    if (call->broken) {
        outbox_done(&call->outbox);
    }
    turn(call);
}

/* Takes the message out of *received, which it destroys. False: there is none. */
static bool message_read(grpc_byte_buffer *received, grpc_slice *out_message)
{
    grpc_byte_buffer_reader reader;

    bool read = grpc_byte_buffer_reader_init(&reader, received) != 0;
    if (read) { /* else it cannot be decompressed */
        *out_message = grpc_byte_buffer_reader_readall(&reader);
        grpc_byte_buffer_reader_destroy(&reader);
    }
    grpc_byte_buffer_destroy(received);
    return read;
}

/* Mutex held. */
static void end_with(struct call *call, enum mesh_code code, const char *text)
{
    if (call->status == MESH_OK) {
        call->status = code;
        call->status_text = mesh_strdup(text);
    }
}

static void on_received(void *owner, bool success)
{
    struct call *call = owner;
    grpc_byte_buffer *received = call->received;
    grpc_slice message;

    (void)success; /* a failure gives no message either */
    call->received = NULL;
    pthread_mutex_lock(&call->mutex);
    call->operations--;
    call->receiving = false;
    if (received == NULL) {
        call->received_all = true;
        if (!call->message_seen && call->method->kind != METHOD_BIDI) {
            end_with(call, MESH_INVALID_ARGUMENT, "the call holds no message");
        }
        turn(call);
        return;
    }
    if (!message_read(received, &message)) {
        end_with(call, MESH_INVALID_ARGUMENT, "the message cannot be decompressed");
        turn(call);
        return;
    }
    call->message_seen = true;
    if (call->method->kind != METHOD_SERVER_STREAM) {
        call->unanswered++;
        call_ref(call);
    }
    pthread_mutex_unlock(&call->mutex);

    /* Operations end on this thread only, so the call is not released meanwhile. */
    call->method->message(call->method->arg, call,
                          mesh_bytes_of(GRPC_SLICE_START_PTR(message), GRPC_SLICE_LENGTH(message)));
    grpc_slice_unref(message);
    pthread_mutex_lock(&call->mutex);
    turn(call);
}

/* The client may say how many messages it sends at most before a reply: no more are read. */
static bool window_read(struct call *call)
{
    for (size_t i = 0; i < call->metadata.count; i++) {
        const grpc_metadata *entry = &call->metadata.metadata[i];
        if (grpc_slice_str_cmp(entry->key, "tweetmesh-window") != 0) {
            continue;
        }
        char *text = grpc_slice_to_c_string(entry->value);
        char *end = NULL;
        long window = strtol(text, &end, 10);
        bool good = window >= 1 && *end == '\0';
        gpr_free(text);
        if (!good) {
            return false;
        }
        call->in_step = window == 1 && call->method->kind == METHOD_BIDI;
        if (window < (long)call->requests_max) {
            call->requests_max = (uint32_t)window;
        }
    }
    return true;
}

static void on_arrived(void *owner, bool success)
{
    struct call *call = owner;
    enum mesh_code refusal = MESH_OK;

    if (!success) {
        call->owner->none(call->owner->arg, call);
        call_unref(call);
        return;
    }
    const struct method *method =
        call->owner->arrived(call->owner->arg, call, call->details.method, &refusal);
    pthread_mutex_lock(&call->mutex);
    call->method = method;
    if (call->method == NULL) {
        end_with(call, MESH_UNIMPLEMENTED, "no such method");
    } else if (refusal != MESH_OK) {
        end_with(call, refusal, mesh_code_name(refusal));
    } else if (!window_read(call)) {
        end_with(call, MESH_INVALID_ARGUMENT, "tweetmesh-window is not a number from 1 on");
    }
    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER,
                  .data.recv_close_on_server.cancelled = &call->cancelled};
    (void)start(call, &op, 1, &call->closing);
    turn(call);
}

void call_await(const struct call_options *options)
{
    struct call *call = mesh_new(struct call);

    call->owner = options->owner;
    call->requests_max = options->requests_max;
    call->arrival = (struct operation){.completed = on_arrived, .owner = call};
    call->receipt = (struct operation){.completed = on_received, .owner = call};
    call->sending = (struct operation){.completed = on_sent, .owner = call};
    call->closing = (struct operation){.completed = on_closed, .owner = call};
    outbox_init(&call->outbox);
    atomic_store(&call->refs, 1);
    pthread_mutex_init(&call->mutex, NULL);
    grpc_call_details_init(&call->details);
    grpc_metadata_array_init(&call->metadata);
    grpc_call_error error =
        grpc_server_request_call(options->server, &call->grpc, &call->details, &call->metadata,
                                 options->queue, options->queue, &call->arrival);
    if (error != GRPC_CALL_OK) { /* the server is shutting down already */
        call->owner->none(call->owner->arg, call);
        call_unref(call);
    }
}

void call_reply(struct call *call, grpc_slice reply)
{
    pthread_mutex_lock(&call->mutex);
    if (!call->broken && call->grpc != NULL) {
        outbox_add(&call->outbox, reply, true);
    }
    go_on(call);
    grpc_slice_unref(reply);
    call_unref(call);
}

void call_fail(struct call *call, enum mesh_code code, const char *text)
{
    pthread_mutex_lock(&call->mutex);
    call->unanswered--;
    end_with(call, code, text);
    go_on(call);
    call_unref(call);
}

bool call_push(struct call *call, grpc_slice message)
{
    pthread_mutex_lock(&call->mutex);
    bool free_to_send = !call->is_sending && call->outbox.first == NULL;
    if (free_to_send && !call->broken && call->grpc != NULL) {
        outbox_add(&call->outbox, message, false);
    }
    go_on(call);
    grpc_slice_unref(message);
    return free_to_send;
}

void call_drain(struct call *call)
{
    pthread_mutex_lock(&call->mutex);
    /* A unary call is soon over by itself; ending it now would refuse a message on its way. */
    call->draining = call->method == NULL || call->method->kind != METHOD_UNARY;
    go_on(call);
}

struct call **call_next(struct call *call)
{
    return &call->next;
}

struct call **call_previous(struct call *call)
{
    return &call->previous;
}
