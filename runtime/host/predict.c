/* predict.c: what the model says to each sample, as CSV on stdout: the class and a number for each class, or the
 * elements of all outputs. SPDX-License-Identifier: 0BSD */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "run.h"

typedef struct Predictor {
    Run *r;
    Feed feed;
    void **output;
    size_t *elements; /* of each output, for one sample */
    int classes;
    const Names *names; /* of the classes, or NULL */
} Predictor;

/* A cell, in quotes where CSV needs them. */
static void write_cell(Writer *w, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        write_text(w, "%s", text);
        return;
    }
    write_text(w, "\"");
    for (; *text; text++) write_text(w, *text == '"' ? "\"\"" : "%c", *text);
    write_text(w, "\"");
}

static void write_class(Writer *w, const Predictor *q, int class)
{
    if (q->names && class < q->names->count)
        write_cell(w, q->names->name[class]);
    else
        write_text(w, "%d", class);
}

static void write_title(Writer *w, const Predictor *q)
{
    const dln_model *m = q->r->model;
    bool first = true;
    if (q->classes) {
        write_text(w, "class");
        first = false;
    }
    for (int i = 0; i < m->outputs; i++)
        for (size_t k = 0; k < q->elements[i]; k++, first = false) {
            if (!first) write_text(w, ",");
            if (q->classes && q->elements[i] > 1)
                write_class(w, q, (int)k);
            else if (q->elements[i] == 1)
                write_cell(w, m->output[i].name);
            else
                write_text(w, "%s[%zu]", m->output[i].name, k);
        }
    write_text(w, "\n");
}

static void write_sample(Writer *w, const Predictor *q, size_t sample)
{
    const dln_model *m = q->r->model;
    bool first = true;
    if (q->classes) {
        write_class(w, q, class_of(m, q->output[0], sample, m->output[0].extent[0]));
        first = false;
    }
    for (int i = 0; i < m->outputs; i++)
        for (size_t k = 0, at = sample * q->elements[i]; k < q->elements[i]; k++, at++, first = false)
            write_text(w, first ? "%.*g" : ",%.*g", m->real_bytes == 8 ? 17 : 9,
                       m->real_bytes == 8 ? ((const double *)q->output[i])[at]
                                          : (double)((const float *)q->output[i])[at]);
    write_text(w, "\n");
}

static bool text_flush(Writer *w, Problem *p)
{
    bool good = !w->failed && fwrite(w->text, 1, w->length, stdout) == w->length && !fflush(stdout);
    w->length = 0;
    return good || problem_set(p, EXIT_IO, "cannot write to standard output: %s",
                               w->failed ? "out of memory" : strerror(errno));
}

static bool predict_all(Predictor *q, Problem *p)
{
    const dln_model *m = q->r->model;
    const uint64_t batch = (uint64_t)run_batch(q->r);
    Writer w = { 0 };
    bool good = true;
    write_title(&w, q);
    for (uint64_t first = 0; good && first < q->feed.rows; first += batch) {
        int n = (int)(q->feed.rows - first < batch ? q->feed.rows - first : batch);
        feed_gather(&q->feed, NULL, 0, first, n);
        good = run_check(q->r, m->predict(q->r->object, q->feed.fields, n, q->output), "predict", p);
        for (int i = 0; good && i < n; i++) write_sample(&w, q, (size_t)i);
        good = good && text_flush(&w, p);
    }
    free(w.text);
    return good;
}

static bool outputs_make(Predictor *q, Problem *p)
{
    const dln_model *m = q->r->model;
    q->output = memory_new((size_t)m->outputs, sizeof *q->output, p);
    q->elements = memory_new((size_t)m->outputs, sizeof *q->elements, p);
    if (!q->output || !q->elements) return false;
    for (int i = 0; i < m->outputs; i++) {
        q->elements[i] = 1;
        for (int k = 0; k < m->output[i].rank; k++) q->elements[i] *= (size_t)m->output[i].extent[k];
        if (!(q->output[i] = memory_new(q->elements[i] * (size_t)m->batch, (size_t)m->real_bytes, p))) return false;
    }
    return true;
}

static bool predictor_run(Predictor *q, Problem *p)
{
    Run *r = q->r;
    const dln_model *m = r->model;
    int field;
    if (!m->predict) return problem_set(p, EXIT_INPUT, "%s: the model predicts nothing", m->source);
    if (!trained_load(r, p)) return false;
    const Part *part =
        r->options.input ? data_input(&r->data, r->options.input, p) : data_part(&r->data, part_chosen(r), p);
    if (!part || !feed_open(&q->feed, m, part, false, p) || !outputs_make(q, p)) return false;
    q->classes = classes_predicted(m, &field);
    if (q->classes) q->names = data_class_names(&r->data, m->field[field].name);
    return predict_all(q, p);
}

int predict_command(Run *r, Problem *p)
{
    Predictor q = { .r = r };
    bool good = predictor_run(&q, p);
    for (int i = 0; q.output && i < r->model->outputs; i++) free(q.output[i]);
    free(q.output);
    free(q.elements);
    if (q.feed.model) feed_close(&q.feed);
    return good ? EXIT_DONE : p->code;
}
