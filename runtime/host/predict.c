/* predict.c: what the model says to each sample, on stdout: as CSV the class and a number for each class, or the elements
 * of all outputs; as JSON lines an object for each sample, numbers under the names of their classes, or in lists of the
 * output's shape. SPDX-License-Identifier: 0BSD */
#include <errno.h>
#include <math.h>
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

static double output_value(const Predictor *q, int output, size_t at)
{
    return q->r->model->real_bytes == 8 ? ((const double *)q->output[output])[at]
                                        : (double)((const float *)q->output[output])[at];
}

static int output_digits(const Predictor *q) { return q->r->model->real_bytes == 8 ? 17 : 9; }

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
            write_text(w, first ? "%.*g" : ",%.*g", output_digits(q), output_value(q, i, at));
    write_text(w, "\n");
}

/* What is not finite is null. */
static void write_json_number(Writer *w, const Predictor *q, int output, size_t at)
{
    const double value = output_value(q, output, at);
    if (isfinite(value))
        write_text(w, "%.*g", output_digits(q), value);
    else
        write_text(w, "null");
}

static void write_json_class(Writer *w, const Predictor *q, int class)
{
    if (q->names && class < q->names->count)
        write_json_string(w, q->names->name[class]);
    else
        write_text(w, "%d", class);
}

/* One output of a sample, in lists as its axes from `axis` on are; its elements begin at `at`. */
static void write_json_array(Writer *w, const Predictor *q, int output, int axis, size_t at)
{
    const dln_output *o = &q->r->model->output[output];
    size_t inner = 1;
    if (axis == o->rank) {
        write_json_number(w, q, output, at);
        return;
    }
    for (int k = axis + 1; k < o->rank; k++) inner *= (size_t)o->extent[k];
    for (int i = 0; i < o->extent[axis]; i++) {
        write_text(w, i ? "," : "[");
        write_json_array(w, q, output, axis + 1, at + (size_t)i * inner);
    }
    write_text(w, "]");
}

/* {"class":"virginica","output":{"setosa":0.001,"virginica":0.999}} */
static void write_json_sample(Writer *w, const Predictor *q, size_t sample)
{
    const dln_model *m = q->r->model;
    write_text(w, "{");
    if (q->classes) {
        write_text(w, "\"class\":");
        write_json_class(w, q, class_of(m, q->output[0], sample, m->output[0].extent[0]));
    }
    for (int i = 0; i < m->outputs; i++) {
        const size_t at = sample * q->elements[i];
        if (i || q->classes) write_text(w, ",");
        write_json_string(w, m->output[i].name);
        write_text(w, ":");
        if (q->classes && q->names && q->elements[i] > 1 && q->names->count >= (int)q->elements[i]) {
            for (size_t k = 0; k < q->elements[i]; k++) {
                write_text(w, k ? "," : "{");
                write_json_class(w, q, (int)k);
                write_text(w, ":");
                write_json_number(w, q, i, at + k);
            }
            write_text(w, "}");
        } else if (q->elements[i] == 1)
            write_json_number(w, q, i, at);
        else
            write_json_array(w, q, i, 0, at);
    }
    write_text(w, "}\n");
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
    const bool json = q->r->options.json;
    if (!json) write_title(&w, q);
    for (uint64_t first = 0; good && first < q->feed.rows; first += batch) {
        int n = (int)(q->feed.rows - first < batch ? q->feed.rows - first : batch);
        feed_gather(&q->feed, first, n);
        good = run_check(q->r, m->predict(q->r->object, q->feed.fields, n, q->output), "predict", p);
        for (int i = 0; good && i < n; i++) (json ? write_json_sample : write_sample)(&w, q, (size_t)i);
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
