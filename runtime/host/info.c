/* info.c: what the program knows of its model, on stdout. SPDX-License-Identifier: 0BSD */
#include <stdlib.h>
#include <string.h>
#include "run.h"

static void value_print(const dln_value *v)
{
    if (v->key) printf("%s = ", v->key);
    switch (v->kind) {
    case DLN_NUMBER: printf("%g", v->number); return;
    case DLN_STRING: printf("\"%s\"", v->text); return;
    case DLN_WORD: printf("%s", v->text); return;
    case DLN_LIST: printf("["); break;
    case DLN_CALL: printf("%s(", v->text); break;
    }
    for (int i = 0; i < v->count; i++) {
        if (i) printf(", ");
        value_print(&v->items[i]);
    }
    printf(v->kind == DLN_LIST ? "]" : ")");
}

static void fields_print(const dln_model *m)
{
    static const char *const type[] = { [DLN_FLOAT] = "float", [DLN_INT] = "int", [DLN_BOOL] = "bool" };
    char shape[120];
    for (int i = 0; i < m->fields; i++) {
        const dln_field *f = &m->field[i];
        printf("  %-9s %s: %s%s", f->is_target ? "target" : "input", f->name, type[f->type],
               f->rank ? shape_words(f->rank, f->extent, shape, sizeof shape) : "");
        if (f->classes) printf(", 0 .. %d", f->classes - 1);
        printf("\n");
    }
    for (int i = 0; i < m->outputs; i++)
        printf("  %-9s %s: float%s\n", "output", m->output[i].name,
               m->output[i].rank ? shape_words(m->output[i].rank, m->output[i].extent, shape, sizeof shape) : "");
}

static void tensors_print(const dln_model *m)
{
    static const char *const kind[] = {
        [DLN_PARAM] = "parameter", [DLN_STATE] = "state", [DLN_OPTIMIZER] = "optimizer", [DLN_TOTAL] = "total"
    };
    char shape[120];
    for (int i = 0; i < m->tensors; i++) {
        const dln_tensor *t = &m->tensor[i];
        printf("  %-9s %-32s %-20s %s%s\n", kind[t->kind], t->name,
               shape_words(t->rank, t->extent, shape, sizeof shape), t->line ? t->line : "",
               t->frozen ? " (frozen)" : "");
    }
}

int info_command(Run *r, Problem *p)
{
    const dln_model *m = r->model;
    (void)p;
    printf("%s from %s, by dlnc %s\n", m->name, m->source, m->version);
    printf("  sha256    %s\n", m->sha256);
    if (m->options && *m->options) printf("  options   %s\n", m->options);
    printf("  memory    %zu bytes to train, %zu to predict, for batches of up to %d\n", m->train_bytes, m->infer_bytes,
           m->batch);
    if (m->summary) printf("\n%s\n", m->summary);
    printf("fields\n");
    fields_print(m);
    printf("metrics\n ");
    for (int i = 0; i < m->metrics; i++) printf(" %s", m->metric[i].name);
    printf("\nsettings\n");
    for (int i = 0; i < m->settings; i++)
        printf("  %-16s %g%s\n", m->setting[i].name, m->setting[i].value,
               m->setting[i].fixed ? " (fixed when compiled)" : "");
    printf("data\n");
    for (int i = 0; i < m->data_values; i++) {
        printf("  ");
        value_print(&m->data[i]);
        printf("\n");
    }
    printf("train\n");
    for (int i = 0; i < m->train_values; i++) {
        printf("  ");
        value_print(&m->train[i]);
        printf("\n");
    }
    if (m->sources) printf("weights\n");
    for (int i = 0; i < m->sources; i++) {
        printf("  ");
        value_print(&m->source_of[i]);
        printf("\n");
    }
    printf("tensors\n");
    tensors_print(m);
    return EXIT_DONE;
}
