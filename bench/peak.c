/* peak.c: what one core of this machine can do at most, the bounds of bench/RESULTS.md:
 *
 *     peak             prints "fma GFLOPS" of independent multiply-adds in registers, and "read BYTES GBPS" of a sum over
 *                      as many bytes again and again: from L1, from L2, from the last level, from memory
 *
 * Best of many short runs: the machine may be shared.
 * SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined __AVX512F__
enum { LANES = 16 };
#define IN_REGISTER "+v"
#elif defined __AVX__
enum { LANES = 8 };
#define IN_REGISTER "+x"
#elif defined __aarch64__
enum { LANES = 4 };
#define IN_REGISTER "+w"
#else
enum { LANES = 4 };
#define IN_REGISTER "+m"
#endif
typedef float vec __attribute__((vector_size(4 * LANES)));
#define EACH(i, n) _Pragma("GCC unroll 16") for (int i = 0; i < (n); i++)

static double now(void)                          /* seconds */
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static inline vec multiply_add(vec a, vec b, vec c)
{
    vec r = {0};
    for (int l = 0; l < LANES; l++) r[l] = __builtin_fmaf(a[l], b[l], c[l]);
    return r;
}

enum { SUMS = 12, TURNS = 2000, READERS = 8 };

static double fma_seconds(void)
{
    vec sum[SUMS], a = {0}, b = {0};
    EACH(i, SUMS) {
        sum[i] = (vec){0};
        __asm__ volatile("" : IN_REGISTER(sum[i]));              /* else the compiler knows that all are equal */
    }
    const double begin = now();
    for (int turn = 0; turn < TURNS; turn++) {
        __asm__ volatile("" : IN_REGISTER(a), IN_REGISTER(b));
        EACH(i, SUMS) sum[i] = multiply_add(a, b, sum[i]);
    }
    const double took = now() - begin;
    EACH(i, SUMS) __asm__ volatile("" : IN_REGISTER(sum[i]));   /* all lanes are wanted */
    return took;
}

static double read_seconds(const float *data, size_t bytes, int turns)
{
    vec sum[READERS];
    EACH(i, READERS) sum[i] = (vec){0};
    const double begin = now();
    for (int turn = 0; turn < turns; turn++) {
        for (size_t k = 0; k < bytes / 4; k += READERS * LANES) EACH(i, READERS) {
            vec v;
            memcpy(&v, data + k + i * LANES, sizeof v);
            sum[i] += v;
        }
        EACH(i, READERS) __asm__ volatile("" : IN_REGISTER(sum[i]));
    }
    return now() - begin;
}

static double least(double a, double b) { return a < b ? a : b; }

int main(void)
{
    double seconds = 1e9;
    for (int k = 0; k < 2000; k++) seconds = least(seconds, fma_seconds());
    printf("fma %.2f\n", 2.0 * SUMS * LANES * TURNS / seconds * 1e-9);
    static const size_t sizes[] = { 16u << 10, 256u << 10, 4u << 20, 128u << 20 };
    float *data = aligned_alloc(64, sizes[3]);
    if (!data) return 1;
    memset(data, 0, sizes[3]);
    for (int s = 0; s < 4; s++) {
        const int turns = (int)((1u << 20) / sizes[s]) + 1, rounds = s == 3 ? 5 : 300;
        seconds = 1e9;
        for (int k = 0; k < rounds; k++) seconds = least(seconds, read_seconds(data, sizes[s], turns));
        printf("read %zu %.2f\n", sizes[s], (double)sizes[s] * turns / seconds * 1e-9);
    }
    free(data);
    return 0;
}
