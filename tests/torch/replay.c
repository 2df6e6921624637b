/* replay.c: runs a generated model against numbers that PyTorch gave. It takes libdln's place: the model is compiled
 * with -DDLN_MAIN, and its main() hands the model to the dln_main() below, which reads a script of lines
 *
 *     n N                                samples in the batch; it comes first
 *     uniform NAME LOW HIGH              a parameter or float field: its numbers follow from its name, as in
 *                                        vectors.py. What no line names lies in -1 .. 1
 *     integers NAME MODULUS              whole numbers of 0 .. MODULUS - 1   index NAME     the sample's number
 *     keep NAME                          a parameter stays as the model begins it: vectors.py knows its rule
 *     batch K                            the fields anew: their numbers follow from NAME#K
 *     step TOLERANCE loss                one training step and its loss
 *     clock NAME VALUE                   what a host program tells the model: epoch, epoch_end, val_loss
 *     predict                            and then, of its outputs:
 *     output NAME TOLERANCE numbers ..
 *     case WHAT                          what the gradients below belong to; counted
 *     gradient NAME TOLERANCE numbers .. what the last step took off a parameter: sgd(lr = 1)
 *     get NAME TOLERANCE numbers ..      a parameter or state
 *
 * Arrays are row-major in dlnc's own order of axes. A difference is measured against the largest number expected of its
 * array. Prints what differs; the exit code is 1 if anything does. A second argument: only so
 * many steps. SPDX-License-Identifier: MIT */
#include "dln.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FIELDS = 64, MAX_TENSORS = 400, NAME = 200 };
typedef struct Replay {
    const dln_model *model;
    void *object;
    void *field[MAX_FIELDS], *output[MAX_FIELDS];
    double *before[MAX_TENSORS];                 /* parameters before the last step */
    char known[MAX_FIELDS + MAX_TENSORS];        /* fields, then tensors: filled */
    char what[NAME];                             /* the case */
    struct { double low, high; int numbers; } range[MAX_FIELDS];
    int batch, steps, most_steps;
    int n, ready, line, cases, compared, wrong;
} Replay;

static _Noreturn void die(const Replay *r, const char *what, const char *name)
{
    fprintf(stderr, "line %d: %s %s\n", r->line, what, name ? name : "");
    exit(2);
}

static void check(const Replay *r, int status, const char *what)
{
    if (status) die(r, what, r->model->strerror(status));
}

/* The numbers of a name, in [0, 1): stream() of vectors.py. */
static uint64_t stream_begin(const char *name)
{
    uint64_t s = 0xcbf29ce484222325u;
    for (; *name; name++) s = (s ^ (unsigned char)*name) * 0x100000001b3u;
    return s;
}

static double stream_next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 40) / 16777216.0;
}

static size_t elements(int rank, const int *extent)
{
    size_t n = 1;
    for (int i = 0; i < rank; i++) n *= (size_t)extent[i];
    return n;
}

static size_t tensor_size(const Replay *r, int k)
{
    return elements(r->model->tensor[k].rank, r->model->tensor[k].extent);
}

static size_t field_size(const Replay *r, int k)
{
    return elements(r->model->field[k].rank, r->model->field[k].extent);
}

static double real_at(const Replay *r, const void *at, size_t i)
{
    return r->model->real_bytes == 8 ? ((const double *)at)[i] : (double)((const float *)at)[i];
}

static void real_set(const Replay *r, void *at, size_t i, double v)
{
    if (r->model->real_bytes == 8) ((double *)at)[i] = v;
    else ((float *)at)[i] = (float)v;
}

static int find_field(const Replay *r, const char *name)
{
    for (int i = 0; i < r->model->fields; i++)
        if (!strcmp(r->model->field[i].name, name)) return i;
    return -1;
}

static int find_tensor(const Replay *r, const char *name)
{
    for (int i = 0; i < r->model->tensors; i++)
        if (!strcmp(r->model->tensor[i].name, name)) return i;
    die(r, "the model has no tensor", name);
}

static int find_output(const Replay *r, const char *name)
{
    for (int i = 0; i < r->model->outputs; i++)
        if (!strcmp(r->model->output[i].name, name)) return i;
    die(r, "the model has no output", name);
}

/* The next number of the line, as long as there is one. */
static int next(char **at, double *v)
{
    char *end;
    *v = strtod(*at, &end);
    if (end == *at) return 0;
    *at = end;
    return 1;
}

static double number(const Replay *r, char **at)
{
    double v;
    if (!next(at, &v)) die(r, "a number is missing", NULL);
    return v;
}

/* ---- what the model is given */

typedef enum { REAL, WHOLE, INDEX } Numbers;

static void field_fill(Replay *r, int k, double low, double high, Numbers numbers)
{
    const dln_field *f = &r->model->field[k];
    size_t one = field_size(r, k), count = one * (size_t)r->n;
    char name[NAME];
    snprintf(name, sizeof name, r->batch ? "%s#%d" : "%s", f->name, r->batch);
    uint64_t state = stream_begin(name);
    r->known[k] = 1;
    r->range[k].low = low, r->range[k].high = high, r->range[k].numbers = numbers;
    for (size_t i = 0; i < count; i++) {
        double v = numbers == INDEX ? (double)(i / one) : low + (high - low) * stream_next(&state);
        if (numbers != REAL) v = floor(v);
        if (f->type == DLN_INT) ((int32_t *)r->field[k])[i] = (int32_t)v;
        else if (f->type == DLN_BOOL) ((uint8_t *)r->field[k])[i] = v != 0;
        else real_set(r, r->field[k], i, v);
    }
}

static void tensor_fill(Replay *r, int k, double low, double high)
{
    size_t count = tensor_size(r, k);
    void *data = calloc(count + 1, 8);
    uint64_t state = stream_begin(r->model->tensor[k].name);
    r->known[MAX_FIELDS + k] = 1;
    for (size_t i = 0; i < count; i++) real_set(r, data, i, low + (high - low) * stream_next(&state));
    check(r, r->model->put(r->object, k, data), "put:");
    char average[NAME + 8];
    snprintf(average, sizeof average, "average.%s", r->model->tensor[k].name);
    for (int a = 0; a < r->model->tensors; a++)      /* a moving average begins where its parameter does */
        if (!strcmp(r->model->tensor[a].name, average)) check(r, r->model->put(r->object, a, data), "put:");
    free(data);
}

static void fill(Replay *r, const char *name, double low, double high, Numbers numbers)
{
    int k = find_field(r, name);
    if (k >= 0) field_fill(r, k, low, high, numbers);
    else tensor_fill(r, find_tensor(r, name), low, high);
}

/* Before the first step: what no line named. */
static void rest_fill(Replay *r)
{
    if (r->ready++) return;
    for (int k = 0; k < r->model->fields; k++)
        if (!r->known[k]) field_fill(r, k, -1, 1, REAL);
    for (int k = 0; k < r->model->tensors; k++)
        if (!r->known[MAX_FIELDS + k] && r->model->tensor[k].kind == DLN_PARAM) tensor_fill(r, k, -1, 1);
}

static void batch_fill(Replay *r, int number)
{
    rest_fill(r);
    r->batch = number;
    for (int k = 0; k < r->model->fields; k++)
        field_fill(r, k, r->range[k].low, r->range[k].high, (Numbers)r->range[k].numbers);
}

/* ---- what is compared */

static void report(Replay *r, const char *name, double worst, double tolerance)
{
    r->compared++;
    if (worst <= tolerance) return;
    r->wrong++;
    printf("line %d: %s %s differs by %.3g, allowed %.3g\n", r->line, r->what, name, worst, tolerance);
}

/* got less the values before, if there are any, with the opposite sign: a gradient. */
static void compare(Replay *r, const char *name, double tolerance, const void *got, const double *before, size_t count,
                    char *at)
{
    double v, worst = 0, largest = 1e-30;
    size_t i = 0;
    for (; i < count && next(&at, &v); i++) {
        double is = real_at(r, got, i);
        double d = fabs((before ? before[i] - is : is) - v);
        worst = isnan(d) ? INFINITY : fmax(worst, d);
        largest = fmax(largest, fabs(v));
    }
    if (i < count || next(&at, &v)) die(r, "another number of elements:", name);
    report(r, name, worst / fmax(largest, 1e-3), tolerance);
}

static void tensor_compare(Replay *r, const char *name, int gradient, double tolerance, char *at)
{
    int k = find_tensor(r, name);
    void *data = calloc(tensor_size(r, k) + 1, 8);
    check(r, r->model->get(r->object, k, data), "get:");
    if (gradient && !r->before[k]) die(r, "no step was made before", name);
    compare(r, name, tolerance, data, gradient ? r->before[k] : NULL, tensor_size(r, k), at);
    free(data);
}

static void parameters_remember(Replay *r)
{
    for (int k = 0; k < r->model->tensors; k++) {
        if (r->model->tensor[k].kind != DLN_PARAM) continue;
        size_t count = tensor_size(r, k);
        void *data = calloc(count + 1, 8);
        check(r, r->model->get(r->object, k, data), "get:");
        if (!r->before[k]) r->before[k] = calloc(count + 1, sizeof(double));
        for (size_t i = 0; i < count; i++) r->before[k][i] = real_at(r, data, i);
        free(data);
    }
}

static void step(Replay *r, double tolerance, char *at)
{
    double loss = NAN, expected = number(r, &at);
    parameters_remember(r);
    check(r, r->model->step(r->object, (const void *const *)r->field, r->n, &loss), "step:");
    report(r, "loss", fabs(loss - expected) / fmax(1e-30, fabs(expected)), tolerance);
}

static void predict(Replay *r)
{
    rest_fill(r);
    check(r, r->model->predict(r->object, (const void *const *)r->field, r->n, r->output), "predict:");
}

/* ---- the script */

static void clock_set(Replay *r, const char *name, double value)
{
    for (int i = 0; i < r->model->clocks; i++)
        if (!strcmp(r->model->clock[i], name)) check(r, r->model->set_clock(r->object, i, value), "set_clock:");
}

static void command(Replay *r, char *line, int is_float)
{
    char word[32], name[NAME];
    int used = 0;
    if (sscanf(line, "%31s%n", word, &used) != 1 || word[0] == '#') return;
    char *at = line + used;
    if (!strcmp(word, "n")) { r->n = (int)number(r, &at); return; }
    if (!strcmp(word, "batch")) { batch_fill(r, (int)number(r, &at)); return; }
    if (!strcmp(word, "case")) {
        r->cases++;
        snprintf(r->what, sizeof r->what, "%.*s", (int)strcspn(at + 1, "\n"), at + 1);
        return;
    }
    if (!strcmp(word, "predict")) { predict(r); return; }
    if (!strcmp(word, "step")) {
        double tolerance = number(r, &at);
        rest_fill(r);
        step(r, is_float ? 1e-4 : tolerance, at);
        r->steps++;
        return;
    }
    if (sscanf(at, "%199s%n", name, &used) != 1) die(r, "a name expected after", word);
    at += used;
    if (!strcmp(word, "keep")) { r->known[MAX_FIELDS + find_tensor(r, name)] = 1; return; }
    if (!strcmp(word, "index")) { fill(r, name, 0, 0, INDEX); return; }
    double first = number(r, &at);
    if (!strcmp(word, "integers")) { fill(r, name, 0, first, WHOLE); return; }
    if (!strcmp(word, "clock")) { clock_set(r, name, first); return; }
    if (!strcmp(word, "uniform")) { fill(r, name, first, number(r, &at), REAL); return; }
    if (is_float && first < 1e-4) first = 1e-4;
    if (!strcmp(word, "get") || !strcmp(word, "gradient")) tensor_compare(r, name, word[1] == 'r', first, at);
    else if (!strcmp(word, "output")) {
        int k = find_output(r, name);
        const dln_output *o = &r->model->output[k];
        compare(r, name, first, r->output[k], NULL, elements(o->rank, o->extent) * (size_t)r->n, at);
    } else die(r, "unknown command", word);
}

static void replay_begin(Replay *r)
{
    const dln_model *m = r->model;
    if (m->fields > MAX_FIELDS || m->outputs > MAX_FIELDS || m->tensors > MAX_TENSORS)
        die(r, "too large a model:", m->name);
    r->object = calloc(1, m->object_bytes);
    void *memory = aligned_alloc(m->align, (m->train_bytes + m->align - 1) / m->align * m->align);
    check(r, m->init(r->object, memory, m->train_bytes, 1), "init:");
    clock_set(r, "steps", (double)m->steps);
    r->n = m->batch;
    for (int i = 0; i < m->fields; i++) r->field[i] = calloc(field_size(r, i) * (size_t)m->batch + 1, 8);
    for (int i = 0; i < m->outputs; i++)
        r->output[i] = calloc(elements(m->output[i].rank, m->output[i].extent) * (size_t)m->batch + 1, 8);
}

int dln_main(int argc, char **argv, const dln_model *model)
{
    static Replay r;
    FILE *f = argc > 1 ? fopen(argv[1], "r") : NULL;
    if (!f) return 2;
    r.model = model;
    replay_begin(&r);
    char *line = NULL;
    size_t room = 0;
    r.most_steps = argc > 2 ? atoi(argv[2]) : 1 << 30;
    while (r.steps < r.most_steps && getline(&line, &room, f) > 0) {
        r.line++;
        command(&r, line, model->real_bytes == 4);
    }
    fclose(f);
    free(line);
    printf("%d cases, %d comparisons, %d wrong\n", r.cases, r.compared, r.wrong);
    return r.wrong != 0;
}
