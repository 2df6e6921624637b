/* weigh.c: --class-weights: other weights of the classes than those of the .dln, `1,2,1.5` in the order of the classes,
 * or `spam=3` for some by name. They are a tensor of the loss (class_weights), so a checkpoint keeps them.
 * SPDX-License-Identifier: 0BSD */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "run.h"

/* The tensor; -1: problem set. */
static int weights_find(const dln_model *m, Problem *p)
{
    int found = -1;
    for (int i = 0; i < m->tensors; i++) {
        const char *name = strrchr(m->tensor[i].name, '.');
        if (m->tensor[i].kind != DLN_OPTIMIZER || m->tensor[i].rank != 1 || strcmp(name ? name : "", ".class_weights"))
            continue;
        if (found >= 0) {
            problem_set(p, EXIT_USAGE, "--class-weights: %s has several losses with weights of classes", m->source);
            return -1;
        }
        found = i;
    }
    if (found < 0)
        problem_set(p, EXIT_USAGE, "--class-weights: the loss has none; write class_weight = [1, 1, ..] into %s first",
                    m->source);
    return found;
}

typedef struct Weighing {
    const char *text;                            /* of the option */
    int classes;
    const Names *names;                          /* or NULL */
    double *value;
} Weighing;

static bool weight_read(const Weighing *w, const char *text, size_t length, int class, Problem *p)
{
    if (number_parse(text, length, &w->value[class]) == NUMBER_GOOD && w->value[class] >= 0 &&
        w->value[class] <= 1e30)
        return true;
    return problem_set(p, EXIT_USAGE, "--class-weights %s: '%.*s' is no weight; a number from 0 on", w->text,
                       length > 40 ? 40 : (int)length, text);
}

static int class_find(const Weighing *w, const char *text, size_t length, Problem *p)
{
    char name[64];
    const int found = w->names ? names_find(w->names, text, length) : -1;
    if (found >= 0 && found < w->classes) return found;
    snprintf(name, sizeof name, "%.*s", length > 60 ? 60 : (int)length, text);
    const char *near = w->names ? name_nearest(name, (const char *const *)w->names->name, w->names->count) : NULL;
    problem_set(p, EXIT_USAGE, "--class-weights %s: no class is called '%s'", w->text, name);
    if (near) problem_add(p, "; did you mean '%s'?", near);
    if (!w->names) problem_add(p, ": the classes have no names; list all %d weights in order", w->classes);
    return -1;
}

static bool weights_read(const Weighing *w, Problem *p)
{
    int listed = 0, named = 0;
    const char *at = w->text;
    for (bool more = true; more;) {
        const size_t length = strcspn(at, ",");
        const char *equals = memchr(at, '=', length);
        const int class = equals ? class_find(w, at, (size_t)(equals - at), p) : listed++;
        const char *number = equals ? equals + 1 : at;
        if (class < 0) return false;
        named += equals != NULL;
        if (class >= w->classes || (named && listed)) break;
        if (!weight_read(w, number, (size_t)(at + length - number), class, p)) return false;
        more = at[length] == ',';
        at += length + 1;
    }
    return (named && !listed) || (listed == w->classes && !named) ||
           problem_set(p, EXIT_USAGE, "--class-weights %s: expected %d weights in the order of the classes, or NAME=WEIGHT",
                       w->text, w->classes);
}

bool class_weights_set(Run *r, Problem *p)
{
    const dln_model *m = r->model;
    Weighing w = { .text = r->options.class_weights };
    void *values = NULL;
    int field = -1;
    if (!w.text) return true;
    const int tensor = weights_find(m, p);
    if (tensor < 0) return false;
    w.classes = m->tensor[tensor].extent[0];
    if (classes_predicted(m, &field)) w.names = data_class_names(&r->data, m->field[field].name);
    if (!tensor_get(r, tensor, &values, p)) return false;
    w.value = memory_new((size_t)w.classes, sizeof *w.value, p);
    const bool twice = tensor_twice(m, &m->tensor[tensor]);
    for (int i = 0; w.value && i < w.classes; i++)
        w.value[i] = twice ? ((double *)values)[i] : (double)((float *)values)[i];
    bool good = w.value && weights_read(&w, p);
    for (int i = 0; good && i < w.classes; i++)
        if (twice)
            ((double *)values)[i] = w.value[i];
        else
            ((float *)values)[i] = (float)w.value[i];
    good = good && tensor_put(r, tensor, values, p);
    free(w.value);
    free(values);
    return good;
}
