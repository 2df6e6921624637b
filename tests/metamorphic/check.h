/* check.h: what twins.c and properties.c share: arrays of an instance, filled with numbers that follow from names, and
 * compared. Both take libdln's place: they are the dln_main() of a model compiled with -DDLN_MAIN.
 * SPDX-License-Identifier: MIT */
#ifndef METAMORPHIC_CHECK_H
#define METAMORPHIC_CHECK_H
#include "dln.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int checks, failed;

static inline void check(int holds, const char *what)
{
    checks++;
    if (holds) return;
    failed++;
    printf("does not hold: %s\n", what);
}

static inline void must(const dln_model *m, int status, const char *call)
{
    if (!status) return;
    fprintf(stderr, "%s: %s\n", call, m->strerror(status));
    exit(2);
}

static inline size_t elements(int rank, const int *extent)
{
    size_t n = 1;
    for (int i = 0; i < rank; i++) n *= (size_t)extent[i];
    return n;
}

static inline size_t tensor_size(const dln_model *m, int k) { return elements(m->tensor[k].rank, m->tensor[k].extent); }
static inline size_t field_size(const dln_model *m, int k) { return elements(m->field[k].rank, m->field[k].extent); }
static inline size_t output_size(const dln_model *m, int k) { return elements(m->output[k].rank, m->output[k].extent); }

/* in -1 .. 1 */
static inline double number(uint64_t *s)
{
    *s = *s * 6364136223846793005u + 1442695040888963407u;
    return (double)(*s >> 40) / 8388608.0 - 1;
}

static inline uint64_t stream(const char *name)
{
    uint64_t s = 0xcbf29ce484222325u;
    for (; *name; name++) s = (s ^ (unsigned char)*name) * 0x100000001b3u;
    return s;
}

static inline void *instance(const dln_model *m, uint64_t seed)
{
    void *object = calloc(1, m->object_bytes);
    void *memory = aligned_alloc(m->align, (m->train_bytes + m->align - 1) / m->align * m->align);
    must(m, m->init(object, memory, m->train_bytes, seed), "init");
    return object;
}

static inline double *values(const dln_model *m, const void *object, int tensor)
{
    double *v = calloc(tensor_size(m, tensor) + 1, sizeof(double));
    must(m, m->get(object, tensor, v), "get");
    return v;
}

/* The larger of two differences; what is not a number is the largest. */
static inline double worse(double worst, double d) { return isnan(d) ? INFINITY : fmax(worst, d); }

/* The largest difference of a and factor * b, of the largest value of a (at least 0.001: what should be 0 is rounding
 * errors); 0: the same bits (or both 0). */
static inline double apart(const double *a, const double *b, double factor, size_t n)
{
    double worst = 0, largest = 1e-3;
    for (size_t i = 0; i < n; i++) {
        worst = worse(worst, fabs(a[i] - factor * b[i]));
        largest = fmax(largest, fabs(a[i]));
    }
    return worst / largest;
}
#endif
