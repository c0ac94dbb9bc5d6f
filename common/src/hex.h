/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hex: lower-case hexadecimal digits, of which ids and traces are made.
 *
 * Private to id.c and trace.c. Threads: any. The loops have no early way out and, where they are
 * called, fixed lengths: so compilers make vector instructions of them.
 */
#ifndef MESH_HEX_H
#define MESH_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Whether all are digits 0 to 9 and a to f. */
static inline bool mesh_hex_valid(const uint8_t *at, size_t count)
{
    uint8_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        wrong |= (uint8_t)((uint8_t)(at[i] - '0') > 9) & (uint8_t)((uint8_t)(at[i] - 'a') > 5);
    }
    return wrong == 0;
}

/* Whether all are the digit 0. */
static inline bool mesh_hex_zero(const uint8_t *at, size_t count)
{
    uint8_t other = 0;
    for (size_t i = 0; i < count; i++) {
        other |= (uint8_t)(at[i] ^ '0');
    }
    return other == 0;
}

#define MESH_HEX_ROW(high)                                                                         \
    high "0" high "1" high "2" high "3" high "4" high "5" high "6" high "7" high "8" high "9" high \
         "a" high "b" high "c" high "d" high "e" high "f"

/* Two digits for each byte. */
static inline void mesh_hex_write(char *out, const uint8_t *bytes, size_t count)
{
    static const char pairs[] = MESH_HEX_ROW("0") MESH_HEX_ROW("1") MESH_HEX_ROW("2")
        MESH_HEX_ROW("3") MESH_HEX_ROW("4") MESH_HEX_ROW("5") MESH_HEX_ROW("6") MESH_HEX_ROW("7")
            MESH_HEX_ROW("8") MESH_HEX_ROW("9") MESH_HEX_ROW("a") MESH_HEX_ROW("b")
                MESH_HEX_ROW("c") MESH_HEX_ROW("d") MESH_HEX_ROW("e") MESH_HEX_ROW("f");
    for (size_t i = 0; i < count; i++) {
        memcpy(out + 2 * i, pairs + (size_t)2 * bytes[i], 2);
    }
}

#endif
