/* instance.c: the model's memory and the small questions that every command asks of it.
 * SPDX-License-Identifier: 0BSD */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "run.h"

bool run_check(const Run *r, int status, const char *what, Problem *p)
{
    if (!status) return true;
    return problem_set(p, EXIT_INPUT, "%s: %s", what, r->model->strerror(status));
}

int run_batch(const Run *r) { return r->options.batch > 0 ? (int)r->options.batch : r->model->batch; }

size_t tensor_elements(const dln_tensor *t)
{
    size_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= (size_t)t->extent[i];
    return n;
}

static void *aligned_new(size_t bytes, size_t align, Problem *p)
{
    void *block = NULL;
    if (align < sizeof(void *)) align = sizeof(void *);
    if (!posix_memalign(&block, align, bytes ? bytes : 1)) return block;
    problem_set(p, EXIT_IO, "out of memory: the model needs %zu bytes", bytes);
    return NULL;
}

bool run_begin(Run *r, const dln_model *m, Problem *p)
{
    const char *folder = r->options.folder ? r->options.folder : getenv("DLN_DATA");
    r->model = m;
    cells_limit(r->options.memory > 0 ? (size_t)r->options.memory << 20 : 0);
    data_begin(&r->data, m, folder && *folder ? folder : ".");
    for (int i = 0; i < m->metrics; i++) r->value_count += m->metric[i].values;
    r->values = memory_new((size_t)r->value_count, sizeof *r->values, p);
    r->weights = r->options.weights ? text_join(p, "%s", r->options.weights) : text_join(p, "%s.safetensors", m->name);
    r->measured = memory_new((size_t)m->tensors, sizeof *r->measured, p);
    return r->values && r->weights && r->measured;
}

static bool tensor_fill(Run *r, int tensor, double value, Problem *p)
{
    const dln_model *m = r->model;
    const size_t count = tensor_elements(&m->tensor[tensor]);
    void *values = memory_new(count, (size_t)m->real_bytes, p);
    for (size_t k = 0; values && k < count; k++) {
        if (m->real_bytes == 8)
            ((double *)values)[k] = value;
        else
            ((float *)values)[k] = (float)value;
    }
    bool good = values && run_check(r, m->put(r->object, tensor, values), m->tensor[tensor].name, p);
    free(values);
    return good;
}

/* Totals of measuring passes belong to the trained model, those of metrics begin anew with every epoch: what reset()
 * leaves alone is measured. Requires a model that is fresh from init, with all totals 0, and keeps that. */
static bool totals_sort(Run *r, Problem *p)
{
    const dln_model *m = r->model;
    void *values = NULL;
    bool good = true;
    if (!m->passes && m->reset) return true;     /* without reset, in a model for inference, all are measured */
    for (int i = 0; good && i < m->tensors; i++)
        if (m->tensor[i].kind == DLN_TOTAL) good = tensor_fill(r, i, 1, p);
    if (good && m->reset) good = run_check(r, m->reset(r->object), "reset", p);
    for (int i = 0; good && i < m->tensors; i++) {
        if (m->tensor[i].kind != DLN_TOTAL) continue;
        good = tensor_get(r, i, &values, p);
        if (good) r->measured[i] = m->real_bytes == 8 ? *(double *)values != 0 : *(float *)values != 0;
        good = good && tensor_fill(r, i, 0, p);
    }
    free(values);
    return good;
}

bool run_init(Run *r, uint64_t seed, Problem *p)
{
    const dln_model *m = r->model;
    r->object = aligned_new(m->object_bytes, m->align, p);
    r->memory = r->object ? aligned_new(m->train_bytes, m->align, p) : NULL;
    if (!r->memory) return false;
    memset(r->object, 0, m->object_bytes);
    if (!run_check(r, m->init(r->object, r->memory, m->train_bytes, seed), "cannot set up the model", p)) return false;
    if (!totals_sort(r, p)) return false;
    for (int i = 0; i < m->settings; i++)
        if (!isnan(r->options.setting[i]) &&
            !run_check(r, m->set_setting(r->object, i, r->options.setting[i]), m->setting[i].name, p))
            return false;
    return true;
}

bool tensor_get(const Run *r, int tensor, void **values, Problem *p)
{
    const dln_model *m = r->model;
    free(*values);
    *values = memory_new(tensor_elements(&m->tensor[tensor]), (size_t)m->real_bytes, p);
    return *values && run_check(r, m->get(r->object, tensor, *values), m->tensor[tensor].name, p);
}

const char *metric_label(const dln_metric *metric, char *label, size_t room)
{
    snprintf(label, room, "%.*s", (int)strcspn(metric->name, "( "), metric->name);
    return label;
}

int metric_place(const dln_model *m, const char *name)
{
    char label[100];
    for (int whole = 1; whole >= 0; whole--)
        for (int i = 0, place = 0; i < m->metrics; place += m->metric[i++].values)
            if (m->metric[i].values == 1 &&
                !strcmp(whole ? m->metric[i].name : metric_label(&m->metric[i], label, sizeof label), name))
                return place;
    return -1;
}

void run_end(Run *r)
{
    data_end(&r->data);
    free(r->object);
    free(r->memory);
    free(r->values);
    free(r->weights);
    free(r->measured);
    options_free(&r->options);
}
