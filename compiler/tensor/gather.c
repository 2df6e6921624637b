/* gather.c: turns "for every I: dx[f(I)] += c(I)" into "dx[J] = the sum of c(I) over the I with f(I) = J".
 *
 * solve() works axis by axis. Of the axes that are left it takes the easiest, expresses open indices by J and what is
 * still open, and puts their values into everything else at once: the other axes, the values and the tests so far. So
 * no order need be searched for. An axis where nothing can be solved becomes a test; indices still open at the end are
 * summed over. Every solved value is tested against its extent. Three ways to solve an axis  c1 i1 + c2 i2 + .. = m :
 *
 *   radix   each factor is larger than the span of the smaller ones (one index alone; a fused axis; windows side by
 *           side): i1 = floor(m / c1), m = m mod c1, ..; the last by exact division, tested.
 *   phase   a i + u = m, windows that overlap at stride a: u = a u' + m mod a, i = floor(m / a) - u', u' a new index.
 *   single  one index i = (m - the others) / c, the others stay summed; the longest. Phase is taken if less is left. */
#include "tensor/differentiate.h"
#include <stdlib.h>

typedef struct Axis { const Sum *sub, *place; } Axis;            /* sub = place */
typedef struct Factor { const Index *index; int factor; } Factor;
typedef LIST(Factor) Factors;

typedef struct Solver {
    LIST(Axis) axes;
    LIST(const Node *) tests;
    IndexList open;
    Substitution value;
} Solver;

static void add_test(Solver *s, const Node *test)
{
    if (!node_is_true(test))
        PUSH(s->tests, test);
}

static bool is_open(const Solver *s, const Index *index)
{
    for (int i = 0; i < s->open.count; i++)
        if (s->open.at[i] == index)
            return true;
    return false;
}

/* index = value, where value lies in 0 .. extent - 1. */
static void known(Solver *s, const Index *index, const Sum *value)
{
    Substitution one = {0};
    substitution_set(&one, index, value);
    add_test(s, node_in(value, index->extent));
    for (int i = 0; i < s->value.count; i++)
        s->value.value[i] = sum_substitute(s->value.value[i], &one);
    substitution_set(&s->value, index, value);
    for (int i = 0; i < s->axes.count; i++)
        s->axes.at[i].sub = sum_substitute(s->axes.at[i].sub, &one);
    int kept = 0;
    for (int i = 0; i < s->open.count; i++)
        if (s->open.at[i] != index)
            s->open.at[kept++] = s->open.at[i];
    s->open.count = kept;
}

/* A / k + c = J: A = (J - c) k, for it counts only where it is whole. */
static void clear_exact(Axis *a)
{
    while (a->sub->count == 1 && a->sub->term[0].factor == 1 && a->sub->term[0].atom &&
           a->sub->term[0].atom->op == OP_EXACT) {
        const Node *exact = a->sub->term[0].atom;
        a->place = sum_scale(sum_offset(a->place, -a->sub->constant), exact->extent);
        a->sub = exact->sum[0];
    }
}

/* The open indices of an axis that do not also hide in a floor or a gather of it. */
static Factors candidates(const Solver *s, const Sum *sub)
{
    Factors list = {0};
    for (int i = 0; i < sub->count; i++) {
        const Index *index = sub->term[i].index;
        if (!index || !is_open(s, index))
            continue;
        bool hidden = false;
        for (int k = 0; k < sub->count; k++)
            hidden = hidden || (sub->term[k].atom && node_uses(sub->term[k].atom, index));
        if (!hidden)
            PUSH(list, ((Factor){ index, sub->term[i].factor }));
    }
    return list;
}

/* Sorts by falling factor (extent 1 last). True if the places of the indices are unique. */
static bool sort_radix(Factors *f)
{
    for (int i = 1; i < f->count; i++)
        for (int k = i; k > 0; k--) {
            Factor *a = &f->at[k - 1], *b = &f->at[k];
            int order = abs(b->factor) - abs(a->factor);
            if (order < 0 || (order == 0 && b->index->extent <= a->index->extent))
                break;
            Factor swap = *a;
            *a = *b;
            *b = swap;
        }
    int64_t span = 1;
    for (int i = f->count - 1; i >= 0; i--) {
        int64_t factor = abs(f->at[i].factor);
        if (factor < span)
            return false;
        span += factor * (f->at[i].index->extent - 1);
    }
    return true;
}

/* How easy an axis is: fewer is easier; compared in order. */
typedef struct Cost { int way, factor, length; } Cost;

static Cost axis_cost(const Solver *s, const Sum *sub)
{
    Factors f = candidates(s, sub);
    if (f.count == 0)
        return (Cost){ 9, 0, 0 };
    Cost c = { f.count == 1 ? 0 : sort_radix(&f) ? 1 : 2, abs(f.at[0].factor), 0 };
    for (int i = 0; i < f.count; i++) {
        c.factor = abs(f.at[i].factor) < c.factor ? abs(f.at[i].factor) : c.factor;
        c.length = -f.at[i].index->extent < c.length ? -f.at[i].index->extent : c.length;
    }
    return c;
}

static bool cheaper(Cost a, Cost b)
{
    if (a.way != b.way)
        return a.way < b.way;
    return a.factor != b.factor ? a.factor < b.factor : a.length < b.length;
}

static Axis take_easiest(Solver *s)
{
    int best = 0;
    Cost least = axis_cost(s, s->axes.at[0].sub);
    for (int i = 1; i < s->axes.count; i++) {
        Cost c = axis_cost(s, s->axes.at[i].sub);
        if (cheaper(c, least)) {
            best = i;
            least = c;
        }
    }
    Axis axis = s->axes.at[best];
    for (int i = best + 1; i < s->axes.count; i++)
        s->axes.at[i - 1] = s->axes.at[i];
    s->axes.count--;
    return axis;
}

/* place - sub, without the terms of f: what these add up to. */
static const Sum *rest_for(const Axis *axis, const Factor *f, int count)
{
    const Sum *rest = sum_sub(axis->place, axis->sub);
    for (int i = 0; i < count; i++)
        rest = sum_add(rest, sum_scale(sum_index(f[i].index), f[i].factor));
    return rest;
}

/* rest = factor * value, exactly. */
static const Sum *exact_value(Solver *s, const Sum *rest, int factor)
{
    int k = abs(factor);
    add_test(s, node2(OP_EQ, node_sum(sum_mod(rest, k)), node_int(0)));
    return sum_floor(sum_scale(rest, factor < 0 ? -1 : 1), k);
}

/* A negative factor counts from the other end: index = extent - 1 - index'. */
static void solve_radix(Solver *s, const Axis *axis, const Factors *f)
{
    const Sum *rest = rest_for(axis, f->at, f->count);
    const Sum **value = NEW_ARRAY(const Sum *, f->count);
    for (int i = 0; i < f->count; i++)
        if (f->at[i].factor < 0)
            rest = sum_offset(rest, -f->at[i].factor * (f->at[i].index->extent - 1));
    for (int i = 0; i < f->count; i++) {
        int factor = abs(f->at[i].factor);
        value[i] = i < f->count - 1 ? sum_floor(rest, factor) : exact_value(s, rest, factor);
        rest = sum_mod(rest, factor);
        if (f->at[i].factor < 0)
            value[i] = sum_offset(sum_scale(value[i], -1), f->at[i].index->extent - 1);
    }
    for (int i = 0; i < f->count; i++)
        known(s, f->at[i].index, value[i]);
}

static void solve_phase(Solver *s, const Axis *axis, Factor window, Factor inside)
{
    int k = abs(window.factor), phases = (inside.index->extent + k - 1) / k;
    const Sum *m = sum_scale(rest_for(axis, (Factor[]){ window, inside }, 2), inside.factor);
    const Sum *phase = sum_constant(0);
    if (phases > 1) {
        const Index *fresh = index_new(inside.index->name, phases, false);
        phase = sum_index(fresh);
        PUSH(s->open, fresh);
    }
    int sign = inside.factor * (window.factor / k);
    known(s, inside.index, sum_add(sum_scale(phase, k), sum_mod(m, k)));
    known(s, window.index, sum_scale(sum_sub(sum_floor(m, k), phase), sign));
}

/* The longest index alone, or a pair by phase if no more places are left to sum over. */
static void solve_overlap(Solver *s, const Axis *axis, const Factors *f)
{
    Factor longest = f->at[0];
    double all = 1;
    for (int i = 0; i < f->count; i++) {
        Factor q = f->at[i];
        all *= q.index->extent;
        if (q.index->extent > longest.index->extent ||
            (q.index->extent == longest.index->extent && abs(q.factor) < abs(longest.factor)))
            longest = q;
    }
    double least = all / longest.index->extent;
    Factor window = {0}, inside = {0};
    for (int i = 0; i < f->count; i++)
        for (int u = 0; u < f->count; u++) {
            int k = abs(f->at[i].factor), length = f->at[u].index->extent;
            if (k == 1 || abs(f->at[u].factor) != 1)
                continue;
            double left = all / f->at[i].index->extent / length * ((length + k - 1) / k);
            if (left <= least) {
                least = left;
                window = f->at[i];
                inside = f->at[u];
            }
        }
    if (window.index)
        solve_phase(s, axis, window, inside);
    else
        known(s, longest.index, exact_value(s, rest_for(axis, &longest, 1), longest.factor));
}

static void solve_axis(Solver *s)
{
    Axis axis = take_easiest(s);
    Factors f = candidates(s, axis.sub);
    if (f.count == 0)
        add_test(s, node2(OP_EQ, node_sum(axis.sub), node_sum(axis.place)));
    else if (sort_radix(&f))
        solve_radix(s, &axis, &f);
    else
        solve_overlap(s, &axis, &f);
}

static void find_read(const Node *e, void *data)
{
    if (e->op == OP_READ)
        *(bool *)data = true;
}

Solution solve(const Sum *const *sub, const Index *const *place, int axes, const IndexList *indices)
{
    Solver s = {0};
    for (int i = 0; i < axes; i++)
        PUSH(s.axes, ((Axis){ sub[i], sum_index(place[i]) }));
    for (int i = 0; i < indices->count; i++)
        PUSH(s.open, indices->at[i]);
    for (int i = 0; i < indices->count; i++)
        if (indices->at[i]->extent == 1 && !indices->at[i]->batch)
            known(&s, indices->at[i], sum_constant(0));
    while (s.axes.count) {
        for (int i = 0; i < s.axes.count; i++)
            clear_exact(&s.axes.at[i]);
        solve_axis(&s);
    }
    Solution out = { .value = s.value, .left = s.open };
    for (int i = 0; i < s.tests.count; i++) {    /* what was solved after a test belongs into it */
        const Node *test = node_substitute(s.tests.at[i], &s.value), **to = &out.test;
        bool reads = false;
        node_visit(test, find_read, &reads);
        if (reads)
            to = &out.gather_test;
        *to = node_and(*to, test);
    }
    return out;
}
