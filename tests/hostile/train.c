/* train.c: trains two steps of a generated model on made-up data, through the interface that it offers to the host
 * program (compile the model with -DDLN_MAIN). Fails when a call does, or when something that was finite is not.
 * SPDX-License-Identifier: MIT */
#include "dln.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Field f of a batch: floats between -1 and 1, classes in turn. */
static void *field_make(const dln_model *m, const dln_field *f, int real_bytes)
{
    size_t count = (size_t)m->batch;
    for (int i = 0; i < f->rank; i++) count *= (size_t)f->extent[i];
    size_t bytes = f->type == DLN_FLOAT ? (size_t)real_bytes : f->type == DLN_INT ? sizeof(int32_t) : 1;
    char *data = calloc(count + 1, bytes);
    for (size_t i = 0; data && i < count; i++) {
        double x = (double)(i * 37 % 101) / 50 - 1;
        if (f->type == DLN_FLOAT && real_bytes == 4) ((float *)(void *)data)[i] = (float)x;
        else if (f->type == DLN_FLOAT) ((double *)(void *)data)[i] = x;
        else if (f->type == DLN_INT) ((int32_t *)(void *)data)[i] = (int32_t)(f->classes ? i % (size_t)f->classes : i % 2);
        else data[i] = (char)(i % 2);
    }
    return data;
}

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    return 1;
}

int dln_main(int argc, char **argv, const dln_model *m)
{
    (void)argc, (void)argv;
    void *fields[64];
    void *object = calloc(1, m->object_bytes), *memory = aligned_alloc(m->align, (m->train_bytes + m->align - 1) / m->align * m->align);
    if (m->fields > 64 || !object || !memory) return fail("memory", "too much");
    for (int i = 0; i < m->fields; i++) fields[i] = field_make(m, &m->field[i], m->real_bytes);
    int status = m->init(object, memory, m->train_bytes, 1);
    for (int pass = 0; !status && pass < m->passes; pass++) {
        status = m->measure(object, pass, (const void *const *)fields, m->batch);
        if (!status) status = m->settle(object);
    }
    for (int step = 0; !status && step < 2; step++) {
        double loss = NAN;
        status = m->step(object, (const void *const *)fields, m->batch, &loss);
        if (!status && !isfinite(loss)) return fail("step", "the loss is not finite");
    }
    if (status) return fail("the model", m->strerror(status));
    for (int i = 0; i < m->fields; i++) free(fields[i]);
    free(object);
    free(memory);
    return 0;
}
