/* step.h: what every hand-written step of this folder is made of: vectors with the fused multiply-add written out, the
 * two inner loops (contract, slide), rows in strips of nearly equal height, exp and tanh, and the program round a step:
 *
 *     NAME THREADS COUNT         prints "median MS minimum MS loss L hash H" of COUNT steps on random data
 *
 * These steps are the project's reference for speed: dense code by hand, one shape each, the fastest we know. What a
 * hash says: the same weights after five steps whatever the number of threads.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "../clock.h"
#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined __AVX512F__ && !defined NARROW
enum { LANES = 16, ROWS = 8 };
#define PIN(v) __asm__("" : "+v"(v))
#elif defined __AVX__
enum { LANES = 8, ROWS = 6 };
#define PIN(v) __asm__("" : "+x"(v))
#else
enum { LANES = 8, ROWS = 6 };
#define PIN(v) (void)0
#endif
enum { WIDE = 2 * LANES };
typedef float vec __attribute__((vector_size(4 * LANES)));
typedef int32_t mask __attribute__((vector_size(4 * LANES)));
typedef uint32_t words __attribute__((vector_size(4 * LANES)));
typedef vec loose __attribute__((aligned(4)));
#define EACH(i, n) _Pragma("GCC unroll 32") for (int i = 0; i < (n); i++)
#define INLINE static inline __attribute__((always_inline))
#define NOINLINE static __attribute__((noinline))
#define ALIGNED __attribute__((aligned(64)))
#define ME omp_get_thread_num()
#define SHARED _Pragma("omp for schedule(static)")
#define SHARED_ON _Pragma("omp for schedule(static) nowait")

INLINE vec load(const float *p) { return *(const loose *)p; }
INLINE void store(float *p, vec v) { *(loose *)p = v; }
INLINE vec where(mask m, vec v) { return (vec)(m & (mask)v); }
INLINE vec either(mask m, vec a, vec b) { return (vec)((m & (mask)a) | (~m & (mask)b)); }
INLINE vec root(vec v)
{
    float t[LANES] ALIGNED;
    store(t, v);
    for (int l = 0; l < LANES; l++) t[l] = __builtin_sqrtf(t[l]);
    return load(t);
}
INLINE vec fma3(vec a, vec b, vec c)
{
    vec r = { 0 };
    for (int l = 0; l < LANES; l++) r[l] = __builtin_fmaf(a[l], b[l], c[l]);
    return r;
}
INLINE vec fused(float a, vec b, vec c)
{
    vec r = { 0 };
    for (int l = 0; l < LANES; l++) r[l] = __builtin_fmaf(a, b[l], c[l]);
    return r;
}
/* a in every lane. The empty asm keeps it a broadcast from memory. */
INLINE vec spread(float a)
{
    vec w = a - (vec){ 0 };
    PIN(w);
    return w;
}
INLINE mask lanes_from(int first)
{
    mask m;
    for (int l = 0; l < LANES; l++) m[l] = first + l;
    return m;
}

/* sum[r][c] += over k  a[r * ar + k * ak] * b[k * bk + c * LANES ..]: the inner loop of every contraction */
INLINE void contract(const int rows, const int cols, int K, const float *a, const int ar, const int ak, const float *b,
                     const int bk, vec sum[][2])
{
    for (int k = 0; k < K; k++) {
        vec bv[2];
        EACH(c, 2) if (c < cols) bv[c] = load(b + k * bk + c * LANES);
        EACH(r, 16) if (r < rows)
        {
            if (cols == 1 && ak != 1 && LANES == 16) { /* one use: the broadcast is the fma's own operand */
                sum[r][0] = fused(a[r * ar + k * ak], bv[0], sum[r][0]);
                continue;
            }
            const vec w = spread(a[r * ar + k * ak]);
            EACH(c, 2) if (c < cols) sum[r][c] = fma3(w, bv[c], sum[r][c]);
        }
    }
}
/* sum[p][c] += over k and three taps  x[(p + tap) * xs + k] * w[tap * wt + k * wk + c * LANES ..]: each broadcast of x
 * serves three taps */
INLINE void slide(const int px, const int cols, int K, const float *x, const int xs, const float *w, const int wt,
                  const int wk, vec sum[][2])
{
    for (int k = 0; k < K; k++) {
        vec wv[3][2];
        EACH(s, 3) EACH(c, 2) if (c < cols) wv[s][c] = load(w + s * wt + k * wk + c * LANES);
        EACH(p, 18) if (p < px + 2)
        {
            const vec a = spread(x[p * xs + k]);
            EACH(s, 3) if (p - s >= 0 && p - s < px) EACH(c, 2) if (c < cols)
                sum[p - s][c] = fma3(a, wv[s][c], sum[p - s][c]);
        }
    }
}
/* its transpose: g[tap][r][c] += over k  x[(k + tap) * xs + r] * d[k * ds + c * LANES ..], with a window of three d */
#define SLIDE_T(k, t0, t1, t2)                                                                                         \
    EACH(r, 8) if (r < rows)                                                                                           \
    {                                                                                                                  \
        const vec a = spread(x[(k)*xs + r]);                                                                           \
        EACH(c, 2) if (c < cols)                                                                                       \
        {                                                                                                              \
            if (t0) g[0][r][c] = fma3(a, d2[c], g[0][r][c]);                                                           \
            if (t1) g[1][r][c] = fma3(a, d1[c], g[1][r][c]);                                                           \
            if (t2) g[2][r][c] = fma3(a, d0[c], g[2][r][c]);                                                           \
        }                                                                                                              \
    }
INLINE void slide_t(const int rows, const int cols, const int K, const float *x, const int xs, const float *d,
                    const int ds, vec g[3][8][2])
{
    vec d0[2], d1[2], d2[2];
    EACH(c, 2) if (c < cols) d2[c] = load(d + c * LANES);
    SLIDE_T(0, 1, 0, 0)
    EACH(c, 2) if (c < cols) d1[c] = d2[c], d2[c] = load(d + ds + c * LANES);
    SLIDE_T(1, 1, 1, 0)
    for (int k = 2; k < K; k++) {
        EACH(c, 2) if (c < cols) d0[c] = d1[c], d1[c] = d2[c], d2[c] = load(d + k * ds + c * LANES);
        SLIDE_T(k, 1, 1, 1)
    }
    EACH(c, 2) if (c < cols) d0[c] = d1[c], d1[c] = d2[c];
    SLIDE_T(K, 0, 1, 1)
    EACH(c, 2) if (c < cols) d0[c] = d1[c];
    SLIDE_T(K + 1, 0, 0, 1)
}
/* LANES vectors of LANES, turned round in registers */
#define LOW8(k, l) ((l) & (k) ? 8 + (l) - (k) : (l))
#define HIGH8(k, l) ((l) & (k) ? 8 + (l) : (l) + (k))
#define LOW16(k, l) ((l) & (k) ? 16 + (l) - (k) : (l))
#define HIGH16(k, l) ((l) & (k) ? 16 + (l) : (l) + (k))
#define ALL8(F, k) F(k, 0), F(k, 1), F(k, 2), F(k, 3), F(k, 4), F(k, 5), F(k, 6), F(k, 7)
#define ALL16(F, k) ALL8(F, k), F(k, 8), F(k, 9), F(k, 10), F(k, 11), F(k, 12), F(k, 13), F(k, 14), F(k, 15)
#if defined __AVX512F__ && !defined NARROW
#define LOWER(a, b, k) __builtin_shufflevector(a, b, ALL16(LOW16, k))
#define UPPER(a, b, k) __builtin_shufflevector(a, b, ALL16(HIGH16, k))
#define EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#define ODD(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
#define TWICE_LOW(a) __builtin_shufflevector(a, a, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7)
#define TWICE_HIGH(a) __builtin_shufflevector(a, a, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15)
#else
#define LOWER(a, b, k) __builtin_shufflevector(a, b, ALL8(LOW8, k))
#define UPPER(a, b, k) __builtin_shufflevector(a, b, ALL8(HIGH8, k))
#define EVEN(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
#define ODD(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15)
#define TWICE_LOW(a) __builtin_shufflevector(a, a, 0, 0, 1, 1, 2, 2, 3, 3)
#define TWICE_HIGH(a) __builtin_shufflevector(a, a, 4, 4, 5, 5, 6, 6, 7, 7)
#endif
#define ROUND(k)                                                                                                       \
    EACH(i, LANES) if (!(i & (k)))                                                                                     \
    {                                                                                                                  \
        vec a = v[i], b = v[i + (k)];                                                                                  \
        v[i] = LOWER(a, b, k);                                                                                         \
        v[i + (k)] = UPPER(a, b, k);                                                                                   \
    }
INLINE void turn(vec v[LANES])
{
#if defined __AVX512F__ && !defined NARROW
    ROUND(8)
#endif
    ROUND(4) ROUND(2) ROUND(1)
}
INLINE float add_lanes(vec v)
{
    float t[LANES] ALIGNED, s = 0;
    store(t, v);
    for (int l = 0; l < LANES; l++) s += t[l];
    return s;
}

/* M rows in strips of at most ROWS, of the heights TALL and SHORT only; the first TALLS are tall */
#define STRIPS(M) (((M) + ROWS - 1) / ROWS)
#define TALL(M) (((M) + STRIPS(M) - 1) / STRIPS(M))
#define SHORT(M) ((M) / STRIPS(M))
#define TALLS(M) ((M)-STRIPS(M) * SHORT(M))
#define START(s, M) ((s)*SHORT(M) + ((s) < TALLS(M) ? (s) : TALLS(M)))
#define STRIP(s, M, tile, ...)                                                                                         \
    do {                                                                                                               \
        if ((s) < TALLS(M)) tile(TALL(M), START(s, M), __VA_ARGS__);                                                   \
        else tile(SHORT(M), START(s, M), __VA_ARGS__);                                                                 \
    } while (0)

INLINE vec smaller(vec a, float b) { return either(a < b, a, (vec){ 0 } + b); }
INLINE vec larger(vec a, vec b) { return either(a > b, a, b); }
INLINE vec exponential(vec x) /* Cody and Waite, degree 6; below -87 as at -87; x <= 88 */
{
    x = -smaller(-x, 87.0f);
    vec n = fused(1.44269504088896f, x, (vec){ 0 } + 12582912.0f);
    mask e = (mask)n << 23;
    n -= 12582912.0f;
    vec f = fused(-0.693359375f, n, x);
    f = fused(2.12194440e-4f, n, f);
    vec p = fused(1.9875691500E-4f, f, (vec){ 0 } + 1.3981999507E-3f);
    p = fma3(p, f, (vec){ 0 } + 8.3334519073E-3f);
    p = fma3(p, f, (vec){ 0 } + 4.1665795894E-2f);
    p = fma3(p, f, (vec){ 0 } + 1.6666665459E-1f);
    p = fma3(p, f, (vec){ 0 } + 5.0000001201E-1f);
    return (vec)((mask)(fma3(p, f * f, f) + 1.0f) + e);
}
INLINE vec sigmoid(vec v) { return 1.0f / (1.0f + exponential(smaller(-v, 87.0f))); }
INLINE vec hyperbolic(vec v) { return 1.0f - 2.0f / (1.0f + exponential(smaller(2.0f * v, 87.0f))); }
INLINE words random_bits(uint32_t element, uint32_t key) /* lowbias32 of (element, step) */
{
    words x = (words)lanes_from(0);
    x = (x + element) * 0x9E3779B9u + key;
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    x *= 0x846ca68bu;
    return x ^ (x >> 16);
}

/* ---- the program round a step ---- */
static float uniform(void)
{
    static uint64_t s = 42;
    s = s * 6364136223846793005u + 1442695040888963407u;
    return (float)(s >> 40) / 16777216.0f;
}
static void fill_random(float *p, size_t n, float width) /* uniform of that width, round 0 */
{
    for (size_t i = 0; i < n; i++) p[i] = (uniform() - 0.5f) * width;
}
static uint64_t hash_of(const void *p, size_t n, uint64_t h)
{
    for (size_t i = 0; i < n; i++) h = (h ^ ((const unsigned char *)p)[i]) * 1099511628211u;
    return h;
}
static int time_steps(int argc, char **argv, void (*step)(void), uint64_t (*hash)(void), const float *loss)
{
    const int threads = argc > 1 ? atoi(argv[1]) : 1, count = argc > 2 ? atoi(argv[2]) : 100;
    if (threads < 1 || count < 1) return fputs("usage: NAME THREADS COUNT\n", stderr), 1;
    omp_set_num_threads(threads);
    for (int s = 0; s < 5; s++) step();
    const uint64_t h = hash();
    for (int s = 0; s < count / 10; s++) step();
    double *took = calloc((size_t)count, sizeof *took);
    for (int s = 0; s < count; s++) {
        const double begin = now();
        step();
        took[s] = now() - begin;
    }
    qsort(took, (size_t)count, sizeof *took, by_size);
    printf("median %.4f minimum %.4f loss %.5f hash %016llx\n", took[count / 2] * 1e3, took[0] * 1e3, *loss,
           (unsigned long long)h);
    free(took);
    return 0;
}
