/* generate.c: random .dln files, see generate.h and generator.h. */
#include "generate.h"
#include "check.h"
#include "generator.h"
#include <string.h>

int below(Generator *g, int n) { return random_below(&g->random, n); }
int between(Generator *g, int low, int high) { return low + below(g, high - low + 1); }
bool chance(Generator *g, double p) { return random_uniform(&g->random, 0, 1) < p; }
const char *pick(Generator *g, const char *const *list, int count) { return list[below(g, count)]; }

int extent_of(Generator *g, int low, int high)
{
    static const int longer[] = { 7, 8, 9, 12, 15, 16, 17, 24, 31, 33 };
    return g->roomy && chance(g, 0.3) ? longer[below(g, 10)] : between(g, low, high);
}

/* ---- definitions of equations ---- */
static const char *shape_text(const Shape *s)
{
    Text t = { 0 };
    for (int a = 0; a < s->rank; a++) text_addf(&t, "%s%d", a ? ", " : "", s->extent[a]);
    return text_string(&t);
}

/* The tensors that equations begin with: parameters, or inputs, whose first axis is the batch; one is an input. */
static void leaves(Generator *g)
{
    double inputs = (double[]){ 0, 0.5, 1 }[below(g, 3)];
    for (int k = 0; k < 4; k++) {
        static const char *const names[] = { "x", "u", "v", "w" };
        int extent[2] = { extent_of(g, 1, 6), extent_of(g, 1, 4) };
        tensor_add(g, names[k], k == 1 ? 1 : 2, extent, k < 3 && chance(g, inputs));
    }
    bool any = g->tensor[0].batch || g->tensor[1].batch || g->tensor[2].batch;
    if (!any) {
        int extent = extent_of(g, 1, 4);
        tensor_add(g, "q", 1, &extent, true);
    }
    if (chance(g, 0.3)) {
        int extent = extent_of(g, 1, 5);
        tensor_add(g, "c", 1, &extent, true);
        g->tensor[g->tensors - 1].integer = true;
    }
    g->batches = any ? 0.7 : 0.1;
}

typedef struct Called {
    Text header, params, inputs, call;
} Called;

static void leaf_text(const Shape *s, Called *c)
{
    static const char *const axis[] = { "a", "b" };
    if (s->batch) {
        text_addf(&c->header, "%s%s%s[n, %sa%s]", c->header.length ? ", " : "", s->name, s->integer ? ": int" : "",
                  s->name, s->rank > 1 ? format(", %sb", s->name) : "");
        text_addf(&c->inputs, "  input %s: %s[%s]\n", s->name, s->integer ? "int" : "float", shape_text(s));
        text_addf(&c->call, "%s%s", c->call.length ? ", " : "", s->name);
        return;
    }
    text_addf(&c->params, "  param %s[", s->name);
    for (int a = 0; a < s->rank; a++)
        text_addf(&c->params, "%s%s%s in %d", a ? ", " : "", s->name, axis[a], s->extent[a]);
    text_add(&c->params, "] = uniform(-1, 1)\n");
}

/* What a model does with the value of f: lines, and how many numbers a class may be of (0: none). */
static const char *tail(Generator *g, const char *value, int *classes)
{
    int units = extent_of(g, 1, 4);
    *classes = 0;
    switch (below(g, 4)) {
    case 0: *classes = units; return format("  output y = %s -> flatten -> dense(%d)\n", value, units);
    case 1: /* one set of weights, used twice, and turned */
        return format("  layer s = dense(%d, tanh)\n  h = %s -> flatten -> dense(%d)\n  z = h -> s -> s\n"
                      "  output y = z + tied(h, s.w)\n",
                      units, value, units);
    case 2: return format("  output y = %s -> flatten -> dense(%d, relu, trainable = false) -> scaled\n", value, units);
    default: return format("  output y = %s -> scaled\n", value);
    }
}

static const char *equation_file(Generator *g)
{
    leaves(g);
    int leaf_count = g->tensors;
    bool trains = chance(g, 0.8);
    equations(g, between(g, 2, 4));
    if (trains) { /* its value has the batch */
        Indices x = { .batch = true };
        Idx i = fresh_index(g, extent_of(g, 1, 4));
        x = with(&x, i);
        const char *e = expression(g, &x, 2);
        text_addf(&g->body, "  Z[n, %s in %d] = 0.5 * tanh(0.5 * %s) + 0.3 * (%s[%s%s] else 0.1)\n", i.name, i.extent,
                  e, "x", g->tensor[0].batch ? "n, " : "", format("%s - 1, 0", i.name));
    }
    Called c = { 0 };
    for (int i = 0; i < leaf_count; i++) leaf_text(&g->tensor[i], &c);
    const char *f = format("def f(%s) {\n%s%s%s}\n", text_string(&c.header), text_string(&c.params),
                           text_string(&g->body), text_string(&g->updates));
    if (!trains) return format("%smodel random {\n%s  f(%s)\n}\n", f, text_string(&c.inputs), text_string(&c.call));
    Text pipe = { 0 };
    const char *packs = pack_definitions(g, &pipe);
    int classes;
    const char *value =
        format("f(%s%s)%s", text_string(&c.call), chance(g, 0.1) ? ", trainable = false" : "", text_string(&pipe));
    const char *lines = tail(g, value, &classes), *const outputs[] = { "y" };
    return format("%s%s%s%smodel random {\n%s%s}\n%s",
                  "def scaled(x[n, k..]) {\n  param s[k..] = uniform(0.5, 1.5)\n  y[n, k..] = x[n, k..] * s[k..]\n}\n",
                  "def tied(x[n, i], w[j, i]) {\n  y[n, j] = sum[i] x[n, i] * w[j, i]\n}\n", packs, f,
                  text_string(&c.inputs), lines, training(g, outputs, 1, classes));
}

/* ---- models of layers ---- */
static const char *layer_file(Generator *g)
{
    static const char *const outputs[] = { "p", "q" };
    int rank, classes, count = chance(g, 0.3) ? 2 : 1, units = extent_of(g, 1, 4);
    const char *lines = layer_stack(g, &rank, &classes);
    Text t = { 0 };
    text_addf(&t, "def around(x, inner: layer) = concat(x, x -> inner)\nmodel random {\n%s", lines);
    const char *flat = rank > 1 && chance(g, 0.5) ? "flatten -> " : "";
    if (count == 1) {
        text_addf(&t, "  output p = %sdense(%d%s)\n", flat, units,
                  PICK(g, "", "", ", penalty = l2(0.1)", ", tanh", ", bias = false"));
    } else {
        text_addf(&t, "  trunk = %sdense(%d, tanh)\n", flat, extent_of(g, 1, 4));
        text_addf(&t, "  output p = trunk -> dense(%d)\n  output q = trunk -> rescale(0.5, 0.1)%s\n", units,
                  PICK(g, "", " -> layernorm", " -> dense(2, trainable = false)"));
    }
    text_addf(&t, "}\n%s", training(g, outputs, count, count == 1 ? units : 0));
    return text_string(&t);
}

/* Products that are large enough for BLAS. Their seeds lie in batches that are compiled with it (batch.c). */
static bool is_large(uint64_t seed) { return seed % 1000 == 216 || seed % 1000 == 853; }

static const char *large_file(Generator *g)
{
    static const char *const outputs[] = { "p" };
    int inputs = between(g, 90, 120), units = between(g, 100, 140), last = between(g, 2, 9);
    const char *name = PICK(g, "tanh", "relu", "sigmoid");
    g->batch = between(g, 32, 40);
    return format("model random {\n  input x: float[%d]\n  dense(%d, %s)\n  output p = dense(%d)\n}\n%s", inputs, units,
                  name, last, training(g, outputs, 1, last));
}

const char *generate(uint64_t seed)
{
    Generator g = { .random = seed * 0x9E3779B9u + 1 };
    below(&g, 2);
    g.roomy = chance(&g, 0.08);
    if (is_large(seed)) return large_file(&g);
    return seed % 3 ? equation_file(&g) : layer_file(&g);
}
