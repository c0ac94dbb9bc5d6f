/* SPDX-License-Identifier: Apache-2.0 */
/*
 * varint: writes protobuf's integers of variable length.
 * https://protobuf.dev/programming-guides/encoding/#varints
 *
 * Threads: any.
 */
#ifndef MESH_VARINT_H
#define MESH_VARINT_H

#include <stddef.h>
#include <stdint.h>

#define MESH_VARINT_SIZE_MAX 10

/* How many bytes mesh_varint_write() takes for it. */
static inline size_t mesh_varint_size(uint64_t value)
{
    return (size_t)(63 - __builtin_clzll(value | 1)) / 7 + 1;
}

/* `out` has room for MESH_VARINT_SIZE_MAX bytes. Returns how many were written. Inline: it is
 * called several times for each event. */
static inline size_t mesh_varint_write(uint8_t *out, uint64_t value)
{
    size_t size = 0;
    while (value >= 0x80) {
        out[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    out[size++] = (uint8_t)value;
    return size;
}

#endif
