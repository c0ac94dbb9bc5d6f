/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/trace.h"

#include "hex.h"
#include "random.h"

#include <string.h>

/* "00-" 32 hex digits "-" 16 hex digits "-" 2 hex digits */
#define TRACE_ID_AT 3
#define PARENT_ID_AT 36
#define FLAGS_AT 53

bool mesh_trace_valid(struct mesh_bytes traceparent)
{
    const uint8_t *at = traceparent.data;
    /* The standard forbids ids that are all zero. */
    return traceparent.size == MESH_TRACEPARENT_LENGTH && memcmp(at, "00-", 3) == 0 &&
           at[PARENT_ID_AT - 1] == '-' && at[FLAGS_AT - 1] == '-' &&
           mesh_hex_valid(at + TRACE_ID_AT, 32) && !mesh_hex_zero(at + TRACE_ID_AT, 32) &&
           mesh_hex_valid(at + PARENT_ID_AT, 16) && !mesh_hex_zero(at + PARENT_ID_AT, 16) &&
           mesh_hex_valid(at + FLAGS_AT, 2);
}

struct mesh_trace mesh_trace_new(void)
{
    uint8_t random[24];
    mesh_random(random, sizeof(random));
    random[0] |= 1; /* neither id may be all zero */
    random[16] |= 1;
    struct mesh_trace trace;
    memcpy(trace.traceparent, "00-", 3);
    mesh_hex_write(trace.traceparent + TRACE_ID_AT, random, 16);
    trace.traceparent[PARENT_ID_AT - 1] = '-';
    mesh_hex_write(trace.traceparent + PARENT_ID_AT, random + 16, 8);
    memcpy(trace.traceparent + FLAGS_AT - 1, "-00", 4);
    return trace;
}

struct mesh_trace mesh_trace_continue(struct mesh_bytes traceparent)
{
    struct mesh_trace trace = mesh_trace_new();
    if (mesh_trace_valid(traceparent)) {
        memcpy(trace.traceparent + TRACE_ID_AT, traceparent.data + TRACE_ID_AT, 32);
        memcpy(trace.traceparent + FLAGS_AT, traceparent.data + FLAGS_AT, 2);
    }
    return trace;
}

bool mesh_trace_copy(struct mesh_bytes traceparent, struct mesh_trace *out)
{
    if (!mesh_trace_valid(traceparent)) {
        return false;
    }
    memcpy(out->traceparent, traceparent.data, MESH_TRACEPARENT_LENGTH);
    out->traceparent[MESH_TRACEPARENT_LENGTH] = '\0';
    return true;
}

static uint8_t digit_value(uint8_t digit)
{
    return (uint8_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

static void read_hex(const uint8_t *at, uint8_t *out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = (uint8_t)(digit_value(at[2 * i]) << 4 | digit_value(at[2 * i + 1]));
    }
}

bool mesh_trace_read(struct mesh_bytes traceparent, struct mesh_trace_context *out)
{
    if (!mesh_trace_valid(traceparent)) {
        return false;
    }
    read_hex(traceparent.data + TRACE_ID_AT, out->trace_id, MESH_TRACE_ID_SIZE);
    read_hex(traceparent.data + PARENT_ID_AT, out->span_id, MESH_SPAN_ID_SIZE);
    read_hex(traceparent.data + FLAGS_AT, &out->flags, 1);
    return true;
}

void mesh_trace_write(const struct mesh_trace_context *context, struct mesh_trace *out)
{
    memcpy(out->traceparent, "00-", TRACE_ID_AT);
    mesh_hex_write(out->traceparent + TRACE_ID_AT, context->trace_id, MESH_TRACE_ID_SIZE);
    out->traceparent[PARENT_ID_AT - 1] = '-';
    mesh_hex_write(out->traceparent + PARENT_ID_AT, context->span_id, MESH_SPAN_ID_SIZE);
    out->traceparent[FLAGS_AT - 1] = '-';
    mesh_hex_write(out->traceparent + FLAGS_AT, &context->flags, 1);
    out->traceparent[MESH_TRACEPARENT_LENGTH] = '\0';
}
