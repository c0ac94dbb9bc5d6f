/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh/trace.h"

#include "random.h"

#include <string.h>

/* "00-" 32 hex digits "-" 16 hex digits "-" 2 hex digits */
#define TRACE_ID_AT 3
#define PARENT_ID_AT 36
#define FLAGS_AT 53

static const char hex_digits[] = "0123456789abcdef";

static void put_hex(char *at, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        at[2 * i] = hex_digits[bytes[i] >> 4];
        at[2 * i + 1] = hex_digits[bytes[i] & 15];
    }
}

/* Lower-case hex; *out_zero: only zeros, which the standard forbids in ids. */
static bool is_hex(const uint8_t *at, size_t count, bool *out_zero)
{
    *out_zero = true;
    for (size_t i = 0; i < count; i++) {
        if (!((at[i] >= '0' && at[i] <= '9') || (at[i] >= 'a' && at[i] <= 'f'))) {
            return false;
        }
        *out_zero = *out_zero && at[i] == '0';
    }
    return true;
}

bool mesh_trace_valid(struct mesh_bytes traceparent)
{
    const uint8_t *at = traceparent.data;
    bool trace_zero = false;
    bool parent_zero = false;
    bool flags_zero = false;
    return traceparent.size == MESH_TRACEPARENT_LENGTH && memcmp(at, "00-", 3) == 0 &&
           at[PARENT_ID_AT - 1] == '-' && at[FLAGS_AT - 1] == '-' &&
           is_hex(at + TRACE_ID_AT, 32, &trace_zero) && !trace_zero &&
           is_hex(at + PARENT_ID_AT, 16, &parent_zero) && !parent_zero &&
           is_hex(at + FLAGS_AT, 2, &flags_zero);
}

struct mesh_trace mesh_trace_new(void)
{
    uint8_t random[24];
    mesh_random(random, sizeof(random));
    random[0] |= 1; /* neither id may be all zero */
    random[16] |= 1;
    struct mesh_trace trace;
    memcpy(trace.traceparent, "00-", 3);
    put_hex(trace.traceparent + TRACE_ID_AT, random, 16);
    trace.traceparent[PARENT_ID_AT - 1] = '-';
    put_hex(trace.traceparent + PARENT_ID_AT, random + 16, 8);
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
