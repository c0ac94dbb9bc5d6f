/* SPDX-License-Identifier: Apache-2.0 */
#include "ids.h"

#include "mesh/clock.h"

#include <string.h>

#define COUNTED_DIGITS 12 /* the last group of a UUID */

void ids_init(struct ids *ids)
{
    *ids = (struct ids){.base = mesh_id_new(mesh_clock_wall_ms())};
}

void ids_write(struct ids *ids, char out[static MESH_ID_LENGTH])
{
    static const char digits[] = "0123456789abcdef";
    uint64_t number = ids->next++;
    memcpy(out, ids->base.text, MESH_ID_LENGTH - COUNTED_DIGITS);
    for (int i = MESH_ID_LENGTH - 1; i >= MESH_ID_LENGTH - COUNTED_DIGITS; i--) {
        out[i] = digits[number & 15];
        number >>= 4;
    }
}
