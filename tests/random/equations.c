/* equations.c: definitions of equations, see generator.h: maps, fused axes, pieces, scans, refinements, repeats,
 * states. */
#include "generator.h"
#include <string.h>

/* ---- equations ---- */
void tensor_add(Generator *g, const char *name, int rank, const int *extent, bool batch)
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
    int extent[2] = { extent_of(g, 1, 5), extent_of(g, 1, 4) };
    Idx t = fresh_index(g, extent[0]), j = fresh_index(g, extent[1]), m = fresh_index(g, extent[1]);
    Indices x = { .at = { t, j }, .count = 2, .batch = batch };
    const char *n = batch ? "n, " : "", *sign = PICK(g, "+", "-"), *op = PICK(g, "+", "-", "*");
    const char *start = PICK(g, "0", "0.5", format("float(%s)", m.name)), *inner = expression(g, &x, 1);
    const char *other = read_tensor(g, &x, false);
    text_addf(&g->body, "  scan %s in %d {\n", t.name, t.extent);
    text_addf(&g->body,
              "    g%s[%s%s, %s in %d] = sum[%s in %d] (%s[%s%s %s 1, %s] else %s) * (w[%s - 1, %s] else 0.2)\n", name,
              n, t.name, j.name, j.extent, m.name, m.extent, name, n, t.name, sign, m.name, start, m.name,
              j.extent > g->tensor[3].extent[1] ? format("%s - 1", j.name) : j.name);
    text_addf(&g->body, "    %s[%s%s, %s] = tanh(%s + 0.5 * g%s[%s%s, %s]) %s %s\n  }\n", name, n, t.name, j.name,
              inner, name, n, t.name, j.name, op, other);
    tensor_add(g, name, 2, extent, batch);
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
    tensor_add(g, name, rank, extent, x->batch);
}

/* A tensor that is read and made anew, once or in a repeat. */
static void refinement(Generator *g)
{
    const Shape *s = NULL;
    for (int tries = 0; tries < 8 && (!s || s->rank == 0); tries++) s = &g->tensor[below(g, g->tensors)];
    if (s->rank == 0 || s->integer || !strcmp(s->name, "w")) return;
    Indices x = { .batch = s->batch };
    Text axis = { 0 }, left = { 0 };
    text_add(&axis, s->batch ? "n" : "");
    text_add(&left, s->batch ? "n" : "");
    for (int a = 0; a < s->rank; a++) {
        x = with(&x, fresh_index(g, s->extent[a]));
        text_addf(&axis, "%s%s", axis.length ? ", " : "", x.at[a].name);
        text_addf(&left, "%s%s in %d", left.length ? ", " : "", x.at[a].name, s->extent[a]);
    }
    int times = chance(g, 0.5) ? between(g, 1, 3) : 0;
    const char *e = expression(g, &x, times ? 1 : 2);
    if (times) text_addf(&g->body, "  repeat %d {\n  ", times);
    text_addf(&g->body, "  %s[%s] = 0.5 * %s[%s] + tanh(0.3 * %s)\n", s->name, text_string(&left), s->name,
              text_string(&axis), e);
    if (times) text_add(&g->body, "  }\n");
}

/* A state that is read, and follows a tensor in training. Its update stands last: what reads the state after it would
 * have no derivative by what the update reads, and a difference. */
static void state(Generator *g, const char *name)
{
    int extent = extent_of(g, 1, 4);
    Idx a = fresh_index(g, extent);
    Indices x = with(&(Indices){ 0 }, a);
    const char *from = expression(g, &x, 1), *start = PICK(g, "zeros", "ones", "uniform(-1, 1)");
    text_addf(&g->body, "  state %s[%s in %d] = %s\n", name, a.name, extent, start);
    text_addf(&g->updates, "  update %s[%s] = 0.75 * %s[%s] + 0.25 * %s\n", name, a.name, name, a.name, from);
    tensor_add(g, name, 1, &extent, false);
}

static void equation(Generator *g, const char *name)
{
    bool batch = chance(g, g->batches);
    if (chance(g, 0.1)) {
        scan(g, name, batch);
        return;
    }
    if (chance(g, 0.06)) {
        state(g, format("s%s", name));
    }
    Indices x = { .batch = batch };
    const char *axis[MAX_AXES];
    int extent[MAX_AXES], rank = 0, left = (int[]){ 0, 1, 2, 2, 3 }[below(g, 5)];
    bool in_pieces = left > 0 && chance(g, 0.15);
    for (; left > 0; left--) {
        Idx a = fresh_index(g, extent_of(g, 1, 4));
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
    tensor_add(g, name, rank, extent, batch);
}

void equations(Generator *g, int count)
{
    static const char *const names[] = { "A", "B", "C", "D", "E", "F" };
    for (int i = 0; i < count; i++) {
        equation(g, names[i]);
        if (chance(g, 0.12)) refinement(g);
    }
}
