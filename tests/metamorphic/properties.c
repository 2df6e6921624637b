/* properties.c: what holds for every program, on one model compiled with --accumulate --real=double. `dump FILE N` writes
 * what three steps on N samples leave, to be compared with another program's. The argument spoil breaks each property in
 * its smallest form: then every check must fail.
 * SPDX-License-Identifier: MIT */
#include "check.h"
#include "net.h"

enum { MAX = 200, SAMPLES = 8 };
static const dln_model *m;
static int spoil;
static double x[SAMPLES * 2000], target[SAMPLES * 2000];

static size_t x_size, t_size;

static void batch_make(int number_of_batch)
{
    uint64_t s = stream("batch") + (uint64_t)number_of_batch;
    for (size_t i = 0; i < SAMPLES * x_size; i++) x[i] = number(&s);
    for (size_t i = 0; i < SAMPLES * t_size; i++) target[i] = number(&s);
}

static int step(void *o, const double *a, const double *t, int n, double *loss)
{
    const void *const fields[] = { a, t };
    return m->step(o, fields, n, loss);
}

static void train(void *o, int steps, int n)
{
    for (int k = 0; k < steps; k++) {
        batch_make(k);
        must(m, step(o, x, target, n, NULL), "step");
    }
}

/* How far two instances are apart, over tensors of some kinds; exactly 0: the same bits. */
static double difference(const void *a, const void *b, int parameters_only)
{
    double worst = 0;
    for (int k = 0; k < m->tensors; k++) {
        if (m->tensor[k].kind == DLN_TOTAL || (parameters_only && m->tensor[k].kind != DLN_PARAM)) continue;
        double *v = values(m, a, k), *w = values(m, b, k);
        worst = worse(worst, apart(v, w, 1, tensor_size(m, k)));
        free(v);
        free(w);
    }
    return worst;
}

static double *predicted(void *o, const double *a, int n)
{
    double *out = calloc(output_size(m, 0) * SAMPLES + 1, sizeof(double));
    const void *const fields[] = { a, NULL };
    void *const outputs[] = { out };
    must(m, m->predict(o, fields, n, outputs), "predict");
    return out;
}

static double evaluated(void *o, const double *a, const double *t, int n)
{
    double loss;
    const void *const fields[] = { a, t };
    must(m, m->evaluate(o, fields, n, &loss), "evaluate");
    return loss;
}

/* Sample i of a batch goes to (i + by) mod SAMPLES. */
static void rotate(double *v, size_t size, size_t by)
{
    double *old = malloc(SAMPLES * size * sizeof *old);
    memcpy(old, v, SAMPLES * size * sizeof *old);
    for (size_t i = 0; i < SAMPLES; i++) memcpy(v + (i + by) % SAMPLES * size, old + i * size, size * sizeof *old);
    free(old);
}

static void seeds(void)
{
    void *a = instance(m, 7), *b = instance(m, spoil ? 8 : 7), *c = instance(m, spoil ? 7 : 8);
    train(a, 3, SAMPLES), train(b, 3, SAMPLES), train(c, 3, SAMPLES);
    check(difference(a, b, 0) == 0, "one seed, the same bits after three steps");
    check(difference(a, c, 0) > 1e-3, "another seed, other weights");
}

static void evaluation(void)
{
    void *a = instance(m, 7), *b = instance(m, 7);
    train(a, 2, SAMPLES), train(b, 2, SAMPLES);
    double loss = evaluated(b, x, target, SAMPLES);
    free(predicted(b, x, 5));
    if (spoil) train(b, 1, SAMPLES);
    check(difference(a, b, 0) == 0, "evaluate and predict change no weight and no state");
    check(fabs(evaluated(b, x, target, SAMPLES) - loss) == 0, "evaluate gives the same again");
    train(a, 1, SAMPLES), train(b, 1, SAMPLES);
    check(difference(a, b, 0) == 0, "nor do they change the training that follows");
}

static void no_rate(void)
{
    void *a = instance(m, 7), *b = instance(m, 7);
    for (int k = 0; k < m->settings; k++)
        if (!strcmp(m->setting[k].name, "lr")) must(m, m->set_setting(b, k, spoil ? 1e-9 : 0), "set_setting");
    train(b, 3, SAMPLES);
    check(difference(a, b, 1) == 0, "a learning rate of 0 keeps every weight, bit for bit");
}

static void order(void)
{
    void *a = instance(m, 7), *b = instance(m, 7);
    batch_make(1);
    double *before = predicted(a, x, SAMPLES), one, two;
    must(m, step(a, x, target, SAMPLES, &one), "step");
    rotate(x, x_size, 3), rotate(target, t_size, spoil ? 2 : 3);
    double *after = predicted(b, x, SAMPLES);
    rotate(before, output_size(m, 0), spoil ? 2 : 3);
    check(apart(before, after, 1, output_size(m, 0) * SAMPLES) <= 1e-13, "samples in another order, their outputs too");
    must(m, step(b, x, target, SAMPLES, &two), "step");
    check(fabs(one - two) <= 1e-12 * one, "the loss does not depend on the order of the samples");
    check(difference(a, b, 0) <= 1e-9, "nor do the weights after a step");
    free(before);
    free(after);
}

static void part_of_batch(void)
{
    void *a = instance(m, 7), *b = instance(m, 7);
    batch_make(1);
    must(m, step(a, x, target, 5, NULL), "step");
    for (size_t i = (spoil ? 4 : 5) * x_size; i < SAMPLES * x_size; i++) x[i] = 1e300;
    for (size_t i = 5 * t_size; i < SAMPLES * t_size; i++) target[i] = NAN;
    must(m, step(b, x, target, 5, NULL), "step");
    check(difference(a, b, 0) == 0, "what lies behind the n samples is not read");
}

static void doubled(void)
{
    void *a = instance(m, 7), *b = instance(m, 7);
    double one, two;
    batch_make(1);
    must(m, step(a, x, target, SAMPLES / 2, &one), "step");
    memcpy(x + SAMPLES / 2 * x_size, x, SAMPLES / 2 * x_size * sizeof *x);
    memcpy(target + SAMPLES / 2 * t_size, target, SAMPLES / 2 * t_size * sizeof *x);
    if (spoil) x[SAMPLES / 2 * x_size] += 0.1, target[SAMPLES / 2 * t_size] += 0.1;
    must(m, step(b, x, target, SAMPLES, &two), "step");
    check(fabs(one - two) <= 1e-12 * one, "every sample twice: the same loss");
    check(difference(a, b, 1) <= 1e-9, "and the same weights after a step");
}

static void mean_of_parts(void)
{
    void *a = instance(m, 7);
    batch_make(2);
    double whole = evaluated(a, x, target, SAMPLES);
    double first = evaluated(a, x, target, 3), rest = evaluated(a, x + 3 * x_size, target + 3 * t_size, SAMPLES - 3);
    check(fabs(whole - (3 * first + (spoil ? 4 : 5) * rest) / SAMPLES) <= 1e-12 * whole,
          "the loss is the mean of its parts'");
}

/* Batch normalisation sees each part for itself: a model with states is left out. */
static void accumulation(void)
{
    for (int k = 0; k < m->tensors; k++)
        if (m->tensor[k].kind == DLN_STATE) return;
    void *a = instance(m, 7), *b = instance(m, 7);
    for (int k = 0; k < 3; k++) {
        batch_make(k);
        must(m, step(a, x, target, SAMPLES, NULL), "step");
        must(m, net_accumulate(b, x, target, 3, NULL), "accumulate");
        must(m, net_accumulate(b, x + 3 * x_size, target + 3 * t_size, spoil ? 4 : 5, NULL), "accumulate");
        must(m, net_apply(b), "apply");
    }
    check(difference(a, b, 1) <= 1e-9, "a batch in two parts gives the weights of the whole");
}

static void frozen(void)
{
    void *a = instance(m, 7), *b = instance(m, 7);
    int stay = 0, move = 0, still = 0, moved = 0;
    train(b, 3, SAMPLES < m->batch ? SAMPLES : m->batch);
    for (int k = 0; k < m->tensors; k++) {
        if (m->tensor[k].kind != DLN_PARAM) continue;
        double *v = values(m, a, k), *w = values(m, b, k);
        int same = !memcmp(v, w, tensor_size(m, k) * sizeof *v),
            frozen_here = spoil ? !m->tensor[k].frozen : m->tensor[k].frozen;
        if (frozen_here)
            stay++, still += same;
        else
            move++, moved += !same;
        free(v);
        free(w);
    }
    check(still == stay && moved == move && move > 0, "frozen weights stay bit for bit, all others move");
}

static int dump(const char *path, int n)
{
    FILE *f = fopen(path, "w");
    if (!f) return 2;
    void *a = instance(m, 7);
    train(a, 3, n);
    for (int k = 0; k < m->tensors; k++) {
        double *v = values(m, a, k);
        for (size_t i = 0; i < tensor_size(m, k); i++) fprintf(f, "%s %zu %a\n", m->tensor[k].name, i, v[i]);
        free(v);
    }
    double *out = predicted(a, x, n);
    for (size_t i = 0; i < output_size(m, 0) * (size_t)n; i++) fprintf(f, "output %zu %a\n", i, out[i]);
    free(out);
    return fclose(f);
}

int dln_main(int argc, char **argv, const dln_model *model)
{
    m = model;
    x_size = field_size(m, 0), t_size = field_size(m, 1);
    if (m->fields != 2 || m->batch != (argc == 4 ? m->batch : SAMPLES) || m->field[0].is_target || x_size > 2000 ||
        t_size > 2000 || m->tensors > MAX)
        return 2;
    if (argc == 4) return dump(argv[2], atoi(argv[3]));
    spoil = argc > 1;
    seeds();
    evaluation();
    no_rate();
    order();
    part_of_batch();
    doubled();
    mean_of_parts();
    accumulation();
    frozen();
    printf("%d checks, %d failed\n", checks, failed);
    return failed != 0;
}
