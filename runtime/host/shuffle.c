/* shuffle.c: an order that needs no memory and no history. A Feistel network is a bijection of the numbers of 2 * bits
 * bits whatever its round function; a result beyond the count is put in again until it falls inside: still one.
 * So sample i of epoch e is known from (seed, e, i) alone, and training resumes anywhere.
 * SPDX-License-Identifier: 0BSD */
#include "data.h"

static uint64_t mix(uint64_t x)
{ /* the finalizer of splitmix64 */
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t key_of(uint64_t seed, uint64_t stream)
{
    return mix(mix(seed + UINT64_C(0x9e3779b97f4a7c15)) + stream * UINT64_C(0xd1342543de82ef95));
}

Shuffle shuffle_new(uint64_t count, uint64_t seed, uint64_t stream)
{
    Shuffle s = { count, key_of(seed, stream), 4 }; /* 256 places at least: few bits mix badly */
    while (s.bits < 32 && count > (uint64_t)1 << 2 * s.bits) s.bits++;
    return s;
}

uint64_t shuffle_place(const Shuffle *s, uint64_t i)
{
    const uint64_t mask = ((uint64_t)1 << s->bits) - 1;
    do {
        uint64_t left = i >> s->bits, right = i & mask;
        for (uint64_t round = 1; round <= 4; round++) {
            uint64_t next = left ^ (mix(s->key + round * UINT64_C(0x9e3779b97f4a7c15) + right) & mask);
            left = right;
            right = next;
        }
        i = left << s->bits | right;
    } while (i >= s->count);
    return i;
}

uint64_t shuffle_below(uint64_t seed, uint64_t stream, uint64_t bound)
{
    return bound ? mix(key_of(seed, stream) + 1) % bound : 0;
}
