/* numbers.c: one number that depends on every bit of what the core computes, on inputs of any size, subnormal ones, zeros,
 * infinities and cancellations among them: the fused multiply-add, roots, functions and random numbers. What is not a
 * number counts as such, whatever its bits. With -DDLN_BARE there is no main; the caller asks numbers().
 * SPDX-License-Identifier: MIT */
#include <stddef.h>
#include <stdint.h>
#include "core/vec.h"
#include "core/wide.h"
#include "core/dln_math.h"
#include "core/rng.h"
#include "core/random.h"
#ifndef DLN_BARE
#include <stdio.h>
#endif

static uint64_t hash = UINT64_C(14695981039346656037);
static void add(uint64_t bits) { hash = (hash ^ bits) * UINT64_C(1099511628211); hash ^= hash >> 29; }
static void add_real(real x) { union { real r; real_word u; } b; b.r = x; add(x != x ? 1 : b.u); }
static void add_wide(double x) { add(x != x ? 1 : bits_of_wide(x)); }
static void add_vec(vec v) { real t[LANES] ALIGNED; store(t, v); for (int l = 0; l < LANES; l++) add_real(t[l]); }

static uint32_t count = 0;
static uint32_t word(void) { return dln_bits(UINT32_C(0x5eed), count++); }
static real real_of(uint32_t u) { union { float f; uint32_t u; } b; b.u = u; return R(b.f); }
static double any_wide(void) { const uint64_t high = word(); return wide_of(high << 32 | word()); }

/* any bits; an exponent near 0; near the smallest; few bits, so that ties are met */
static real any_real(void)
{
    const uint32_t u = word();
    switch (word() & 3) {
    case 0:  return real_of(u);
    case 1:  return real_of((u & 0x807fffffu) | ((u >> 24 & 15) + 120) << 23);
    case 2:  return real_of((u & 0x80ffffffu) | (u >> 26 & 3) << 23);
    default: return real_of((u & 0x80700000u) | ((u >> 8 & 31) + 112) << 23);
    }
}

uint64_t numbers(void);
uint64_t numbers(void)
{
    for (int i = 0; i < 4096; i++) {
        const real a = any_real(), b = any_real(), c = i & 1 ? any_real() : -(a * b);     /* all but what is rounded off */
        add_real(fused1(a, b, c));
        add_real(root1(a));
        add_real(root1(lane(magnitude(splat(a)), 0)));
        add_wide(wide_sqrt(wide_abs(any_wide())));
    }
    for (int i = 0; i < 1024; i += 16) {             /* sixteen lanes in all, in one vector or many */
        real a[16] ALIGNED, b[16] ALIGNED, c[16] ALIGNED;
        for (int k = 0; k < 16; k++) { a[k] = any_real(); b[k] = any_real(); c[k] = any_real(); }
        for (int k = 0; k < 16; k += LANES) add_vec(fused(load(a + k), load(b + k), load(c + k)));
        for (int k = 0; k < 16; k += LANES) add_vec(root(load(a + k)));
        for (int k = 0; k < 16; k += LANES) add_vec(floors(load(b + k)));
        for (int k = 0; k < 16; k += LANES) add_vec(dln_exp(load(a + k)));
        for (int k = 0; k < 16; k += LANES) add_vec(dln_log(load(a + k)));
        for (int k = 0; k < 16; k += LANES) add_vec(dln_tanh(load(b + k)));
        for (int k = 0; k < 16; k += LANES) add_vec(dln_erf(load(b + k)));
        for (int k = 0; k < 16; k += LANES) add_vec(dln_sin(load(c + k)));
        for (int k = 0; k < 16; k += LANES) add_vec(dln_log1p(load(c + k)));
        for (int k = 0; k < 16; k += LANES) add_vec(dln_pow(load(a + k), load(c + k)));
        const uint32_t key = word();
        for (int k = 0; k < 16; k += LANES) add_vec(uniform(key, (uint32_t)k));
    }
    for (int i = 0; i < 200; i++) {
        const double x = any_wide(), y = (double)any_real();
        add_wide(wide_exp(y)); add_wide(wide_log(x)); add_wide(wide_sin(x)); add_wide(wide_cos(y)); add_wide(wide_tanh(y));
        add_wide(wide_erf(y)); add_wide(wide_pow(wide_abs(x), y)); add_wide(wide_probit(dln_uniform(word())));
        add((uint64_t)(uint32_t)to_int1(any_real()));
    }
    return hash;
}

#ifndef DLN_BARE
int main(void)
{
    printf("%016llx\n", (unsigned long long)numbers());
    return 0;
}
#endif
