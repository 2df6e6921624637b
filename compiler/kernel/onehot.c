/* onehot.c: finds tensors that are 0 but at one place of each window, like the gradient of a maximum:
 *
 *     d[n, (p, a), (q, b), o] = test and (a, b) == w[n, p, q, o] ? g : 0           w an argmax
 *
 * The test for the winner must stand where the value is 0 without it; its left side is a number for each place of the
 * window, its digits (a, b). Where windows leave a rest or lie under a border, places are spelled out first: i becomes
 * k p + a for i % k. What stands at the winners is d.won[n, p, q, o]: the value with digits of the winner for (a, b). */
#include "kernel/onehot.h"

/* ---- equations ---- */
static const Equation *maker_of(const Equations *all, const Tensor *t)
{
    const Equation *maker = NULL;
    for (int i = 0; i < all->list.count; i++) {
        if (all->list.at[i]->out != t) continue;
        if (maker) return NULL;
        maker = all->list.at[i];
    }
    return maker;
}

static bool is_winner(const Equations *all, const Node *e)
{
    if (e->op != OP_READ || e->type != TYPE_INT) return false;
    const Equation *maker = maker_of(all, e->tensor);
    return maker && (maker->reduction == RED_ARGMAX || maker->reduction == RED_ARGMIN) && !maker->test && !maker->loop;
}

static bool holds(const Indices *list, const Index *i)
{
    for (int k = 0; k < list->count; k++)
        if (list->at[k] == i) return true;
    return false;
}

/* ---- the tests of a value: where one fails the value is 0 ---- */
typedef bool TestVisit(const Node *test, void *data);            /* true: enough */

static bool each_test(const Node *e, TestVisit *f, void *data)
{
    if (e->op == OP_SELECT && node_is_number(e->arg[2], 0)) {
        const Node *part[32];
        int n = node_conjuncts(e->arg[0], part, 32);
        for (int i = 0; i < n && i < 32; i++)
            if (f(part[i], data)) return true;
        return each_test(e->arg[1], f, data);
    }
    if (e->op == OP_MUL) return each_test(e->arg[0], f, data) || each_test(e->arg[1], f, data);
    return (e->op == OP_DIV || e->op == OP_NEG) && each_test(e->arg[0], f, data);
}

typedef struct EqualSearch { const Equations *all; const Node *found; } EqualSearch;

static bool find_equal(const Node *test, void *data)
{
    EqualSearch *c = data;
    if (test->op != OP_EQ || test->arg[0]->type != TYPE_INT || test->arg[1]->type != TYPE_INT) return false;
    if (is_winner(c->all, test->arg[0]) == is_winner(c->all, test->arg[1])) return false;
    c->found = test;
    return true;
}

typedef struct BoundSearch { const Index *index; int extent; } BoundSearch;

static bool find_bound(const Node *test, void *data)
{
    BoundSearch *c = data;
    const Index *i = test->op == OP_IN ? sum_plain(test->sum[0]) : NULL;
    if (!i || i->batch || test->extent >= i->extent) return false;
    *c = (BoundSearch){ i, test->extent };
    return true;
}

/* ---- the normal form: window and place spelled out ---- */
static void one_hot_substitute(OneHot *h, const Index *old, const Sum *by, int count, const Index *const *fresh)
{
    Substitution s = {0};
    Indices kept = {0};
    substitution_set(&s, old, by);
    h->value = node_substitute(h->value, &s);
    for (int a = 0; a < h->maker->out->rank; a++) h->left[a] = sum_substitute(h->left[a], &s);
    for (int i = 0; i < h->index.count; i++)
        if (h->index.at[i] != old) PUSH(kept, h->index.at[i]);
    for (int i = 0; i < count; i++) PUSH(kept, fresh[i]);
    h->index = kept;
}

/* i + c = k i' + digit, where (i + c) mod k decides. */
static bool split_modulo(OneHot *h, const Node *atom)
{
    const Sum *of = atom->sum[0];
    if (atom->op != OP_MOD || of->count != 1 || of->constant < 0) return false;
    const Index *i = of->term[0].factor == 1 ? of->term[0].index : NULL;
    if (!i || i->batch || !holds(&h->index, i)) return false;
    int k = atom->extent, windows = (i->extent - 1 + of->constant) / k + 1;
    const Index *fresh[2] = { index_new(i->name, windows, false), index_new(format("%sr", i->name), k, false) };
    const Sum *by = sum_add(sum_scale(sum_index(fresh[0]), k), sum_index(fresh[1]));
    one_hot_substitute(h, i, sum_offset(by, -of->constant), 2, fresh);
    return true;
}

static const Sum *digits_of(const OneHot *h)
{
    bool first = h->equal->arg[0] == h->winner;
    return sum_node(h->equal->arg[first ? 1 : 0]);
}

/* Until the test names bare indices and these run over what their own tests allow only. */
static bool spell_out(OneHot *h, const Equations *all)
{
    for (int round = 0; round < 2 * MAX_RANK; round++) {
        EqualSearch equal = { .all = all };
        BoundSearch bound = {0};
        if (!each_test(h->value, find_equal, &equal)) return false;
        h->equal = equal.found;
        h->winner = h->equal->arg[is_winner(all, h->equal->arg[0]) ? 0 : 1];
        if (each_test(h->value, find_bound, &bound) && holds(&h->index, bound.index)) {
            const Index *fresh = index_new(bound.index->name, bound.extent, false);
            one_hot_substitute(h, bound.index, sum_index(fresh), 1, &fresh);
            continue;
        }
        const Sum *digits = digits_of(h);
        int k = 0;
        while (k < digits->count && digits->term[k].index) k++;
        if (k == digits->count) return true;
        if (!split_modulo(h, digits->term[k].atom)) return false;
    }
    return false;
}

/* The digits of the winner: one number for each place of a window. */
static bool read_digits(OneHot *h, const Equations *all)
{
    const Sum *sum = digits_of(h);
    if (sum->constant || sum->count == 0) return false;
    for (int i = 0; i < sum->count; i++) {
        int k = h->digits++;
        for (; k > 0 && h->digit[k - 1].factor < sum->term[i].factor; k--) h->digit[k] = h->digit[k - 1];
        h->digit[k].index = sum->term[i].index;
        h->digit[k].factor = sum->term[i].factor;
    }
    int64_t places = 1, winners = 1;
    for (int k = h->digits - 1; k >= 0; k--) {
        const Index *i = h->digit[k].index;
        if (h->digit[k].factor != places || i->batch || node_uses(h->winner, i)) return false;
        places *= i->extent;
    }
    const Equation *maker = maker_of(all, h->winner->tensor);
    for (int i = 0; i < maker->reduced_count; i++) winners *= maker->reduced[i]->extent;
    for (int k = 0; k < h->digits; k++) {
        const Sum *by = sum_mod(sum_floor(sum_node(h->winner), h->digit[k].factor), h->digit[k].index->extent);
        if (by->count != 1 || !by->term[0].atom) return false;
        substitution_set(&h->won, h->digit[k].index, by);
    }
    return winners <= places;
}

typedef struct Replace { const Node *old, *by; } Replace;
static const Node *replace(const Node *e, void *data)
{
    const Replace *r = data;
    return e == r->old ? r->by : e;
}

/* What was compared for the winner is, at the winner, the extreme itself, where that is computed. */
static const Node *extreme_value(const OneHot *h, const Equations *all, const Node *value)
{
    const Equation *place = maker_of(all, h->winner->tensor), *extreme = NULL;
    Substitution at = {0};
    const Sum *fused = sum_node(h->winner);
    int64_t factor = 1;
    for (int a = 0; a < place->out->rank; a++) {
        if (!sum_plain(place->left[a])) return value;
        substitution_set(&at, sum_plain(place->left[a]), h->winner->sum[a]);
    }
    for (int i = place->reduced_count - 1; i >= 0; i--) {
        substitution_set(&at, place->reduced[i], sum_mod(sum_floor(fused, (int)factor), place->reduced[i]->extent));
        factor *= place->reduced[i]->extent;
    }
    for (int i = 0; i < all->list.count && !extreme; i++) {
        const Equation *e = all->list.at[i];
        if (e == h->maker) return value;         /* not computed before */
        if (e->reduction != (place->reduction == RED_ARGMAX ? RED_MAX : RED_MIN) || e->test || e->loop) continue;
        if (e->out->rank != place->out->rank || e->reduced_count != place->reduced_count) continue;
        Substitution same = {0};
        bool plain = true;
        for (int a = 0; a < e->out->rank; a++) {
            const Index *i0 = sum_plain(e->left[a]);
            plain = plain && i0 && i0->extent == sum_plain(place->left[a])->extent;
            if (plain) substitution_set(&same, i0, place->left[a]);
        }
        for (int k = 0; k < e->reduced_count; k++) {
            plain = plain && e->reduced[k]->extent == place->reduced[k]->extent;
            substitution_set(&same, e->reduced[k], sum_index(place->reduced[k]));
        }
        if (plain && node_substitute(e->value, &same) == place->value) extreme = e;
    }
    if (!extreme) return value;
    const Node *compared = place->value->op == OP_SELECT ? place->value->arg[1] : place->value;
    Replace r = { node_substitute(compared, &at), node_read(extreme->out, h->winner->sum) };
    return r.old->op == OP_READ ? node_walk(value, replace, &r) : value;
}

/* The value at the winners, and the windows' own indices. */
static bool read_windows(OneHot *h, const Equations *all)
{
    const Tensor *t = h->maker->out;
    Replace holds_there = { h->equal, node_bool(true) };
    Indices known = {0};
    h->value = node_substitute(node_walk(h->value, replace, &holds_there), &h->won);
    for (int k = 0; k < h->digits; k++) PUSH(known, h->digit[k].index);
    for (int a = 0; a < t->rank; a++) {
        const Sum *left = h->left[a];
        if (!sum_is_affine(left)) return false;
        Range r = sum_range(left);
        h->left[a] = sum_substitute(left, &h->won);
        if (r.low < 0 || r.high >= t->extent[a]) h->value = node_guard(node_in(h->left[a], t->extent[a]), h->value);
        for (int i = 0; i < left->count; i++) {
            const Index *index = left->term[i].index;
            if (holds(&known, index)) continue;
            PUSH(known, index);
            PUSH(h->window, index);
        }
    }
    h->value = extreme_value(h, all, h->value);
    return known.count == h->index.count && h->window.count > 0 && h->window.at[0]->batch && t->batch;
}

bool find_one_hot(OneHot *h, const Equations *all, const Equation *e)
{
    *h = (OneHot){ .maker = e, .value = node_guard(e->test, e->value) };
    if (e->reduction != RED_NONE || e->loop || e->out->role != ROLE_TEMP || e->out->type != TYPE_FLOAT) return false;
    if (equation_is_scatter(e) || maker_of(all, e->out) != e) return false;
    for (int a = 0; a < e->out->rank; a++) h->left[a] = e->left[a];
    for (int i = 0; i < e->indices; i++) PUSH(h->index, e->index[i]);
    return spell_out(h, all) && read_digits(h, all) && read_windows(h, all);
}

Tensor *one_hot_amount(OneHot *h)
{
    int extent[MAX_RANK];
    for (int i = 0; i < h->window.count; i++) extent[i] = h->window.at[i]->extent;
    if (!h->amount) {
        const char *name = format("%s.won", h->maker->out->name);
        h->amount = tensor_new(name, h->window.count, extent, true, TYPE_FLOAT, ROLE_TEMP);
        h->amount->at = h->maker->out->at;
    }
    return h->amount;
}

Equation *one_hot_equation(const OneHot *h)
{
    Equation *e = equation_map(h->amount, h->window.at, h->value);
    e->at = h->maker->at;
    e->layer = h->maker->layer;
    return e;
}
