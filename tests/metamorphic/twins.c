/* twins.c: the pairs of twins.dln, told by twins.txt: after b's parameters are given a's values (turned round where the
 * line says so) the outputs must agree, and after one step the gradients (the momentum's first values), those of the
 * inputs too. A second argument spoils one weight of each b: then every pair must differ.
 * SPDX-License-Identifier: MIT */
#include "check.h"

enum { MAX_TENSORS = 600, MAX_TURNED = 20 };
static struct {
    char name[64];
    int axis;
} turned[MAX_TURNED];
static int turns;

static int turned_axis(const char *name)
{
    for (int i = 0; i < turns; i++)
        if (!strcmp(turned[i].name, name)) return turned[i].axis;
    return -1;
}

/* v of tensor t along its axis the other way round. */
static void turn(const dln_tensor *t, double *v)
{
    int axis = turned_axis(t->name);
    if (axis < 0) return;
    size_t after = elements(t->rank - axis - 1, t->extent + axis + 1), along = (size_t)t->extent[axis];
    size_t count = elements(t->rank, t->extent);
    for (size_t o = 0; o < count; o += along * after)
        for (size_t i = 0; i < along / 2; i++)
            for (size_t k = 0; k < after; k++) {
                double *x = &v[o + i * after + k], *y = &v[o + (along - 1 - i) * after + k], kept = *x;
                *x = *y;
                *y = kept;
            }
}

static int twin_of(const dln_model *m, const char *name)
{
    for (int k = 0; k < m->tensors; k++)
        if (m->tensor[k].name[0] == 'b' && !strcmp(m->tensor[k].name + 1, name + 1)) return k;
    return -1;
}

/* Is name (a12x.value, b12) of pair number? */
static int of_pair(const char *name, int pair)
{
    int used = 0, found;
    return sscanf(name + 1, "%d%n", &found, &used) == 1 && found == pair;
}

static void parameters_fill(const dln_model *m, void *object, int spoil)
{
    for (int k = 0; k < m->tensors; k++) {
        if (m->tensor[k].kind != DLN_PARAM || (m->tensor[k].name[0] == 'b' && !strstr(m->tensor[k].name, "other")))
            continue;
        uint64_t s = stream(m->tensor[k].name);
        double *v = values(m, object, k);
        for (size_t i = 0; i < tensor_size(m, k); i++) v[i] = number(&s);
        must(m, m->put(object, k, v), "put");
        int twin = twin_of(m, m->tensor[k].name);
        if (twin >= 0 && twin != k) {
            turn(&m->tensor[twin], v);
            if (spoil) v[0] += 1e-3;
            must(m, m->put(object, twin, v), "put");
        }
        free(v);
    }
}

static double *outputs(const dln_model *m, int k)
{
    return calloc(output_size(m, k) * (size_t)m->batch + 1, sizeof(double));
}

static double *gradient(const dln_model *m, const void *object, int parameter)
{
    char name[100];
    snprintf(name, sizeof name, "v.%s", m->tensor[parameter].name);
    for (int k = 0; k < m->tensors; k++)
        if (!strcmp(m->tensor[k].name, name)) return values(m, object, k);
    fprintf(stderr, "no %s\n", name);
    exit(2);
}

static void pair_check(const dln_model *m, const void *object, double *const *out, int pair, const char *title,
                       double tolerance, double factor)
{
    double worst = 0;
    int compared = 0;
    for (int k = 0; k < m->outputs; k++)
        for (int q = 0; q < m->outputs; q++)
            if (m->output[k].name[0] == 'a' && m->output[q].name[0] == 'b' && of_pair(m->output[k].name, pair) &&
                of_pair(m->output[q].name, pair))
                worst = worse(worst, apart(out[k], out[q], 1, output_size(m, k) * (size_t)m->batch)), compared++;
    for (int k = 0; k < m->tensors; k++) {
        int twin = m->tensor[k].name[0] == 'a' ? twin_of(m, m->tensor[k].name) : -1;
        if (m->tensor[k].kind != DLN_PARAM || !of_pair(m->tensor[k].name, pair) || twin < 0) continue;
        double *a = gradient(m, object, k), *b = gradient(m, object, twin);
        turn(&m->tensor[twin], b);
        worst = worse(worst, apart(a, b, 1 / factor, tensor_size(m, k)));
        compared++;
        free(a);
        free(b);
    }
    char text[200];
    snprintf(text, sizeof text, "%s: %.3g apart, %.3g allowed, %d arrays", title, worst, tolerance, compared);
    check(worst <= tolerance && compared >= 2, text);
}

typedef struct Pair { int number; char title[64]; double tolerance, factor; } Pair;

static int pairs_read(FILE *f, Pair *pair, int room)
{
    char line[256];
    int pairs = 0, used;
    while (pairs < room && fgets(line, sizeof line, f)) {
        Pair *p = &pair[pairs];
        if (line[0] == '#') continue;
        if (sscanf(line, "%d %63s %lf %lf%n", &p->number, p->title, &p->tolerance, &p->factor, &used) != 4) continue;
        pairs++;
        char *at = line + used;
        for (; sscanf(at, "%63s %d%n", turned[turns].name, &turned[turns].axis, &used) == 2; at += used) turns++;
    }
    return pairs;
}

static void *field_made(const dln_model *m, int k)
{
    void *data = calloc(field_size(m, k) * (size_t)m->batch + 1, 8);
    uint64_t s = stream(m->field[k].name);
    for (size_t i = 0; i < field_size(m, k) * (size_t)m->batch; i++)
        if (m->field[k].type == DLN_INT) ((int32_t *)data)[i] = (int32_t)i;
        else ((double *)data)[i] = number(&s);
    return data;
}

int dln_main(int argc, char **argv, const dln_model *m)
{
    FILE *f = argc > 1 ? fopen(argv[1], "r") : NULL;
    if (!f || m->tensors > MAX_TENSORS || m->outputs > MAX_TENSORS || m->fields > MAX_TENSORS) return 2;
    Pair pair[40];
    int pairs = pairs_read(f, pair, 40);
    fclose(f);
    void *object = instance(m, 1), *field[MAX_TENSORS];
    double *out[MAX_TENSORS];
    parameters_fill(m, object, argc > 2);
    for (int k = 0; k < m->fields; k++) field[k] = field_made(m, k);
    for (int k = 0; k < m->outputs; k++) out[k] = outputs(m, k);
    must(m, m->predict(object, (const void *const *)field, m->batch, (void *const *)out), "predict");
    must(m, m->step(object, (const void *const *)field, m->batch, NULL), "step");
    for (int i = 0; i < pairs; i++)
        pair_check(m, object, out, pair[i].number, pair[i].title, pair[i].tolerance, pair[i].factor);
    printf("%d checks, %d failed\n", checks, failed);
    return failed != 0;
}
