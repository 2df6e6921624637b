/* gemm.c: how fast OpenBLAS computes the three products of a dense layer, on the threads its environment says:
 *
 *     gemm M K N                 prints "f US x US w US", the best of many calls: y[M, N] = x[M, K] w[K, N], the gradient
 *                                of x, the gradient of w
 *     gemm M K N G               the same of G such products one after another, each with operands of its own
 *
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROW_MAJOR = 101, PLAIN = 111, TURNED = 112 };             /* the words of cblas.h */
void cblas_sgemm(int order, int turn_a, int turn_b, int m, int n, int k, float alpha, const float *a, int lda,
                 const float *b, int ldb, float beta, float *c, int ldc);

static double now(void)                          /* seconds */
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static float *random_floats(size_t count)
{
    float *data = aligned_alloc(64, (count * 4 + 63) / 64 * 64);
    if (!data) exit(2);
    for (size_t i = 0; i < count; i++) data[i] = (float)(rand() % 2001 - 1000) * 1e-3f;
    return data;
}

int main(int argc, char **argv)
{
    if (argc < 4) return fputs("usage: gemm M K N [G]\n", stderr), 2;
    const int m = atoi(argv[1]), k = atoi(argv[2]), n = atoi(argv[3]), times = argc > 4 ? atoi(argv[4]) : 1;
    if (m < 1 || k < 1 || n < 1 || times < 1) return fputs("gemm: M, K, N and G are at least 1\n", stderr), 2;
    const size_t mk = (size_t)m * (size_t)k, kn = (size_t)k * (size_t)n, mn = (size_t)m * (size_t)n;
    float *x = random_floats(mk * (size_t)times), *w = random_floats(kn * (size_t)times), *y = random_floats(mn * (size_t)times);
    for (int side = 0; side < 3; side++) {
        double least = 1e9;
        const double stop = now() + 0.15;
        for (int call = 0; call < 5 || now() < stop; call++) {
            const double begin = now();
            for (size_t g = 0; g < (size_t)times; g++) {
                float *xg = x + g * mk, *wg = w + g * kn, *yg = y + g * mn;
                if (side == 0) cblas_sgemm(ROW_MAJOR, PLAIN, PLAIN, m, n, k, 1, xg, k, wg, n, 0, yg, n);
                if (side == 1) cblas_sgemm(ROW_MAJOR, PLAIN, TURNED, m, k, n, 1, yg, n, wg, n, 0, xg, k);
                if (side == 2) cblas_sgemm(ROW_MAJOR, TURNED, PLAIN, k, n, m, 1, xg, k, yg, n, 0, wg, n);
            }
            const double took = now() - begin;
            if (took < least) least = took;
        }
        printf("%c %.3f%c", "fxw"[side], least * 1e6, side == 2 ? '\n' : ' ');
    }
    free(x), free(w), free(y);
    return 0;
}
