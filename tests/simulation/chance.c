/* SPDX-License-Identifier: Apache-2.0 */
#include "chance.h"

static uint64_t state;

void chance_start(uint64_t seed)
{
    state = seed;
}

/* splitmix64 */
uint64_t chance_next(void)
{
    uint64_t z = (state += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

size_t chance_below(size_t limit)
{
    return (size_t)(((chance_next() >> 32) * limit) >> 32);
}

bool chance_one_in(size_t n)
{
    return n > 0 && chance_below(n) == 0;
}
