/* steps.c: times the training step of a generated model. It takes libdln's place (the model is compiled with -DDLN_MAIN):
 *
 *     steps THREADS COUNT        prints "median MS minimum MS loss L" of COUNT steps on random data
 *
 * Inputs are uniform in [0, 1), class targets uniform over their classes. BENCH_CLOCK=cpu in the environment: the
 * processor's time of this program, for one thread on a busy machine. */
#include "clock.h"
#include "dln.h"
#include <stdio.h>
#include <stdlib.h>
#ifdef _OPENMP
#include <omp.h>
#endif

static double uniform(void)
{
    static uint64_t s = 42;
    s = s * 6364136223846793005u + 1442695040888963407u;
    return (double)(s >> 40) / 16777216.0;
}

static void *random_field(const dln_model *m, const dln_field *f)
{
    size_t count = (size_t)m->batch;
    for (int i = 0; i < f->rank; i++) count *= (size_t)f->extent[i];
    void *data = calloc(count, 8);
    int classes = f->classes > 0 ? f->classes : 2;
    for (size_t i = 0; i < count; i++) {
        double u = uniform();
        if (f->type == DLN_INT) ((int32_t *)data)[i] = (int32_t)(u * classes);
        else if (f->type == DLN_BOOL) ((uint8_t *)data)[i] = u < 0.5;
        else if (m->real_bytes == 8) ((double *)data)[i] = u;
        else ((float *)data)[i] = (float)u;
    }
    return data;
}

int dln_main(int argc, char **argv, const dln_model *m)
{
    int threads = argc > 1 ? atoi(argv[1]) : 1, count = argc > 2 ? atoi(argv[2]) : 300;
#ifdef _OPENMP
    omp_set_num_threads(threads);
#endif
    (void)threads;
    void *object = calloc(1, m->object_bytes);
    void *memory = aligned_alloc(m->align, (m->train_bytes + m->align - 1) / m->align * m->align);
    const void *fields[64];
    for (int i = 0; i < m->fields && i < 64; i++) fields[i] = random_field(m, &m->field[i]);
    double *time = calloc((size_t)count, sizeof *time), loss = 0;
    if (count < 1 || m->init(object, memory, m->train_bytes, 1)) return 1;
    for (int i = -count / 10 - 3; i < count; i++) {
        double begin = now();
        int status = m->step(object, fields, m->batch, &loss);
        if (status) { fprintf(stderr, "step: %s\n", m->strerror(status)); return 1; }
        if (i >= 0) time[i] = now() - begin;
    }
    qsort(time, (size_t)count, sizeof *time, by_size);
    printf("median %.4f minimum %.4f loss %.5f\n", time[count / 2] * 1e3, time[0] * 1e3, loss);
    return 0;
}
