/* random.h: rng.h for whole vectors: the bits of elements e, e + 1, .. (or of any elements), as uniform numbers.
 * SPDX-License-Identifier: 0BSD */
#ifndef DLN_RANDOM_H
#define DLN_RANDOM_H

INLINE words random_bits_of(uint32_t key, words elements) {
    words x = elements * UINT32_C(0x9e3779b9) + key;
    x = (x ^ (x >> 16)) * UINT32_C(0x7feb352d);
    x = (x ^ (x >> 15)) * UINT32_C(0x846ca68b) + key;
    return x ^ (x >> 16);
}
INLINE words random_bits(uint32_t key, uint32_t element) { return random_bits_of(key, (words)iota() + element); }
/* Uniform in (0, 1), as dln_uniform. */
INLINE vec uniform_of(words bits) { return (to_real((ints)(bits >> 9)) + R(0.5)) * R(1.0 / 8388608.0); }
INLINE vec uniform(uint32_t key, uint32_t element) { return uniform_of(random_bits(key, element)); }
INLINE real uniform1(uint32_t key, uint32_t element) { return (real)dln_uniform(dln_bits(key, element)); }
#endif
