/* clock.h: the time of what bench/ measures. BENCH_CLOCK=cpu in the environment: the processor's time of this program,
 * for one thread on a busy machine.
 * SPDX-License-Identifier: MIT */
#ifndef DLN_BENCH_CLOCK_H
#define DLN_BENCH_CLOCK_H
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)                          /* seconds */
{
    static int clock_kind = -1;
    const char *kind = clock_kind < 0 ? getenv("BENCH_CLOCK") : NULL;
    if (clock_kind < 0) clock_kind = kind && !strcmp(kind, "cpu") ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC;
    struct timespec t;
    clock_gettime(clock_kind, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}
#endif
