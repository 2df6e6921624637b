/* generate.c: see generate.h. A program is a list of tensors (the arguments, then what each equation makes) and text
 * that grows; expressions are made from the indices that stand round them. Sizes are small, values stay moderate. */
#include "generate.h"
#include "check.h"
#include <string.h>

enum { MAX_INDICES = 12, MAX_TENSORS = 16, MAX_AXES = 4 };
typedef struct Idx {
    const char *name;
    int extent;
} Idx;
typedef struct Indices {
    Idx at[MAX_INDICES];
    int count;
    bool batch;
} Indices; /* batch: n is one of them */
typedef struct Shape {
    const char *name;
    int rank, extent[MAX_AXES];
    bool batch;
} Shape; /* without the batch axis */

typedef struct Generator {
    uint64_t random;
    Shape tensor[MAX_TENSORS];
    int tensors, fresh;
    double batches; /* how often an equation has the batch axis */
    Text body;
} Generator;

static int below(Generator *g, int n) { return random_below(&g->random, n); }
static int between(Generator *g, int low, int high) { return low + below(g, high - low + 1); }
static bool chance(Generator *g, double p) { return random_uniform(&g->random, 0, 1) < p; }
static const char *pick(Generator *g, const char *const *list, int count) { return list[below(g, count)]; }
#define PICK(g, ...)                                                                                                   \
    pick(g, (const char *const[]){ __VA_ARGS__ }, (int)(sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *)))

static Idx fresh_index(Generator *g, int extent) { return (Idx){ format("i%d", g->fresh++), extent }; }
static Indices with(const Indices *x, Idx index)
{
    Indices more = *x;
    if (more.count < MAX_INDICES) more.at[more.count++] = index;
    return more;
}

/* ---- subscripts ---- */
static const char *affine(Generator *g, const Indices *x)
{
    static const int factors[] = { 1, 1, 1, 2, 3, -1, -2 }, how_many[] = { 1, 1, 1, 2, 2, 3 };
    int used[3] = { -1, -1, -1 }, wanted = how_many[below(g, 6)];
    Text t = { 0 };
    for (int k = 0; k < wanted && k < x->count; k++) {
        used[k] = below(g, x->count);
        if ((k > 0 && used[k] == used[0]) || (k > 1 && used[k] == used[1])) continue;
        int factor = factors[below(g, 7)];
        text_add(&t, t.length ? factor < 0 ? " - " : " + " : factor < 0 ? "-" : "");
        if (factor != 1 && factor != -1) text_addf(&t, "%d * ", factor < 0 ? -factor : factor);
        text_add(&t, x->at[used[k]].name);
    }
    return text_string(&t);
}

static const char *subscript(Generator *g, const Indices *x, int extent)
{
    if (x->count == 0 || chance(g, 0.1)) return format("%d", below(g, extent));
    const char *s = affine(g, x), *offset = PICK(g, "", "", "+", "-");
    for (int i = 0; i < x->count; i++) /* a lone index may not be longer than the axis */
        if (strcmp(s, x->at[i].name) == 0 && x->at[i].extent > extent && !*offset) offset = "-";
    if (*offset) s = format("%s %s %d", s, offset, between(g, 1, 3));
    return chance(g, 0.15) ? format("(%s) / %s", s, PICK(g, "2", "2", "3")) : s;
}

static const char *fused(Generator *g, const Indices *x, int extent)
{
    for (int tries = 0; tries < 8 && x->count > 1; tries++) {
        Idx a = x->at[below(g, x->count)], b = x->at[below(g, x->count)];
        if (a.name != b.name && a.extent * b.extent == extent) return format("(%s, %s)", a.name, b.name);
    }
    return NULL;
}

static const char *expression(Generator *g, const Indices *x, int depth);

/* A place that depends on values: held within its axis. */
static const char *gather(Generator *g, const Indices *x, int extent)
{
    const char *from = x->count ? x->at[below(g, x->count)].name : NULL;
    const char *value = from ? format("float(%s)", from) : "1.7";
    return format("int(abs(1.3 * %s + %d.4)) %% %d", value, between(g, 0, 3), extent);
}

static const char *read(Generator *g, const Indices *x, bool nested)
{
    int k = below(g, g->tensors);
    while (g->tensor[k].batch && !x->batch) k = below(g, g->tensors);
    const Shape *shape = &g->tensor[k];
    Text t = { 0 };
    text_addf(&t, "(%s[%s", shape->name, shape->batch ? "n" : "");
    for (int a = 0; a < shape->rank; a++) {
        const char *pair = chance(g, 0.7) ? fused(g, x, shape->extent[a]) : NULL;
        const char *sub = pair              ? pair
                          : chance(g, 0.05) ? gather(g, x, shape->extent[a])
                                            : subscript(g, x, shape->extent[a]);
        text_addf(&t, "%s%s", a || shape->batch ? ", " : "", sub);
    }
    const char *otherwise = nested || chance(g, 0.7) ? PICK(g, "0", "0", "-1", "0.5") : read(g, x, true);
    text_addf(&t, "] else %s)", otherwise);
    return text_string(&t);
}

/* ---- expressions ---- */
static const char *condition(Generator *g, const Indices *x)
{
    if (x->count && chance(g, 0.5)) {
        const char *other = chance(g, 0.5) ? x->at[below(g, x->count)].name : format("%d", below(g, 3));
        return format("%s %s %s", x->at[below(g, x->count)].name, PICK(g, "==", "<", ">=", "!="), other);
    }
    if (chance(g, 0.15)) return "rand() < 0.6";
    return format("%s %s %s", read(g, x, false), PICK(g, "<", ">"), read(g, x, false));
}

static const char *reduction(Generator *g, const Indices *x, int depth)
{
    const char *op = PICK(g, "sum", "sum", "sum", "mean", "max", "min");
    if (!x->batch && chance(g, 0.6 * g->batches)) {
        Indices inner = *x;
        inner.batch = true;
        return format("(%s[n] %s)", op, expression(g, &inner, depth));
    }
    Idx k = fresh_index(g, between(g, 1, 4)), m = fresh_index(g, between(g, 1, 3));
    Indices inner = with(x, k);
    const char *more = "";
    if (chance(g, 0.33)) {
        inner = with(&inner, m);
        more = format(", %s in %d", m.name, m.extent);
    }
    if (chance(g, 0.06))
        return format("float(argmax[%s in %d%s] %s)", k.name, k.extent, more, expression(g, &inner, depth));
    return format("(%s[%s in %d%s] %s)", op, k.name, k.extent, more, expression(g, &inner, depth));
}

static const char *expression(Generator *g, const Indices *x, int depth)
{
    double k = random_uniform(&g->random, 0, 1);
    if (depth == 0 || k < 0.2) {
        if (chance(g, 0.9)) return read(g, x, false);
        return x->count ? format("float(%s)", x->at[below(g, x->count)].name) : "0.3";
    }
    const char *a = expression(g, x, depth - 1);
    if (k < 0.48) return format("(%s %s %s)", a, PICK(g, "+", "-", "*", "*"), expression(g, x, depth - 1));
    if (k < 0.56) return format("%s(0.4 * %s)", PICK(g, "tanh", "sin", "exp", "abs"), a);
    if (k < 0.60) return format("%s(%s)", PICK(g, "relu", "sigmoid", "relu6", "silu", "elu"), a);
    if (k < 0.65) return format("(%s / (2 + %s^2))", a, read(g, x, false));
    if (k < 0.68) return format("sqrt(1 + %s^2)", a);
    if (k < 0.76) return format("(%s ? %s : %s)", condition(g, x), a, expression(g, x, depth - 1));
    if (k < 0.83) return format("%s(%s, %s)", PICK(g, "max", "min"), a, expression(g, x, depth - 1));
    return reduction(g, x, depth - 1);
}

/* ---- equations ---- */
static void made(Generator *g, const char *name, int rank, const int *extent, bool batch)
{
    Shape *s = &g->tensor[g->tensors++];
    *s = (Shape){ .name = name, .rank = rank, .batch = batch };
    memcpy(s->extent, extent, sizeof *extent * (size_t)rank);
}

static const char *axes(const char *first, const char *const *axis, int count, bool batch)
{
    Text t = { 0 };
    text_add(&t, batch ? "n" : "");
    for (int a = 0; a < count; a++) text_addf(&t, "%s%s", t.length ? ", " : "", a == 0 && first ? first : axis[a]);
    return text_string(&t);
}

/* A recurrence over t, forwards or backwards, with a matrix of the arguments. */
static void scan(Generator *g, const char *name, bool batch)
{
    int extent[2] = { between(g, 2, 5), between(g, 1, 4) };
    Idx t = fresh_index(g, extent[0]), j = fresh_index(g, extent[1]), m = fresh_index(g, extent[1]);
    Indices x = { .at = { t, j }, .count = 2, .batch = batch };
    const char *n = batch ? "n, " : "", *sign = PICK(g, "+", "-");
    const char *start = PICK(g, "0", "0.5", format("float(%s)", m.name));
    text_addf(&g->body, "  scan %s in %d {\n", t.name, t.extent);
    text_addf(&g->body, "    g%s[%s%s, %s in %d] = sum[%s in %d] (%s[%s%s %s 1, %s] else %s) * (w[%s, %s] else 0.2)\n",
              name, n, t.name, j.name, j.extent, m.name, m.extent, name, n, t.name, sign, m.name, start, m.name,
              j.extent > 2 ? format("%s - 1", j.name) : j.name);
    text_addf(&g->body, "    %s[%s%s, %s] = tanh(%s + 0.5 * g%s[%s%s, %s]) %s %s\n  }\n", name, n, t.name, j.name,
              expression(g, &x, 1), name, n, t.name, j.name, PICK(g, "+", "-", "*"), read(g, &x, false));
    made(g, name, 2, extent, batch);
}

/* name[i in 0..a, ..] = e; name[i in a..a + 2, ..] = e; name[a + 2, ..] = e */
static void pieces(Generator *g, const char *name, const Indices *x, const char *const *axis, int *extent, int rank)
{
    Indices two = *x, none = *x;
    int cut = x->at[0].extent;
    const char *i = x->at[0].name;
    two.at[0].extent = 2;
    none.count--;
    memmove(none.at, none.at + 1, sizeof *none.at * (size_t)none.count);
    text_addf(&g->body, "  %s[%s] = %s\n", name, axes(format("%s in 0..%d", i, cut), axis, rank, x->batch),
              expression(g, x, 2));
    text_addf(&g->body, "  %s[%s] = %s\n", name, axes(format("%s in %d..%d", i, cut, cut + 2), axis, rank, x->batch),
              expression(g, &two, 1));
    text_addf(&g->body, "  %s[%s] = %s\n", name, axes(format("%d", cut + 2), axis, rank, x->batch),
              expression(g, &none, 1));
    extent[0] = cut + 3;
    made(g, name, rank, extent, x->batch);
}

static void equation(Generator *g, const char *name)
{
    bool batch = chance(g, g->batches);
    if (chance(g, 0.12)) {
        scan(g, name, batch);
        return;
    }
    Indices x = { .batch = batch };
    const char *axis[MAX_AXES];
    int extent[MAX_AXES], rank = 0, left = (int[]){ 0, 1, 2, 2, 3 }[below(g, 5)];
    bool in_pieces = left > 0 && chance(g, 0.15);
    for (; left > 0; left--) {
        Idx a = fresh_index(g, between(g, 1, 4));
        x = with(&x, a);
        axis[rank] = format("%s in %d", a.name, a.extent);
        extent[rank] = a.extent;
        if (left > 1 && chance(g, 0.3) && !(in_pieces && rank == 0)) {
            Idx b = fresh_index(g, between(g, 1, 4));
            x = with(&x, b);
            axis[rank] = format("(%s in %d, %s in %d)", a.name, a.extent, b.name, b.extent);
            extent[rank] *= b.extent;
            left--;
        }
        rank++;
    }
    if (in_pieces) {
        pieces(g, name, &x, axis, extent, rank);
        return;
    }
    if (rank == 0 && !batch) { /* an equation has an axis */
        axis[rank] = format("i%d in 1", g->fresh++);
        extent[rank++] = 1;
    }
    text_addf(&g->body, "  %s[%s] = %s\n", name, axes(NULL, axis, rank, batch), expression(g, &x, 3));
    made(g, name, rank, extent, batch);
}

/* ---- the file ---- */
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
    made(g, "x", 2, (int[]){ between(g, 2, 5), between(g, 1, 4) }, chance(g, inputs));
    made(g, "u", 1, (int[]){ between(g, 2, 6) }, chance(g, inputs));
    made(g, "v", 2, (int[]){ between(g, 2, 6), between(g, 2, 4) }, chance(g, inputs));
    made(g, "w", 2, (int[]){ between(g, 4, 6), between(g, 2, 4) }, false);
    bool any = g->tensor[0].batch || g->tensor[1].batch || g->tensor[2].batch;
    if (!any) made(g, "q", 1, (int[]){ between(g, 1, 4) }, true);
    g->batches = any ? 0.7 : 0.1;
}

const char *generate(uint64_t seed)
{
    Generator g = { .random = seed * 0x9E3779B9u + 1 };
    random_below(&g.random, 2);
    leaves(&g);
    static const char *const names[] = { "A", "B", "C", "D" }, *const axis[] = { "a", "b" };
    int leaf_count = g.tensors, count = between(&g, 2, 4);
    for (int i = 0; i < count; i++) equation(&g, names[i]);

    Text header = { 0 }, params = { 0 }, inputs = { 0 }, call = { 0 };
    for (int i = 0; i < leaf_count; i++) {
        const Shape *s = &g.tensor[i];
        if (s->batch) {
            text_addf(&header, "%s%s[n, %sa%s]", header.length ? ", " : "", s->name, s->name,
                      s->rank > 1 ? format(", %sb", s->name) : "");
            text_addf(&inputs, "  input %s: float[%s]\n", s->name, shape_text(s));
            text_addf(&call, "%s%s", call.length ? ", " : "", s->name);
            continue;
        }
        text_addf(&params, "  param %s[", s->name);
        for (int a = 0; a < s->rank; a++)
            text_addf(&params, "%s%s%s in %d", a ? ", " : "", s->name, axis[a], s->extent[a]);
        text_add(&params, "] = uniform\n");
    }
    return format("def f(%s) {\n%s%s}\nmodel random {\n%s  f(%s)\n}\n", text_string(&header), text_string(&params),
                  text_string(&g.body), text_string(&inputs), text_string(&call));
}
