/* replay.c: runs a generated model against numbers that PyTorch gave. It takes libdln's place: the model is compiled with
 * -DDLN_MAIN, and its main() hands the model to the dln_main() below, which reads a script of lines
 *
 *     n N                             samples in the batch
 *     field NAME numbers ..           an input or target         field_lcg NAME SEED SCALE | field_mod NAME SEED MODULUS
 *     put NAME numbers ..             a weight                   put_lcg NAME SEED SCALE
 *     step TOLERANCE loss             one training step and its loss
 *     predict                         and then, of its outputs:
 *     output NAME TOLERANCE numbers ..
 *     get NAME TOLERANCE numbers ..   a weight afterwards
 *
 * Arrays are row-major in dlnc's own order of axes. Differences are measured against max(1, |expected|). Prints what
 * differs; the exit code is 1 if anything does. The generator of *_lcg is in lcg() here and in make_vectors.py. */
#include "dln.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FIELDS = 64 };
typedef struct Replay {
    const dln_model *model;
    void *object;
    void *field[MAX_FIELDS], *output[MAX_FIELDS];
    int n, line, compared, wrong;
} Replay;

static void die(const Replay *r, const char *what, const char *name)
{
    fprintf(stderr, "line %d: %s %s\n", r->line, what, name ? name : "");
    exit(2);
}

static double lcg(uint64_t *state)               /* in [0, 1) */
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

static double real_at(const Replay *r, const void *at, size_t i)
{
    return r->model->real_bytes == 8 ? ((const double *)at)[i] : (double)((const float *)at)[i];
}

static void set_real(const Replay *r, void *at, size_t i, double v)
{
    if (r->model->real_bytes == 8) ((double *)at)[i] = v;
    else ((float *)at)[i] = (float)v;
}

static int find_field(const Replay *r, const char *name)
{
    for (int i = 0; i < r->model->fields; i++)
        if (!strcmp(r->model->field[i].name, name)) return i;
    die(r, "the model has no field", name);
    return -1;
}

static int find_tensor(const Replay *r, const char *name)
{
    for (int i = 0; i < r->model->tensors; i++)
        if (!strcmp(r->model->tensor[i].name, name)) return i;
    die(r, "the model has no tensor", name);
    return -1;
}

static int find_output(const Replay *r, const char *name)
{
    for (int i = 0; i < r->model->outputs; i++)
        if (!strcmp(r->model->output[i].name, name)) return i;
    die(r, "the model has no output", name);
    return -1;
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

static void status(const Replay *r, int s, const char *what)
{
    if (s) die(r, what, r->model->strerror(s));
}

static void set_field(Replay *r, const char *name, const char *how, char *at)
{
    int k = find_field(r, name);
    const dln_field *f = &r->model->field[k];
    size_t count = elements(f->rank, f->extent) * (size_t)r->n;
    void *data = r->field[k] ? r->field[k] : (r->field[k] = calloc(elements(f->rank, f->extent) * (size_t)r->model->batch, 8));
    double a = 0, b = 0, v;
    uint64_t state = 0;
    if (strcmp(how, "field")) {
        if (!next(&at, &a) || !next(&at, &b)) die(r, "two numbers expected:", how);
        state = (uint64_t)a;
    }
    for (size_t i = 0; i < count; i++) {
        if (!strcmp(how, "field_lcg")) v = lcg(&state) * b;
        else if (!strcmp(how, "field_mod")) v = floor(lcg(&state) * b);
        else if (!next(&at, &v)) die(r, "too few numbers for", name);
        if (f->type == DLN_INT) ((int32_t *)data)[i] = (int32_t)v;
        else if (f->type == DLN_BOOL) ((uint8_t *)data)[i] = v != 0;
        else set_real(r, data, i, v);
    }
}

static void put(Replay *r, const char *name, int generated, char *at)
{
    int k = find_tensor(r, name);
    const dln_tensor *t = &r->model->tensor[k];
    size_t count = elements(t->rank, t->extent);
    void *data = calloc(count + 1, 8);
    double seed = 0, scale = 0, v;
    if (generated && (!next(&at, &seed) || !next(&at, &scale))) die(r, "two numbers expected for", name);
    uint64_t state = (uint64_t)seed;
    for (size_t i = 0; i < count; i++) {
        if (generated) v = (lcg(&state) - 0.5) * scale;
        else if (!next(&at, &v)) die(r, "too few numbers for", name);
        set_real(r, data, i, v);
    }
    status(r, r->model->put(r->object, k, data), "put:");
    free(data);
}

static void compare(Replay *r, const char *name, double tolerance, const void *got, size_t count, char *at)
{
    double v, worst = 0;
    size_t i = 0;
    for (; i < count && next(&at, &v); i++) {
        double d = fabs(real_at(r, got, i) - v) / fmax(1, fabs(v));
        if (!(d <= worst)) worst = d;
    }
    if (i < count || next(&at, &v)) die(r, "another number of elements:", name);
    r->compared++;
    if (worst <= tolerance) return;
    r->wrong++;
    printf("line %d: %s differs by %.3g, allowed %.3g\n", r->line, name, worst, tolerance);
}

static void get(Replay *r, const char *name, double tolerance, char *at)
{
    int k = find_tensor(r, name);
    size_t count = elements(r->model->tensor[k].rank, r->model->tensor[k].extent);
    void *data = calloc(count + 1, 8);
    status(r, r->model->get(r->object, k, data), "get:");
    compare(r, name, tolerance, data, count, at);
    free(data);
}

static void step(Replay *r, double tolerance, char *at)
{
    double loss = NAN, expected;
    if (!next(&at, &expected)) die(r, "step needs a loss", NULL);
    status(r, r->model->step(r->object, (const void *const *)r->field, r->n, &loss), "step:");
    r->compared++;
    double d = fabs(loss - expected) / fmax(1e-30, fabs(expected));
    if (d <= tolerance) return;
    r->wrong++;
    printf("line %d: loss %.12g, expected %.12g: relative %.3g, allowed %.3g\n", r->line, loss, expected, d, tolerance);
}

static void command(Replay *r, char *line, int is_float)
{
    char word[32], name[200];
    int used = 0;
    if (sscanf(line, "%31s%n", word, &used) != 1 || word[0] == '#') return;
    char *at = line + used;
    double tolerance;
    if (!strcmp(word, "n")) { r->n = atoi(at); return; }
    if (!strcmp(word, "predict")) {
        for (int i = 0; i < r->model->outputs; i++) {
            const dln_output *o = &r->model->output[i];
            if (!r->output[i]) r->output[i] = calloc(elements(o->rank, o->extent) * (size_t)r->model->batch + 1, 8);
        }
        status(r, r->model->predict(r->object, (const void *const *)r->field, r->n, r->output), "predict:");
        return;
    }
    if (!strcmp(word, "step")) {
        if (!next(&at, &tolerance)) die(r, "step needs a tolerance", NULL);
        step(r, is_float ? 1e-4 : tolerance, at);
        return;
    }
    if (sscanf(at, "%199s%n", name, &used) != 1) die(r, "a name expected after", word);
    at += used;
    if (!strncmp(word, "field", 5)) { set_field(r, name, word, at); return; }
    if (!strncmp(word, "put", 3)) { put(r, name, !strcmp(word, "put_lcg"), at); return; }
    if (!next(&at, &tolerance)) die(r, "a tolerance expected after", name);
    if (is_float && tolerance < 1e-4) tolerance = 1e-4;
    if (!strcmp(word, "get")) get(r, name, tolerance, at);
    else if (!strcmp(word, "output")) {
        const dln_output *o = &r->model->output[find_output(r, name)];
        compare(r, name, tolerance, r->output[find_output(r, name)], elements(o->rank, o->extent) * (size_t)r->n, at);
    } else die(r, "unknown command", word);
}

int dln_main(int argc, char **argv, const dln_model *model)
{
    Replay r = { .model = model };
    FILE *f = argc > 1 ? fopen(argv[1], "r") : NULL;
    if (!f || model->fields > MAX_FIELDS || model->outputs > MAX_FIELDS) return 2;
    r.object = calloc(1, model->object_bytes);
    void *memory = aligned_alloc(model->align, (model->train_bytes + model->align - 1) / model->align * model->align);
    status(&r, model->init(r.object, memory, model->train_bytes, 1), "init:");
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, f) > 0) {
        r.line++;
        command(&r, line, model->real_bytes == 4);
    }
    fclose(f);
    printf("%d comparisons, %d wrong\n", r.compared, r.wrong);
    free(line);
    free(memory);
    free(r.object);
    for (int i = 0; i < MAX_FIELDS; i++) { free(r.field[i]); free(r.output[i]); }
    return r.wrong != 0;
}
