/* rng.h: random numbers without a state. The number for an element depends on (seed, iteration, site, element) alone,
 * so any thread may make it, in any order, and make it again in the backward pass: no mask is ever stored.
 * SPDX-License-Identifier: 0BSD */
#ifndef DLN_RNG_H
#define DLN_RNG_H
#include <stdint.h>

#define DLN_RNG_FUNCTION static inline

/* 64 bits in, 64 well mixed bits out (a bijection). */
DLN_RNG_FUNCTION uint64_t dln_mix(uint64_t x) {
    x = (x ^ (x >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    x = (x ^ (x >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    return x ^ (x >> 32);
}
/* The stream of one rand() of the program in one iteration. */
DLN_RNG_FUNCTION uint32_t dln_key(uint64_t seed, uint64_t iteration, uint32_t site) {
    const uint64_t run = dln_mix(seed + UINT64_C(0x9e3779b97f4a7c15));
    const uint64_t step = dln_mix(run ^ (iteration * UINT64_C(0xbf58476d1ce4e5b9) + 1));
    return (uint32_t)(dln_mix(step + ((uint64_t)site << 32 | site)) >> 32);
}
/* 32 random bits for one element of the stream. The key enters twice, so that no stream is another one shifted. */
DLN_RNG_FUNCTION uint32_t dln_bits(uint32_t key, uint32_t element) {
    uint32_t x = element * UINT32_C(0x9e3779b9) + key;
    x = (x ^ (x >> 16)) * UINT32_C(0x7feb352d);
    x = (x ^ (x >> 15)) * UINT32_C(0x846ca68b) + key;
    return x ^ (x >> 16);
}
/* Uniform in (0, 1): odd multiples of 2^-24, exact in float and double. Neither 0 nor 1, so that a logarithm or a quantile
 * of it is finite. */
DLN_RNG_FUNCTION double dln_uniform(uint32_t bits) { return ((double)(bits >> 9) + 0.5) * (1.0 / 8388608.0); }

#endif
