/* SPDX-License-Identifier: Apache-2.0 */
#include "lanes.h"

#include "mesh/clock.h"
#include "mesh/macros.h"

#include <assert.h>
#include <grpc/byte_buffer.h>
#include <string.h>

enum { TAG_BITS = 3 };

/* gRPC takes NULL for a tag, too, but a debugger's reader would not. */
void *lanes_tag(enum lane_tag tag, size_t lane)
{
    return (void *)(uintptr_t)(lane << TAG_BITS | (tag + 1U));
}

enum lane_tag lanes_tag_read(void *tag, size_t *out_lane)
{
    uintptr_t number = (uintptr_t)tag;
    *out_lane = number >> TAG_BITS;
    return (enum lane_tag)((number & ((1U << TAG_BITS) - 1)) - 1);
}

void lanes_start(struct lanes *lanes, uint32_t flags)
{
    size_t index = atomic_load(&lanes->count);
    assert(index < LANES_MAX);
    struct rpc_call *call = &lanes->at[index].call;
    rpc_call_start(call, lanes->channel, lanes->cq, "/tweetmesh.v1.Ingest/PublishStream",
                   gpr_inf_future(GPR_CLOCK_REALTIME));
    grpc_metadata window = {.key = grpc_slice_from_static_string("tweetmesh-window"),
                            .value = grpc_slice_from_static_string("1")};
    const grpc_op start[] = {{.op = GRPC_OP_SEND_INITIAL_METADATA,
                              .flags = flags,
                              .data.send_initial_metadata = {.count = 1, .metadata = &window}},
                             rpc_receive_initial(call)};
    const grpc_op status = rpc_receive_status(call);
    atomic_fetch_add(&lanes->ops, 2);
    rpc_call_batch(call, start, MESH_COUNT_OF(start), lanes_tag(LANE_STARTED, index));
    rpc_call_batch(call, &status, 1, lanes_tag(LANE_ENDED, index));
    atomic_store(&lanes->count, index + 1);
}

static struct lane *lane_free(struct lanes *lanes)
{
    size_t count = atomic_load(&lanes->count);
    size_t i = 0;
    while (i < count && atomic_load(&lanes->at[i].busy)) {
        i++;
    }
    struct lane *lane = &lanes->at[i];
    if (i == count) {
        lanes_start(lanes, 0);
        if (atomic_load(&lanes->closing)) { /* so whoever ends the lanes may have missed it */
            grpc_call_cancel(lane->call.call, NULL);
        }
    }
    return lane;
}

static grpc_byte_buffer *message_of(const struct mesh_bytes *parts, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += parts[i].size;
    }
    grpc_slice slice = grpc_slice_malloc(size);
    uint8_t *to = GRPC_SLICE_START_PTR(slice);
    for (size_t i = 0; i < count; i++) {
        memcpy(to, parts[i].data, parts[i].size);
        to += parts[i].size;
    }
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return message;
}

void lanes_send(struct lanes *lanes, const struct mesh_bytes *parts, size_t count)
{
    grpc_byte_buffer *message = message_of(parts, count);
    struct lane *lane = lane_free(lanes);
    atomic_store(&lane->busy, true);
    atomic_fetch_add(&lanes->in_flight, 1);
    atomic_store(&lanes->sent_us, mesh_clock_mono_us());
    const grpc_op ops[] = {rpc_send_message(message), rpc_receive_message(&lane->call)};
    rpc_call_batch(&lane->call, ops, MESH_COUNT_OF(ops),
                   lanes_tag(LANE_EXCHANGED, (size_t)(lane - lanes->at)));
    grpc_byte_buffer_destroy(message); /* nothing of the lane: it may have been taken away */
}

bool lanes_take_reply(struct lanes *lanes, struct lane *lane, grpc_slice *out)
{
    bool taken = rpc_take_message(&lane->call, out);
    atomic_store(&lane->busy, false);
    atomic_fetch_sub(&lanes->in_flight, 1);
    return taken;
}

void lanes_cancel(struct lanes *lanes, grpc_status_code code, const char *why)
{
    size_t count = atomic_load(&lanes->count);
    for (size_t i = 0; i < count; i++) {
        grpc_call_cancel_with_status(lanes->at[i].call.call, code, why, NULL);
    }
}

void lanes_cancel_idle(struct lanes *lanes)
{
    size_t count = atomic_load(&lanes->count);
    for (size_t i = 0; i < count; i++) {
        if (!atomic_load(&lanes->at[i].busy)) {
            grpc_call_cancel(lanes->at[i].call.call, NULL);
        }
    }
}

void lanes_done(struct lanes *lanes)
{
    size_t count = atomic_load(&lanes->count);
    for (size_t i = 0; i < count; i++) {
        rpc_call_done(&lanes->at[i].call);
    }
    atomic_store(&lanes->count, 0);
    atomic_store(&lanes->closing, false);
}
