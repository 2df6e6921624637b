/* eval.c: loss and metrics of a part of the data; for a model that chooses among classes also the confusion matrix with
 * precision, recall and F1 of each class. SPDX-License-Identifier: 0BSD */
#include <stdlib.h>
#include <string.h>
#include "run.h"

bool evaluate_feed(Run *r, Feed *f, double *values, Problem *p)
{
    const dln_model *m = r->model;
    const uint64_t batch = (uint64_t)(run_batch(r) < m->batch ? run_batch(r) : m->batch);
    const uint64_t stride = batch * (uint64_t)team_size();
    double loss;
    if (!run_check(r, m->reset(r->object), "reset", p)) return false;
    for (uint64_t first = batch * (uint64_t)team_rank(); first < f->rows; first += stride) {
        int n = (int)(f->rows - first < batch ? f->rows - first : batch);
        feed_gather(f, first, n);
        if (!run_check(r, m->evaluate(r->object, f->fields, n, &loss), "evaluate", p)) return false;
    }
    return team_totals(r, p) && run_check(r, m->report(r->object, values), "report", p);
}

/* The part that eval and predict look at: --on, `validate` of the .dln, else test. */
const char *part_chosen(const Run *r)
{
    const dln_value *v = value_find(r->model->train, r->model->train_values, "validate");
    return r->options.part ? r->options.part : v && v->kind == DLN_WORD ? v->text : "test";
}

static int target_field(const dln_model *m)
{
    int found = -1, targets = 0;
    for (int i = 0; i < m->fields; i++)
        if (m->field[i].is_target) {
            found = i;
            targets++;
        }
    return targets == 1 ? found : -1;
}

int classes_predicted(const dln_model *m, int *field)
{
    int f = *field = target_field(m);
    if (f < 0 || m->outputs != 1 || m->output[0].rank != 1 || m->field[f].type != DLN_INT) return 0;
    for (int i = 0; i < m->field[f].rank; i++)
        if (m->field[f].extent[i] != 1) return 0;
    int width = m->output[0].extent[0];
    return width == 1 ? 2 : !m->field[f].classes || m->field[f].classes == width ? width : 0;
}

int class_of(const dln_model *m, const void *output, size_t sample, int width)
{
    const float *single = output;
    const double *twice = output;
    int best = 0;
#define VALUE(k)                                                                                                       \
    (m->real_bytes == 8 ? twice[sample * (size_t)width + (size_t)(k)]                                                  \
                        : (double)single[sample * (size_t)width + (size_t)(k)])
    if (width == 1) return VALUE(0) > 0.5;
    for (int k = 1; k < width; k++)
        if (VALUE(k) > VALUE(best)) best = k;
#undef VALUE
    return best;
}

static const char *class_name(const Names *names, int class, char *number, size_t room)
{
    if (names && class < names->count) return names->name[class];
    snprintf(number, room, "%d", class);
    return number;
}

static void confusion_print(const uint64_t *count, int classes, const Names *names)
{
    enum { SHOWN = 30 };
    char number[16];
    if (classes <= SHOWN) {
        printf("\n%-16s taken for\n%-16s", "", "class");
        for (int j = 0; j < classes; j++) printf(" %7.7s", class_name(names, j, number, sizeof number));
        printf("\n");
        for (int i = 0; i < classes; i++) {
            printf("%-16.16s", class_name(names, i, number, sizeof number));
            for (int j = 0; j < classes; j++) printf(" %7llu", (unsigned long long)count[i * classes + j]);
            printf("\n");
        }
    }
    printf("\n%-16s %9s %9s %9s %9s\n", "class", "precision", "recall", "f1", "samples");
    for (int i = 0; i < classes; i++) {
        uint64_t right = count[i * classes + i], taken = 0, there = 0;
        for (int k = 0; k < classes; k++) {
            taken += count[k * classes + i];
            there += count[i * classes + k];
        }
        double precision = taken ? (double)right / (double)taken : 0,
               recall = there ? (double)right / (double)there : 0;
        double f1 = taken + there ? 2 * (double)right / (double)(taken + there) : 0;
        printf("%-16.16s %9.4f %9.4f %9.4f %9llu\n", class_name(names, i, number, sizeof number), precision, recall, f1,
               (unsigned long long)there);
    }
}

static bool confusion_report(Run *r, Feed *f, int classes, int field, Problem *p)
{
    const dln_model *m = r->model;
    const int width = m->output[0].extent[0];
    const uint64_t batch = (uint64_t)run_batch(r);
    uint64_t *count = memory_new((size_t)classes * (size_t)classes, sizeof *count, p);
    void *output = count ? memory_new((size_t)m->batch * (size_t)width, (size_t)m->real_bytes, p) : NULL;
    bool good = output != NULL;
    for (uint64_t first = 0; good && first < f->rows; first += batch) {
        int n = (int)(f->rows - first < batch ? f->rows - first : batch);
        feed_gather(f, first, n);
        good = run_check(r, m->predict(r->object, f->fields, n, &output), "predict", p);
        for (int i = 0; good && i < n; i++) {
            int32_t label = ((const int32_t *)f->buffer[field])[i];
            if (label >= 0 && label < classes) count[label * classes + class_of(m, output, (size_t)i, width)]++;
        }
    }
    if (good) confusion_print(count, classes, f->column[field]->classes);
    free(output);
    free(count);
    return good;
}

int eval_command(Run *r, Problem *p)
{
    const dln_model *m = r->model;
    const char *name = part_chosen(r);
    int field, classes = classes_predicted(m, &field);
    Feed f;
    Display d;
    if (!m->evaluate || !m->report)
        return problem_set(p, EXIT_INPUT, "%s has no train block, so there is no loss to measure", m->source), p->code;
    if (!trained_load(r, p)) return p->code;
    const Part *part = data_part(&r->data, name, p);
    if (!part || !feed_open(&f, m, part, true, p)) return p->code;
    display_begin(&d, r, false, 0);
    bool good = evaluate_feed(r, &f, r->values, p);
    good = good && display_figures(&d, name, r->values, p);
    if (good && classes && d.kind != PROGRESS_JSON) good = confusion_report(r, &f, classes, field, p);
    feed_close(&f);
    return good ? EXIT_DONE : p->code;
}
