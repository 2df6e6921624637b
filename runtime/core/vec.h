/* vec.h: the numbers of a generated file. `real` is float (or double, DLN_REAL_DOUBLE), `vec` as many of them as one
 * register of the target holds, `mask` the outcome of a comparison of vecs. The same source serves AVX-512, AVX, SSE,
 * NEON and plain C (DLN_PORTABLE), and gives the same bits on all of them: every lane is made of + - * / sqrt and a
 * fused multiply-add that is written out, and sums over a row are always 16 partial sums.
 * A mask is built by comparing and combined by & and | and none(); what is true in a lane is seen by where and pick.
 * SPDX-License-Identifier: 0BSD */
#ifndef DLN_VEC_H
#define DLN_VEC_H
#include <stddef.h>
#include <stdint.h>

#ifdef DLN_REAL_DOUBLE
typedef double real;
typedef int64_t real_int;                        /* an integer as wide as a real */
typedef uint64_t real_word;
#else
typedef float real;
typedef int32_t real_int;
typedef uint32_t real_word;
#endif
enum { REAL = sizeof(real) };
#define R(number) ((real)(number))

/* The bits are those of float and double arithmetic, each result rounded to its type at once. */
#if defined __FLT_EVAL_METHOD__ && (__FLT_EVAL_METHOD__ < 0 || __FLT_EVAL_METHOD__ == 1 || __FLT_EVAL_METHOD__ == 2)
#error "results would be kept with more bits than their type has: on a 32-bit x86 say -msse2 -mfpmath=sse"
#endif

/* Vectors where registers hold them, without taking subnormal numbers for 0 as NEON on a 32-bit ARM does. */
#if defined __GNUC__ && !defined DLN_PORTABLE \
    && (defined __SSE2__ || defined __aarch64__ || defined __wasm_simd128__ || defined __VSX__)
#define DLN_VECTORS 1
#else
#define DLN_VECTORS 0
#endif

/* A tile of a contraction is ROWS x 2 vectors: as many sums as the registers hold. */
#if !DLN_VECTORS
enum { LANES = 1, ROWS = 4 };
#elif defined __AVX512F__
enum { LANES = 64 / REAL, ROWS = 8 };            /* 32 registers */
#elif defined __AVX__
enum { LANES = 32 / REAL, ROWS = 6 };            /* 16 registers */
#elif defined __SSE2__
enum { LANES = 16 / REAL, ROWS = 6 };
#else
enum { LANES = 16 / REAL, ROWS = 8 };            /* NEON */
#endif
enum { WIDE = 2 * LANES, PARTS = 16 / LANES };

/* Contraction of a * b + c into one rounding is never left to the compiler. And gcc 12 (PR 110702) may write an address as
 * 0 + (q - p) + p, take its 0 for a null pointer and drop the whole function: it must not reason from null pointers. */
#if defined __clang__
#pragma STDC FP_CONTRACT OFF
#elif defined __GNUC__
#pragma GCC optimize ("fp-contract=off", "no-delete-null-pointer-checks")
#endif

/* Tensors of all types share the caller's memory, one after the other in the same place. C lets a compiler move accesses
 * of different types past each other (and clang does not know that a store may change the type of a place), so all but
 * real and bytes, which are characters, are accessed there through types that may alias any. */
#if defined __GNUC__
typedef int32_t loose_int    __attribute__((may_alias));
typedef double  loose_double __attribute__((may_alias));
#else
typedef int32_t loose_int;
typedef double  loose_double;
#endif

#if DLN_VECTORS
#define INLINE static inline __attribute__((always_inline, unused))
#define ALIGNED __attribute__((aligned(64)))
#define UNROLL _Pragma("GCC unroll 16")
typedef real      vec   __attribute__((vector_size(REAL * LANES)));
typedef real_int  mask  __attribute__((vector_size(REAL * LANES)));      /* a lane is 0 or -1 */
typedef real_word lane_bits __attribute__((vector_size(REAL * LANES)));  /* of a vec */
typedef int32_t   ints  __attribute__((vector_size(4 * LANES)));         /* int tensors; comparing them gives ints */
typedef uint32_t  words __attribute__((vector_size(4 * LANES)));         /* random bits */
typedef uint8_t   bools __attribute__((vector_size(LANES)));             /* bool tensors */
typedef int8_t    signs __attribute__((vector_size(LANES)));
typedef vec   loose_vec   __attribute__((aligned(REAL), may_alias));
typedef ints  loose_ints  __attribute__((aligned(4), may_alias));
typedef bools loose_bools __attribute__((aligned(1), may_alias));
#else
#if defined __GNUC__
#define INLINE static inline __attribute__((unused))
#else
#define INLINE static inline
#endif
#define ALIGNED
#define UNROLL
typedef real vec;
typedef int32_t mask;                            /* 0 or 1 */
typedef real_word lane_bits;
typedef int32_t ints;
typedef uint32_t words;
typedef uint8_t bools;
#endif
#if defined __GNUC__
#define FUNCTION static __attribute__((unused))  /* a function that the compiler may or may not inline */
#define INFINITE ((real)__builtin_inf())
#define NOT_A_NUMBER ((real)__builtin_nan(""))
#else
#define FUNCTION static
#define INFINITE (R(1) / R(0))
#define NOT_A_NUMBER (R(0) / R(0))
#endif
#define EACH(i, n) UNROLL for (int i = 0; i < (n); i++)

/* ---- threads: one parallel region a call, loops shared out over its threads, the barriers written out ---- */
#ifdef _OPENMP
#define OMP_PARALLEL _Pragma("omp parallel")
#define OMP_FOR      _Pragma("omp for schedule(static) nowait")
#define OMP_BARRIER  _Pragma("omp barrier")
#define OMP_SINGLE   _Pragma("omp single nowait")
#else
#define OMP_PARALLEL
#define OMP_FOR
#define OMP_BARRIER
#define OMP_SINGLE
#endif

/* where part k of `of` nearly equal parts of n begins */
INLINE int share(int n, int k, int of)         { return (int)((int64_t)n * k / of); }

/* ---- one number ---- */
/* a * b + c, rounded once, on every target: where there is no such instruction the product is exact in double, the sum
 * is rounded to odd there, and so the last rounding, to float, is right. With real = double it is two roundings. */
#if defined __FMA__ || defined __AVX512F__ || defined __aarch64__ || defined __ARM_FEATURE_FMA || defined __FP_FAST_FMAF \
    || (defined __riscv_flen && __riscv_flen >= 32) || defined __POWERPC__ || defined __powerpc__
#define DLN_HAS_FMA 1
#else
#define DLN_HAS_FMA 0
#endif
#if DLN_HAS_FMA && defined __clang__ && !defined __NO_MATH_ERRNO__ && !defined __gnu_linux__
#error "clang would call fmaf of a library: say -fno-math-errno"
#endif
#if defined DLN_REAL_DOUBLE
INLINE real fused1(real a, real b, real c) { return a * b + c; }
#elif DLN_HAS_FMA && defined __GNUC__
INLINE real fused1(real a, real b, real c) { return __builtin_fmaf(a, b, c); }
#else
INLINE real fused1(real a, real b, real c) {
    const double p = (double)a * (double)b, s = p + (double)c, t = s - p;
    const double lost = (p - (s - t)) + ((double)c - t);                 /* s + lost is the exact sum */
    union { double d; uint64_t u; } odd;
    odd.d = s;
    if ((lost > 0 || lost < 0) && !(odd.u & 1))
        odd.u += (lost > 0) == (s > 0) ? UINT64_C(1) : ~UINT64_C(0);
    return (real)odd.d;
}
#endif

/* The correctly rounded root: the machine's own instruction, or Newton's steps and a test. Unless -fno-math-errno is
 * given the instruction is written out, as the compiler would also call a library, to set errno. DLN_ROOTS: 0, no such
 * instruction; 1, one for float; 2, for double too. */
#if !defined __GNUC__ || defined DLN_SOFT_ROOT
#define DLN_ROOTS 0
#elif defined __SSE2__ || defined __aarch64__ || defined __wasm__
#define DLN_ROOTS 2
#elif defined __riscv_flen
#define DLN_ROOTS (__riscv_flen / 32)
#elif defined __ARM_FP
#define DLN_ROOTS ((__ARM_FP >> 2 & 1) + (__ARM_FP >> 3 & 1))
#else
#define DLN_ROOTS 0
#endif
#if defined __NO_MATH_ERRNO__ || defined __wasm__
#define ROOT_FLOAT(r, x)  (r) = __builtin_sqrtf(x)
#define ROOT_DOUBLE(r, x) (r) = __builtin_sqrt(x)
#elif defined __AVX__
#define ROOT_FLOAT(r, x)  __asm__("vsqrtss {%1, %1, %0|%0, %1, %1}" : "=x"(r) : "x"(x))
#define ROOT_DOUBLE(r, x) __asm__("vsqrtsd {%1, %1, %0|%0, %1, %1}" : "=x"(r) : "x"(x))
#elif defined __SSE2__
#define ROOT_FLOAT(r, x)  __asm__("sqrtss {%1, %0|%0, %1}" : "=x"(r) : "x"(x))
#define ROOT_DOUBLE(r, x) __asm__("sqrtsd {%1, %0|%0, %1}" : "=x"(r) : "x"(x))
#elif defined __aarch64__
#define ROOT_FLOAT(r, x)  __asm__("fsqrt %s0, %s1" : "=w"(r) : "w"(x))
#define ROOT_DOUBLE(r, x) __asm__("fsqrt %d0, %d1" : "=w"(r) : "w"(x))
#elif defined __riscv
#define ROOT_FLOAT(r, x)  __asm__("fsqrt.s %0, %1" : "=f"(r) : "f"(x))
#define ROOT_DOUBLE(r, x) __asm__("fsqrt.d %0, %1" : "=f"(r) : "f"(x))
#else
#define ROOT_FLOAT(r, x)  __asm__("vsqrt.f32 %0, %1" : "=t"(r) : "t"(x))
#define ROOT_DOUBLE(r, x) __asm__("vsqrt.f64 %P0, %P1" : "=w"(r) : "w"(x))
#endif
#if DLN_ROOTS >= 2
INLINE double wide_sqrt(double x) { double r; ROOT_DOUBLE(r, x); return r; }
#else
typedef union root_bits { double d; uint64_t u; } root_bits;
FUNCTION double wide_sqrt(double x) {
    root_bits r;
    double scale = 1.0;
    if (!(x > 0.0)) return x == 0.0 ? x : (x - x) / (x - x);
    if (x - x != 0.0) return x;                                          /* inf */
    while (x < 1e-200) { x *= 18446744073709551616.0; scale *= 1.0 / 4294967296.0; }
    r.d = x;
    r.u = (r.u >> 1) + UINT64_C(0x1ff7a3bea91d9b1b);
    for (int i = 0; i < 6; i++) r.d = 0.5 * (r.d + x / r.d);
    /* of the neighbours, the one whose square is nearest: the products of halves are exact */
    for (int i = 0; i < 2; i++) {
        root_bits up = r, down = r, high = r;
        up.u++;
        down.u--;
        high.u &= ~((UINT64_C(1) << 27) - 1);
        const double low = r.d - high.d, rest = ((x - high.d * high.d) - 2.0 * high.d * low) - low * low;    /* x - r^2 */
        if (rest > r.d * (up.d - r.d)) r = up;
        else if (rest < -(r.d * (r.d - down.d))) r = down;
    }
    return r.d * scale;
}
#endif
#ifdef DLN_REAL_DOUBLE
INLINE real root1(real x) { return wide_sqrt(x); }
#else
#if DLN_ROOTS >= 1
INLINE real root1(real x) { real r; ROOT_FLOAT(r, x); return r; }
#else
INLINE real root1(real x) { return (real)wide_sqrt((double)x); }         /* exact enough to round once */
#endif
#endif

/* A number that the compiler may not make before it is asked for: constants of an epilogue stay out of the registers
 * that the sums before it need. */
INLINE real opaque(real x) {
#if DLN_VECTORS && defined __SSE2__
    __asm__ volatile("" : "+x"(x));
#elif DLN_VECTORS && defined __aarch64__
    __asm__ volatile("" : "+w"(x));
#endif
    return x;
}

#if DLN_VECTORS
/* ---- loads and stores: at any address a real may have ---- */
INLINE vec  load(const real *p)                { return *(const loose_vec *)p; }
INLINE void store(real *p, vec v)              { *(loose_vec *)p = v; }
INLINE ints load_ints(const loose_int *p)      { return *(const loose_ints *)p; }
INLINE void store_ints(loose_int *p, ints v)   { *(loose_ints *)p = v; }
INLINE bools load_bytes(const uint8_t *p)      { return *(const loose_bools *)p; }
INLINE void store_bytes(uint8_t *p, bools v)   { *(loose_bools *)p = v; }

/* The first k lanes; the others are 0, and are not touched. */
INLINE vec load_part(const real *p, int k) {
    vec v = {0};
    if (k >= LANES) return load(p);
    for (int l = 0; l < LANES; l++) if (l < k) v[l] = p[l];
    return v;
}
INLINE void store_part(real *p, vec v, int k) {
    if (k >= LANES) { store(p, v); return; }
    for (int l = 0; l < LANES; l++) if (l < k) p[l] = v[l];
}
INLINE ints load_ints_part(const loose_int *p, int k) {
    ints v = {0};
    for (int l = 0; l < LANES; l++) if (l < k) v[l] = p[l];
    return v;
}
INLINE void store_ints_part(loose_int *p, ints v, int k) { for (int l = 0; l < LANES; l++) if (l < k) p[l] = v[l]; }
INLINE bools load_bytes_part(const uint8_t *p, int k) {
    bools v = {0};
    for (int l = 0; l < LANES; l++) if (l < k) v[l] = p[l];
    return v;
}
INLINE void store_bytes_part(uint8_t *p, bools v, int k) { for (int l = 0; l < LANES; l++) if (l < k) p[l] = v[l]; }
/* Lanes that lie step reals apart: p[0], p[step], .. */
INLINE vec load_apart(const real *p, ptrdiff_t step) {
    vec v = {0};
    EACH(l, LANES) v[l] = p[l * step];
    return v;
}
INLINE vec load_apart_part(const real *p, ptrdiff_t step, int k) {       /* the first k of them; the others are 0 */
    vec v = {0};
    for (int l = 0; l < LANES; l++) if (l < k) v[l] = p[l * step];
    return v;
}
INLINE void store_apart(real *p, vec v, ptrdiff_t step) { EACH(l, LANES) p[l * step] = v[l]; }

/* ---- every lane the same; lane l is l ---- */
INLINE vec  splat(real x)                      { return x - (vec){0}; }
INLINE ints splat_int(int32_t x)               { return x - (ints){0}; }
INLINE ints iota(void)                         { ints x = {0}; EACH(l, LANES) x[l] = l; return x; }

/* ---- choices ---- */
INLINE vec  where(mask m, vec v)               { return (vec)(m & (mask)v); }                        /* m ? v : 0 */
INLINE vec  pick(mask m, vec a, vec b)         { return (vec)((m & (mask)a) | (~m & (mask)b)); }     /* m ? a : b */
INLINE ints pick_ints(ints m, ints a, ints b)  { return (m & a) | (~m & b); }
INLINE mask none(mask m)                       { return ~m; }                                        /* not m */
INLINE ints none_ints(ints m)                  { return ~m; }

/* ---- between the types. What int tensors say about their lanes (ints) becomes a mask, and back ---- */
#ifdef DLN_REAL_DOUBLE
INLINE mask to_mask(ints m)                    { return __builtin_convertvector(m, mask); }
INLINE ints to_ints_mask(mask m)               { return __builtin_convertvector(m, ints); }
#else
INLINE mask to_mask(ints m)                    { return m; }
INLINE ints to_ints_mask(mask m)               { return m; }
#endif
INLINE mask from_bytes(bools b)                { return __builtin_convertvector((signs)-b, mask); }  /* 0 or 1 to a mask */
INLINE bools to_bytes(mask m)                  { return (bools)-__builtin_convertvector(m, signs); }
INLINE vec  to_real(ints i)                    { return __builtin_convertvector(i, vec); }
INLINE vec  mask_to_real(mask m)               { return where(m, splat(R(1))); }                     /* 1 or 0 */
INLINE ints mask_to_ints(mask m)               { return -to_ints_mask(m); }

/* ---- arithmetic that is not an operator of C ---- */
#if DLN_HAS_FMA || defined DLN_REAL_DOUBLE
INLINE vec fused(vec a, vec b, vec c) {
    vec r = {0};
    for (int l = 0; l < LANES; l++) r[l] = fused1(a[l], b[l], c[l]);
    return r;
}
#else
typedef double  doubles __attribute__((vector_size(8 * LANES)));
typedef int64_t longs   __attribute__((vector_size(8 * LANES)));
static __attribute__((noinline, unused)) vec fused(vec a, vec b, vec c) {         /* as fused1, lane by lane; long, so called */
    const doubles z = __builtin_convertvector(c, doubles);
    const doubles p = __builtin_convertvector(a, doubles) * __builtin_convertvector(b, doubles);
    const doubles s = p + z, t = s - p, lost = (p - (s - t)) + (z - t);
    const longs even = ((longs)s & 1) - 1, more = lost > 0, less = lost < 0;
    const longs step = (~(more ^ (s > 0)) & 2) - 1;
    return __builtin_convertvector((doubles)((longs)s + (step & even & (more | less))), vec);
}
#endif
#if defined __AVX__ && !defined __NO_MATH_ERRNO__
#ifdef DLN_REAL_DOUBLE
INLINE vec root(vec v) { __asm__("vsqrtpd {%0, %0|%0, %0}" : "+v"(v)); return v; }
#else
INLINE vec root(vec v) { __asm__("vsqrtps {%0, %0|%0, %0}" : "+v"(v)); return v; }
#endif
#else
INLINE vec root(vec v) {
    real t[LANES] ALIGNED;
    store(t, v);
    for (int l = 0; l < LANES; l++) t[l] = root1(t[l]);
    return load(t);
}
#endif
INLINE vec magnitude(vec v)                    { return (vec)((lane_bits)v & ((lane_bits){0} + ((real_word)-1 >> 1))); }
INLINE vec with_sign(vec size, vec of)         /* size >= 0 with the sign of `of` */
{
    const lane_bits sign = (lane_bits){0} + ~((real_word)-1 >> 1);
    return (vec)((lane_bits)size | ((lane_bits)of & sign));
}
INLINE real lane(vec v, int l)                 { return v[l]; }
INLINE int  any(mask m)                        { real_int a = 0; EACH(l, LANES) a |= m[l]; return a != 0; }

#else  /* ---- the same names for one lane, in ISO C ---- */
INLINE vec  load(const real *p)                { return *p; }
INLINE void store(real *p, vec v)              { *p = v; }
INLINE ints load_ints(const loose_int *p)      { return *p; }
INLINE void store_ints(loose_int *p, ints v)   { *p = v; }
INLINE bools load_bytes(const uint8_t *p)      { return *p; }
INLINE void store_bytes(uint8_t *p, bools v)   { *p = v; }
INLINE vec  load_part(const real *p, int k)                    { return k > 0 ? *p : R(0); }
INLINE void store_part(real *p, vec v, int k)                  { if (k > 0) *p = v; }
INLINE ints load_ints_part(const loose_int *p, int k)          { return k > 0 ? *p : 0; }
INLINE void store_ints_part(loose_int *p, ints v, int k)       { if (k > 0) *p = v; }
INLINE bools load_bytes_part(const uint8_t *p, int k)          { return k > 0 ? *p : (bools)0; }
INLINE void store_bytes_part(uint8_t *p, bools v, int k)       { if (k > 0) *p = v; }
INLINE vec  load_apart(const real *p, ptrdiff_t step)          { (void)step; return *p; }
INLINE vec  load_apart_part(const real *p, ptrdiff_t step, int k) { (void)step; return k > 0 ? *p : R(0); }
INLINE void store_apart(real *p, vec v, ptrdiff_t step)        { (void)step; *p = v; }
INLINE vec  splat(real x)                      { return x; }
INLINE ints splat_int(int32_t x)               { return x; }
INLINE ints iota(void)                         { return 0; }
INLINE vec  where(mask m, vec v)               { return m ? v : R(0); }
INLINE vec  pick(mask m, vec a, vec b)         { return m ? a : b; }
INLINE ints pick_ints(ints m, ints a, ints b)  { return m ? a : b; }
INLINE mask none(mask m)                       { return !m; }
INLINE ints none_ints(ints m)                  { return !m; }
INLINE mask to_mask(ints m)                    { return m; }
INLINE ints to_ints_mask(mask m)               { return m; }
INLINE mask from_bytes(bools b)                { return b; }
INLINE bools to_bytes(mask m)                  { return (bools)m; }
INLINE vec  to_real(ints i)                    { return (real)i; }
INLINE vec  mask_to_real(mask m)               { return (real)m; }
INLINE ints mask_to_ints(mask m)               { return m; }
INLINE vec  fused(vec a, vec b, vec c)         { return fused1(a, b, c); }
INLINE vec  root(vec v)                        { return root1(v); }
INLINE lane_bits bits_of(vec v)                { union { real r; lane_bits u; } x; x.r = v; return x.u; }
INLINE vec  of_bits(lane_bits u)               { union { real r; lane_bits u; } x; x.u = u; return x.r; }
INLINE vec  magnitude(vec v)                   { return of_bits(bits_of(v) & ((real_word)-1 >> 1)); }
INLINE vec  with_sign(vec size, vec of)        { return of_bits(bits_of(size) | (bits_of(of) & ~((real_word)-1 >> 1))); }
INLINE real lane(vec v, int l)                 { (void)l; return v; }
INLINE int  any(mask m)                        { return m != 0; }
#endif

#if DLN_VECTORS
INLINE lane_bits bits_of(vec v)                { return (lane_bits)v; }
INLINE vec  of_bits(lane_bits u)               { return (vec)u; }
#endif
INLINE vec  square(vec v)                      { return v * v; }
INLINE vec  larger(vec a, vec b)               { return pick(b > a, b, a); }     /* a where they are equal or not numbers */
INLINE vec  smaller(vec a, vec b)              { return pick(b < a, b, a); }
INLINE mask first(int k)                       { return to_mask(iota() < k); }   /* true in the first k lanes */

/* An int's worth of a real, towards 0; what an int cannot hold is the nearest one that it can, nan is 0. */
INLINE int32_t to_int1(real x) {
    if (!(x < R(2147483648.0))) return x > 0 ? INT32_MAX : 0;
    return x < R(-2147483648.0) ? INT32_MIN : (int32_t)x;
}
INLINE ints to_ints(vec v) {
#if DLN_VECTORS
    ints r = {0};
    for (int l = 0; l < LANES; l++) r[l] = to_int1(v[l]);
    return r;
#else
    return to_int1(v);
#endif
}
/* The largest whole number that is not above. */
INLINE vec floors(vec v) {
    const real big = REAL == 4 ? R(8388608.0) : R(4503599627370496.0);   /* from here on all are whole */
    const vec a = magnitude(v), whole = (a + big) - big;                 /* to the nearest */
    const vec r = with_sign(whole, v);
    return pick((a < big), r - mask_to_real(r > v), v);
}

/* ---- sums over a row: element i goes to partial sum i mod 16, whatever LANES is; then 8 + 8, 4 + 4, 2 + 2, 1 + 1 ----
 *     vec sum[PARTS]; clear(sum);
 *     for (i = 0; i < N; i += 16) EACH(p, PARTS) sum[p] += load_part(x + i + p * LANES, N - i - p * LANES);
 *     total(sum)
 * The lanes after the end must be what changes nothing: 0, -inf, inf. */
INLINE void clear(vec sum[PARTS])                              { EACH(p, PARTS) sum[p] = splat(R(0)); }
INLINE void clear_to(vec sum[PARTS], real x)                   { EACH(p, PARTS) sum[p] = splat(x); }
INLINE void spread_parts(const vec sum[PARTS], real t[16])     { EACH(p, PARTS) store(t + p * LANES, sum[p]); }
INLINE real total(const vec sum[PARTS]) {
    real t[16] ALIGNED;
    spread_parts(sum, t);
    for (int half = 8; half > 0; half /= 2) for (int l = 0; l < half; l++) t[l] += t[l + half];
    return t[0];
}
INLINE real largest(const vec sum[PARTS]) {
    real t[16] ALIGNED;
    spread_parts(sum, t);
    for (int half = 8; half > 0; half /= 2) for (int l = 0; l < half; l++) t[l] = t[l + half] > t[l] ? t[l + half] : t[l];
    return t[0];
}
INLINE real smallest(const vec sum[PARTS]) {
    real t[16] ALIGNED;
    spread_parts(sum, t);
    for (int half = 8; half > 0; half /= 2) for (int l = 0; l < half; l++) t[l] = t[l + half] < t[l] ? t[l + half] : t[l];
    return t[0];
}
#endif
