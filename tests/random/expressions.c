/* expressions.c: subscripts, reads and expressions, see generator.h. Sizes are small, values stay moderate. */
#include "generator.h"
#include "check.h"
#include <string.h>

Idx fresh_index(Generator *g, int extent) { return (Idx){ format("i%d", g->fresh++), extent }; }
Indices with(const Indices *x, Idx index)
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

/* A place that depends on values: of ints that came in, or computed; held within its axis. */
static const char *gather(Generator *g, const Indices *x, int extent)
{
    for (int k = 0; k < g->tensors; k++) {
        const Shape *s = &g->tensor[k];
        if (!s->integer || (s->batch && !x->batch) || x->count == 0 || chance(g, 0.5)) continue;
        const Idx *i = &x->at[below(g, x->count)];
        if (i->extent <= s->extent[0]) return format("(%s[%s%s] else 1)", s->name, s->batch ? "n, " : "", i->name);
    }
    const char *from = x->count ? x->at[below(g, x->count)].name : NULL;
    const char *value = from ? format("float(%s)", from) : "1.7";
    return format("int(abs(1.3 * %s + %d.37)) %% %d", value, between(g, 0, 3), extent);
}

static int readable(Generator *g, const Indices *x)
{
    for (;;) {
        int k = below(g, g->tensors);
        if (!g->tensor[k].integer && (!g->tensor[k].batch || x->batch)) return k;
    }
}

const char *read_tensor(Generator *g, const Indices *x, bool nested)
{
    const Shape *shape = &g->tensor[readable(g, x)];
    Text t = { 0 };
    text_addf(&t, "(%s[%s", shape->name, shape->batch ? "n" : "");
    for (int a = 0; a < shape->rank; a++) {
        const char *sub = chance(g, 0.7) ? fused(g, x, shape->extent[a]) : NULL;
        if (!sub) sub = chance(g, 0.06) ? gather(g, x, shape->extent[a]) : subscript(g, x, shape->extent[a]);
        text_addf(&t, "%s%s", a || shape->batch ? ", " : "", sub);
    }
    const char *otherwise = PICK(g, "0", "0", "-1", "0.5");
    if (!nested && chance(g, 0.3)) otherwise = read_tensor(g, x, true);
    text_addf(&t, "] else %s)", otherwise);
    return text_string(&t);
}

/* ---- expressions ---- */
static const char *condition(Generator *g, const Indices *x, int depth)
{
    double k = random_uniform(&g->random, 0, 1);
    if (k < 0.08 && depth > 0) { /* of a whole axis */
        Idx i = fresh_index(g, extent_of(g, 1, 4));
        Indices inner = with(x, i);
        const char *op = PICK(g, "any", "all");
        return format("(%s[%s in %d] (%s))", op, i.name, i.extent, condition(g, &inner, 0));
    }
    if (x->count && k < 0.5) {
        const char *op = PICK(g, "==", "<", ">=", "!="), *one = x->at[below(g, x->count)].name;
        const char *other = chance(g, 0.5) ? x->at[below(g, x->count)].name : format("%d", below(g, 3));
        return format("%s %s %s", one, op, other);
    }
    if (chance(g, 0.12)) return "rand() < 0.6";
    const char *op = PICK(g, "<", ">"), *a = read_tensor(g, x, false), *b = read_tensor(g, x, false);
    const char *simple = format("%s %s %s", a, op, b);
    if (depth == 0 || chance(g, 0.8)) return simple;
    op = PICK(g, "and", "or", "and not");
    return format("(%s %s (%s))", simple, op, condition(g, x, 0));
}

const char *reduction(Generator *g, const Indices *x, int depth)
{
    const char *op = PICK(g, "sum", "sum", "sum", "mean", "max", "min");
    if (!x->batch && chance(g, 0.6 * g->batches)) {
        Indices inner = *x;
        inner.batch = true;
        return format("(%s[n] %s)", op, expression(g, &inner, depth));
    }
    Idx k = fresh_index(g, extent_of(g, 1, 4)), m = fresh_index(g, between(g, 1, 3));
    Indices inner = with(x, k);
    const char *more = "";
    if (chance(g, 0.33)) {
        inner = with(&inner, m);
        more = format(", %s in %d", m.name, m.extent);
    }
    if (chance(g, 0.06)) {
        op = PICK(g, "argmax", "argmin");
        return format("float(%s[%s in %d%s] %s)", op, k.name, k.extent, more, expression(g, &inner, depth));
    }
    return format("(%s[%s in %d%s] %s)", op, k.name, k.extent, more, expression(g, &inner, depth));
}

const char *expression(Generator *g, const Indices *x, int depth)
{
    double k = random_uniform(&g->random, 0, 1);
    if (depth == 0 || k < 0.2) {
        if (chance(g, 0.9)) return read_tensor(g, x, false);
        return x->count ? format("float(%s)", x->at[below(g, x->count)].name) : "0.3";
    }
    const char *a = expression(g, x, depth - 1);
    if (k < 0.56) {
        const char *op = PICK(g, "+", "-", "*", "*");
        if (k < 0.48) return format("(%s %s %s)", a, op, expression(g, x, depth - 1));
        return format("%s(0.4 * %s)", PICK(g, "tanh", "sin", "cos", "exp", "abs", "erf", "expm1"), a);
    }
    if (k < 0.60) return format("%s(%s)", PICK(g, "relu", "sigmoid", "relu6", "silu", "elu", "softplus", "gelu"), a);
    if (k < 0.65) return format("(%s / (2 + %s^2))", a, read_tensor(g, x, false));
    if (k < 0.68) return format(PICK(g, "sqrt(1 + %s^2)", "log(1.5 + %s^2)", "log1p(abs(%s))", "(1 + %s^2)^0.7"), a);
    if (k < 0.76) {
        const char *test = condition(g, x, 1);
        return format("(%s ? %s : %s)", test, a, expression(g, x, depth - 1));
    }
    if (k < 0.83) {
        const char *op = PICK(g, "max", "min");
        return format("%s(%s, %s)", op, a, expression(g, x, depth - 1));
    }
    return reduction(g, x, depth - 1);
}

const char *elementwise(Generator *g, const char *const *names, int count, int depth)
{
    double k = random_uniform(&g->random, 0, 1);
    const char *name = names[below(g, count)];
    if (depth == 0 || k < 0.15) return chance(g, 0.9) ? name : PICK(g, "0.5", "0.3", "1");
    const char *a = elementwise(g, names, count, depth - 1);
    if (k < 0.55) {
        const char *op = PICK(g, "+", "-", "*");
        return format("(%s %s %s)", a, op, elementwise(g, names, count, depth - 1));
    }
    if (k < 0.75) return format("%s(0.5 * %s)", PICK(g, "tanh", "sin", "abs", "exp", "relu", "sigmoid", "erf"), a);
    if (k < 0.85) return format("(%s / (1.5 + %s^2))", a, name);
    const char *op = PICK(g, "max", "min"), *edge = PICK(g, "0", "0.3");
    if (k < 0.92) return format("%s(%s, %s)", op, a, name);
    return format("(%s > %s ? %s : %s)", name, edge, a, names[below(g, count)]);
}
