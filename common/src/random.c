/* SPDX-License-Identifier: Apache-2.0 */
#include "random.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/types.h>

void mesh_random(uint8_t *out, size_t size)
{
    /* 256 bytes: the largest piece that getrandom() gives without being interrupted. */
    static _Thread_local uint8_t pool[256];
    static _Thread_local size_t left;

    assert(size <= 64);
    if (left < size) {
        ssize_t got = getrandom(pool, sizeof(pool), 0);
        if (got != (ssize_t)sizeof(pool)) {
            abort();
        }
        left = sizeof(pool);
    }
    left -= size;
    memcpy(out, pool + left, size);
    memset(pool + left, 0, size); /* a byte is given out once */
}
