/* driver.c: trains any model that was compiled with -DDLN_MAIN on made-up data, and prints one number that depends on
 * every bit of what it has learned, reported and predicted. It stands in for libdln's dln_main().
 *     program [steps [seed]]
 * SPDX-License-Identifier: MIT */
#include "dln.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t hash = UINT64_C(14695981039346656037);
static void hash_add(const void *at, size_t bytes)
{
    const unsigned char *p = at;
    for (size_t i = 0; i < bytes; i++) hash = (hash ^ p[i]) * UINT64_C(1099511628211);
}

static uint64_t random_state = 88172645463325252u;
static double uniform(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (double)(random_state >> 40) / 16777216.0;
}

static void *memory_new(size_t bytes, size_t align)
{
    void *at = aligned_alloc(align, (bytes + align - 1) / align * align);
    if (!at) { fprintf(stderr, "out of memory\n"); exit(3); }
    memset(at, 0xa5, bytes);
    return at;
}

static void must(const dln_model *model, int status, const char *call)
{
    if (!status) return;
    fprintf(stderr, "%s: %s\n", call, model->strerror(status));
    exit(1);
}

static size_t extents_size(int rank, const int *extent)
{
    size_t n = 1;
    for (int i = 0; i < rank; i++) n *= (size_t)extent[i];
    return n;
}

/* n samples of every field: reals in -1 .. 1, ints within their classes. */
static void fill(const dln_model *model, void **fields, int n)
{
    for (int f = 0; f < model->fields; f++) {
        const dln_field *d = &model->field[f];
        size_t count = extents_size(d->rank, d->extent) * (size_t)n;
        for (size_t i = 0; i < count; i++) {
            double u = uniform();
            if (d->type == DLN_INT) ((int32_t *)fields[f])[i] = (int32_t)(u * (d->classes ? d->classes : 2));
            else if (d->type == DLN_BOOL) ((uint8_t *)fields[f])[i] = u < 0.5;
            else if (model->real_bytes == 8) ((double *)fields[f])[i] = 2 * u - 1;
            else ((float *)fields[f])[i] = (float)(2 * u - 1);
        }
    }
}

int dln_main(int argc, char **argv, const dln_model *model)
{
    int steps = argc > 1 ? atoi(argv[1]) : 5;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    void *m = memory_new(model->object_bytes, 64), *memory = memory_new(model->train_bytes, model->align);
    void *fields[64] = { NULL }, *outputs[64] = { NULL };
    if (model->fields > 64 || model->outputs > 64) return 70;
    for (int f = 0; f < model->fields; f++)
        fields[f] = memory_new(extents_size(model->field[f].rank, model->field[f].extent) * (size_t)model->batch * 8, 64);
    for (int o = 0; o < model->outputs; o++)
        outputs[o] = memory_new(extents_size(model->output[o].rank, model->output[o].extent) * (size_t)model->batch * 8, 64);
    const void *const *given = (const void *const *)fields;
    must(model, model->init(m, memory, model->train_bytes, seed), "init");

    for (int pass = 0; pass < model->passes; pass++) {
        fill(model, fields, model->batch);
        must(model, model->measure(m, pass, given, model->batch), "measure");
        must(model, model->settle(m), "settle");
    }
    double loss = 0;
    for (int s = 0; s < steps && model->step; s++) {
        int n = 1 + s * 7 % model->batch;        /* batches of many sizes */
        if (s % 2 == 0) n = model->batch;
        fill(model, fields, n);
        must(model, model->step(m, given, n, &loss), "step");
        hash_add(&loss, sizeof loss);
        if (s < 3 || s == steps - 1) fprintf(stderr, "step %d, %d samples: loss %.9g\n", s + 1, n, loss);
    }
    int n = model->batch > 1 ? model->batch - 1 : 1;
    fill(model, fields, n);
    if (model->evaluate) {
        double values[4096];
        int count = 0;
        for (int i = 0; i < model->metrics; i++) count += model->metric[i].values;
        must(model, model->reset(m), "reset");
        must(model, model->evaluate(m, given, n, &loss), "evaluate");
        if (count > 4096) return 70;
        must(model, model->report(m, values), "report");
        hash_add(&loss, sizeof loss);
        hash_add(values, sizeof *values * (size_t)count);
    }
    if (model->predict) {
        must(model, model->predict(m, given, n, outputs), "predict");
        for (int o = 0; o < model->outputs; o++)
            hash_add(outputs[o], extents_size(model->output[o].rank, model->output[o].extent) * (size_t)n * (size_t)model->real_bytes);
    }
    for (int t = 0; t < model->tensors; t++) {
        size_t count = extents_size(model->tensor[t].rank, model->tensor[t].extent);
        double *values = memory_new(count * 8, 64);
        must(model, model->get_double(m, t, values), model->tensor[t].name);
        hash_add(values, count * 8);
        free(values);
    }
    for (int f = 0; f < model->fields; f++) free(fields[f]);
    for (int o = 0; o < model->outputs; o++) free(outputs[o]);
    free(m);
    free(memory);
    printf("%016llx\n", (unsigned long long)hash);
    return 0;
}
