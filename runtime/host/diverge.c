/* diverge.c: why a loss is not finite. Training is the same to the bit when it is done again, so the trainer keeps what
 * the round began with; once a loss is not finite it goes back there, and looks after each step for the first tensor
 * that is not. SPDX-License-Identifier: 0BSD */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "run.h"

static double value_at(const void *values, bool twice, size_t i)
{
    return twice ? ((const double *)values)[i] : (double)((const float *)values)[i];
}

bool snapshot_take(Snapshot *s, const Run *r, const Progress *at, Problem *p)
{
    const dln_model *m = r->model;
    if (!s->values && !(s->values = memory_new((size_t)m->tensors, sizeof *s->values, p))) return false;
    if (!s->last && !(s->last = memory_new((size_t)m->clocks, sizeof *s->last, p))) return false;
    for (int i = 0; i < m->tensors; i++) {
        const dln_tensor *t = &m->tensor[i];
        if (!s->values[i] && !(s->values[i] = memory_new(tensor_elements(t), tensor_twice(m, t) ? 8 : 4, p)))
            return false;
        if (!tensor_read(r, i, s->values[i], p)) return false;
    }
    s->iteration = m->iteration(r->object);
    s->at = *at;
    memcpy(s->last, at->last, (size_t)m->clocks * sizeof *s->last);
    return true;
}

bool snapshot_back(const Snapshot *s, const Run *r, Progress *at, uint64_t seed, Problem *p)
{
    const dln_model *m = r->model;
    double *last = at->last;
    for (int i = 0; i < m->tensors; i++)
        if (!tensor_put(r, i, s->values[i], p)) return false;
    *at = s->at;
    at->last = last;
    memcpy(last, s->last, (size_t)m->clocks * sizeof *last);
    for (int i = 0; i < m->clocks; i++)
        if (!run_check(r, m->set_clock(r->object, i, last[i]), m->clock[i], p)) return false;
    return run_check(r, m->set_iteration(r->object, s->iteration, seed), "iteration", p);
}

void snapshot_free(Snapshot *s, const Run *r)
{
    for (int i = 0; s->values && i < r->model->tensors; i++) free(s->values[i]);
    free(s->values);
    free(s->last);
    *s = (Snapshot){ 0 };
}

int tensor_not_finite(const Run *r, void **room, size_t *element, double *value)
{
    const dln_model *m = r->model;
    Problem ignored;
    for (int i = 0; i < m->tensors; i++) {
        const dln_tensor *t = &m->tensor[i];
        if (!tensor_get(r, i, room, &ignored)) return -1;
        for (size_t k = 0, n = tensor_elements(t); k < n; k++) {
            *value = value_at(*room, m->real_bytes == 8, k);
            *element = k;
            if (!isfinite(*value) && (isnan(*value) || t->kind == DLN_PARAM)) return i; /* a state may begin with inf */
        }
    }
    return -1;
}

/* dense of dense.w, and of a state v.dense.w of its optimizer: the longest name of a parameter that it ends with. */
static int layer_of(const dln_model *m, int tensor, const char **layer)
{
    const char *whole = m->tensor[tensor].name, *name = whole, *dot;
    size_t length = strlen(whole), most = 0;
    for (int i = 0; m->tensor[tensor].kind != DLN_PARAM && i < m->tensors; i++) {
        const size_t own = strlen(m->tensor[i].name);
        if (m->tensor[i].kind == DLN_PARAM && own > most && own < length && whole[length - own - 1] == '.' &&
            !strcmp(whole + length - own, m->tensor[i].name))
            name = m->tensor[i].name, most = own;
    }
    *layer = name;
    dot = strrchr(name, '.');
    return dot ? (int)(dot - name) : 0;
}

void tensor_describe(const Run *r, int tensor, size_t element, double value, Problem *p)
{
    const dln_tensor *t = &r->model->tensor[tensor];
    const char *layer;
    const int length = layer_of(r->model, tensor, &layer);
    problem_add(p, "the first tensor that is not finite: %s", t->name);
    if (length) problem_add(p, " of layer %.*s", length, layer);
    problem_add(p, " (%s), element %zu is %g", t->line ? t->line : "?", element, value);
}

/* The parameter with the largest value: what an overflow began with, more often than not. */
void largest_describe(const Run *r, Problem *p)
{
    const dln_model *m = r->model;
    void *values = NULL;
    double most = -1;
    int which = -1;
    for (int i = 0; i < m->tensors; i++) {
        Problem ignored;
        if (m->tensor[i].kind != DLN_PARAM || !tensor_get(r, i, &values, &ignored)) continue;
        for (size_t k = 0, n = tensor_elements(&m->tensor[i]); k < n; k++) {
            const double size = fabs(value_at(values, m->real_bytes == 8, k));
            if (size > most) most = size, which = i;
        }
    }
    free(values);
    if (which >= 0)
        problem_add(p, "before this step all tensors were finite, the largest value %.3g in %s (%s); ", most,
                    m->tensor[which].name, m->tensor[which].line ? m->tensor[which].line : "?");
}

/* A number of the batch that is not finite, the reader having let it through. */
void batch_describe(const Feed *f, int n, Problem *p)
{
    const dln_model *m = f->model;
    for (int i = 0; i < m->fields; i++) {
        if (!f->buffer[i] || m->field[i].type != DLN_FLOAT) continue;
        const size_t elements = f->column[i]->elements;
        for (size_t k = 0; k < (size_t)n * elements; k++) {
            const double v = value_at(f->buffer[i], m->real_bytes == 8, k);
            if (isfinite(v)) continue;
            problem_add(p, "; among the data %s of %s is %g in sample %zu of the batch", m->field[i].name,
                        f->column[i]->file, v, k / elements);
            return;
        }
    }
}
