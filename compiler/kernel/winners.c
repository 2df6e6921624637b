/* winners.c: sums of products with a tensor that is 0 but at one place of each window, like the gradient of a maximum:
 *
 *     d[n, (p, a), (q, b), o] = test and (a, b) == w[n, p, q, o] ? g : 0           w an argmax
 *
 * A sum over all places of d need visit the winners only. What stands at them is a tensor of its own, d.won[n, p, q, o];
 * where d is read at places of its own, the sum over its windows is taken instead (WINNERS of group.h), and
 *
 *     sum    dk[r, s, c, o] = sum[n, y, x] f[n, y + r, x + s, c] * d[n, y, x, o]
 *         -> dk[r, s, c, o] = sum[n, p, q] f[n, 2 p + w // 2 + r, 2 q + w % 2 + s, c] * d.won[n, p, q, o]
 *     spread df[n, y, x, c] = sum[r, s, o] d[n, y - r, x - s, o] * k[r, s, c, o]
 *         -> df[n, 2 p + w // 2 + r, 2 q + w % 2 + s, c] += k[r, s, c, o] * d.won[n, p, q, o]
 *
 * with w = w[n, p, q, o]. The rewritten equations say all; a Winners says how their loops run. In a sum over the samples
 * each of a fixed number of chunks is summed for itself, so the bits do not depend on the number of threads. */
#include "kernel/winners.h"
#include <stdlib.h>
#include <string.h>

typedef LIST(const Index *) Indices;

/* A tensor with one winner in each window, by its equation in indices that spell out place and window. */
typedef struct OneHot {
    const Equation *maker;
    Indices index;
    const Sum *left[MAX_RANK];
    const Node *value, *equal;   /* equal: digits == winner */
    const Node *winner;          /* READ of the argmax */
    int digits;
    struct { const Index *index; int factor; } digit[MAX_RANK];  /* the largest factor first; the last is 1 */
    Substitution won;            /* digits by the winner */
    Indices window;              /* the indices that are left, in the order of the axes */
    Tensor *amount;              /* what stands at the winners, by window */
} OneHot;

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
    if (atom->op != OP_MOD || of->count != 1 || !of->term[0].index || of->term[0].factor != 1 || of->constant < 0) return false;
    const Index *i = of->term[0].index;
    if (i->batch || !holds(&h->index, i)) return false;
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
static const Node *replace(const Node *e, void *data) { return e == ((Replace *)data)->old ? ((Replace *)data)->by : e; }

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
    Replace r = { h->equal, node_bool(true) };
    Indices known = {0};
    h->value = node_substitute(node_walk(h->value, replace, &r), &h->won);
    for (int k = 0; k < h->digits; k++) PUSH(known, h->digit[k].index);
    for (int a = 0; a < t->rank; a++) {
        const Sum *left = h->left[a];
        if (!sum_is_affine(left)) return false;
        Range range = sum_range(left);
        h->left[a] = sum_substitute(left, &h->won);
        if (range.low < 0 || range.high >= t->extent[a]) h->value = node_guard(node_in(h->left[a], t->extent[a]), h->value);
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

static bool find_one_hot(OneHot *h, const Equations *all, const Equation *e)
{
    *h = (OneHot){ .maker = e, .value = node_guard(e->test, e->value) };
    if (e->reduction != RED_NONE || e->loop || e->out->role != ROLE_TEMP || e->out->type != TYPE_FLOAT) return false;
    if (equation_is_scatter(e) || maker_of(all, e->out) != e) return false;
    for (int a = 0; a < e->out->rank; a++) h->left[a] = e->left[a];
    for (int i = 0; i < e->indices; i++) PUSH(h->index, e->index[i]);
    return spell_out(h, all) && read_digits(h, all) && read_windows(h, all);
}

static const Tensor *make_amount(OneHot *h)
{
    int extent[MAX_RANK];
    for (int i = 0; i < h->window.count; i++) extent[i] = h->window.at[i]->extent;
    if (!h->amount) {
        h->amount = tensor_new(format("%s.won", h->maker->out->name), h->window.count, extent, true, TYPE_FLOAT, ROLE_TEMP);
        h->amount->at = h->maker->out->at;
    }
    return h->amount;
}

static Equation *amount_equation(const OneHot *h)
{
    Equation *e = equation_map(h->amount, h->window.at, h->value);
    e->at = h->maker->at;
    e->layer = h->maker->layer;
    return e;
}

/* ---- one equation that reads it ---- */
/* The indices of the reader by window and winner. */
typedef struct Match {
    const OneHot *h;
    const Equation *e;
    const Node *read;            /* of the one-hot tensor */
    Substitution window;         /* indices of the windows -> the reader's, or new ones */
    Substitution solved;         /* indices of the reader -> by window and winner */
    Indices fresh;
} Match;

static bool is_reduced(const Equation *e, const Index *i)
{
    for (int k = 0; k < e->reduced_count; k++)
        if (e->reduced[k] == i) return true;
    return false;
}

static bool is_set(const Substitution *s, const Index *i)
{
    for (int k = 0; k < s->count; k++)
        if (s->index[k] == i) return true;
    return false;
}

/* An index of subscript a that no other subscript has: reduced, or alone on an axis of what is made. */
static const Index *index_to_solve(const Match *m, int a, bool reduced)
{
    const Sum *sub = m->read->sum[a];
    for (int i = 0; i < sub->count; i++) {
        const Index *k = sub->term[i].index;
        if (!k || sub->term[i].factor != 1 || k->batch || is_reduced(m->e, k) != reduced || is_set(&m->solved, k)) continue;
        bool alone = true;
        for (int b = 0; b < m->read->sums; b++) alone &= b == a || !sum_uses(m->read->sum[b], k);
        if (alone) return k;
    }
    return NULL;
}

/* reduced: solves for reduced indices (a sum), else for indices of what is made (a spread). */
static bool match(Match *m, bool reduced)
{
    const OneHot *h = m->h;
    int rank = m->read->sums;
    bool plain[MAX_RANK] = {0};
    for (int a = 0; a < rank; a++) {
        if (!sum_is_affine(m->read->sum[a])) return false;
        const Index *u = sum_plain(h->left[a]), *k = sum_plain(m->read->sum[a]);
        plain[a] = u && k && u->extent == k->extent && u->batch == k->batch && !is_set(&m->window, u);
        if (plain[a]) substitution_set(&m->window, u, sum_index(k));
    }
    for (int i = 0; i < h->window.count; i++) {
        const Index *u = h->window.at[i];
        if (is_set(&m->window, u)) continue;
        if (u->batch) return false;
        const Index *fresh = index_new(u->name, u->extent, false);
        PUSH(m->fresh, fresh);
        substitution_set(&m->window, u, sum_index(fresh));
    }
    for (int a = 0; a < rank; a++) {
        if (plain[a]) continue;
        const Index *k = index_to_solve(m, a, reduced);
        if (!k) return false;
        const Sum *rest = sum_sub(m->read->sum[a], sum_index(k));
        substitution_set(&m->solved, k, sum_sub(sum_substitute(h->left[a], &m->window), rest));
    }
    return true;
}

static const Node *read_amount(const Match *m)
{
    const Sum *subs[MAX_RANK];
    for (int i = 0; i < m->h->window.count; i++) subs[i] = sum_substitute(sum_index(m->h->window.at[i]), &m->window);
    return node_read((Tensor *)make_amount((OneHot *)m->h), subs);
}

/* Puts the new windows among the reduced indices and takes out what is solved. */
static void change_reduced(Equation *e, const Match *m)
{
    int kept = 0;
    for (int i = 0; i < e->reduced_count; i++)
        if (!is_set(&m->solved, e->reduced[i])) e->reduced[kept++] = e->reduced[i];
    for (int i = 0; i < m->fresh.count; i++) e->reduced[kept++] = m->fresh.at[i];
    e->reduced_count = kept;
}

/* A sum of nothing but the tensor: of the amounts. Every place of it must be read. */
static bool sum_amounts(Match *m, Equation **out)
{
    const Equation *e = m->e;
    if (e->reduction != RED_SUM || e->value != m->read || e->test || !match(m, true)) return false;
    if (e->reduced_count + m->fresh.count > MAX_RANK) return false;
    for (int a = 0; a < m->read->sums; a++) {
        const Index *k = sum_plain(m->read->sum[a]);
        if (!k || k->extent != m->read->tensor->extent[a]) return false;
    }
    *out = equation_copy(e);
    (*out)->value = read_amount(m);
    change_reduced(*out, m);
    return true;
}

/* ---- products ---- */
typedef struct Factors { const Node *read, *other; LIST(const Node *) tests; } Factors;

static const Node *without_tests(Factors *p, const Node *e)
{
    while (e->op == OP_SELECT && node_is_number(e->arg[2], 0)) {
        const Node *part[32];
        int n = node_conjuncts(e->arg[0], part, 32);
        for (int i = 0; i < n && i < 32; i++) PUSH(p->tests, part[i]);
        e = e->arg[1];
    }
    return e;
}

static bool is_product(Factors *p, const Equation *e, const Tensor *t)
{
    const Node *value = without_tests(p, e->value);
    if (e->reduction != RED_SUM || e->loop || e->test || value->op != OP_MUL || e->out->type != TYPE_FLOAT) return false;
    for (int i = 0; i < 2; i++) {
        p->read = without_tests(p, value->arg[i]);
        p->other = without_tests(p, value->arg[1 - i]);
        if (p->read->op == OP_READ && p->read->tensor == t && !(p->other->op == OP_READ && p->other->tensor == t)) return true;
        p->tests.count = 0;
        without_tests(p, e->value);
    }
    return false;
}

/* Which axis of the read a test keeps inside; -1. */
static int axis_of_test(const Node *test, const Node *read)
{
    for (int a = 0; test->op == OP_IN && a < read->sums; a++)
        if (read->sum[a] == test->sum[0] && read->tensor->extent[a] == test->extent) return a;
    return -1;
}

static bool is_left_plain(const Equation *e)
{
    for (int a = 0; a < e->out->rank; a++)
        if (!sum_plain(e->left[a]) && !sum_is_constant(e->left[a])) return false;
    return true;
}

static bool begin_winners(Winners *w, const Match *m)
{
    w->amount = read_amount(m);
    w->winner = node_substitute(m->h->winner, &m->window);
    w->winners = 1;
    for (int k = 0; k < m->h->digits; k++) {
        WinnerDigit *d = &w->digit[w->digits++];
        *d = (WinnerDigit){ .factor = m->h->digit[k].factor, .extent = m->h->digit[k].index->extent };
        const Sum *by = sum_mod(sum_floor(sum_node(w->winner), d->factor), d->extent);
        d->atom = by->term[0].atom;
        if ((int64_t)w->winners * d->extent > 64) return false;  /* so many places in a window, not more */
        w->winners *= d->extent;
    }
    w->sample = sum_plain(w->amount->sum[0]);
    return w->sample && w->sample->batch;
}

/* Column: the last index of the amounts, side by side there and in the winners. */
static bool choose_column(Winners *w)
{
    const Index *column = sum_plain(w->amount->sum[w->amount->sums - 1]);
    if (!column || column->batch) return false;
    w->column = column;
    return sum_factor(place_sum(w->winner->tensor, w->winner->sum), column) == 1;
}

/* The amounts are [sample, windows.., column]. */
static bool list_windows(Winners *w)
{
    for (int i = 1; i + 1 < w->amount->sums; i++) {
        const Index *window = sum_plain(w->amount->sum[i]);
        if (!window) return false;
        w->window[w->windows++] = window;
    }
    return true;
}

/* Nothing but indices and digits of the winner. */
static bool is_walkable(const Winners *w, const Sum *place)
{
    for (int i = 0; i < place->count; i++) {
        bool digit = place->term[i].index != NULL;
        for (int k = 0; k < w->digits; k++) digit |= place->term[i].atom == w->digit[k].atom;
        if (!digit) return false;
    }
    return true;
}

/* Taps by falling step; those that make one run at the end. rows, chunk: what the registers hold (core/tile.h). */
static bool arrange_taps(Winners *w, const Sum *place, bool wide_real)
{
    const int most = wide_real ? 48 : 96, vector = wide_real ? 4 : 8;
    for (int i = 1; i < w->taps; i++)
        for (int k = i; k > 0 && sum_factor(place, w->tap[k - 1]) < sum_factor(place, w->tap[k]); k--) {
            const Index *swap = w->tap[k];
            w->tap[k] = w->tap[k - 1];
            w->tap[k - 1] = swap;
        }
    for (int i = 0; i < w->taps; i++)
        if (sum_factor(place, w->tap[i]) <= 0 || w->tap[i]->batch) return false;
    w->width = 1;
    for (w->run = 0; w->run < w->taps && sum_factor(place, w->tap[w->taps - 1 - w->run]) == w->width; w->run++)
        w->width *= w->tap[w->taps - 1 - w->run]->extent;
    if (w->run == 0 || w->width < 8) return false;
    int chunks = (w->width + most - 1) / most;
    w->chunk = chunks == 1 ? w->width : ((w->width + chunks - 1) / chunks + 15) / 16 * 16;
    int vectors = (w->chunk + vector - 1) / vector;
    w->rows = 12 / vectors < 6 ? 12 / vectors : 6;
    const Index *row = winners_row(w);
    if (!row) w->rows = 1;
    else if (w->rows > row->extent) w->rows = row->extent;
    return w->rows > 0;
}

const Index *winners_row(const Winners *w) { return w->taps > w->run ? w->tap[w->taps - w->run - 1] : NULL; }

static int64_t tap_places(const Winners *w)
{
    int64_t n = 1;
    for (int i = 0; i < w->taps; i++) n *= w->tap[i]->extent;
    return n;
}

static int64_t window_places(const Winners *w)
{
    int64_t n = 1;
    for (int i = 0; i < w->windows; i++) n *= w->window[i]->extent;
    return n;
}

/* Time against that of the dense form. A list of so many places shares one load and store of the sums; what fills no whole
 * vector is lost; making the lists takes as long as some 160 products for each amount. */
static bool is_worth_it(const Winners *w, const Equation *dense, double listed)
{
    enum { LEAST_WORK = 1 << 18, LEAST_SAMPLES = 8 };
    double fill = (double)((w->width + 15) / 16 * 16) / w->width;
    double ratio = ((1 + 2 / listed) * fill + 160.0 / (double)tap_places(w)) / w->winners;
    return ratio < 0.8 && equation_work(dense) >= LEAST_WORK && w->sample->extent >= LEAST_SAMPLES;
}

static int even_parts(int of, int most)          /* the size of equal parts of at most so many */
{
    if (most < 1) most = 1;
    int parts = (of + most - 1) / most;
    return (of + parts - 1) / parts;
}

/* ---- the sum ---- */
/* How many places of window[0] at a time: what they read of the operand stays in the first cache. */
static int near_windows(const Winners *w, const Sum *place)
{
    enum { NEAR = 5 << 10 };                     /* elements */
    if (w->windows == 0) return 1;
    int64_t span = 1, step = abs(sum_factor(place, w->window[0]));
    for (int i = 1; i < w->windows; i++) span += (int64_t)abs(sum_factor(place, w->window[i])) * (w->window[i]->extent - 1);
    for (int i = 0; i < w->taps; i++) span += (int64_t)sum_factor(place, w->tap[i]) * (w->tap[i]->extent - 1);
    for (int i = 0; i < place->count; i++)
        for (int k = 0; k < w->digits; k++)
            if (place->term[i].atom == w->digit[k].atom) span += (int64_t)abs(place->term[i].factor) * (w->digit[k].extent - 1);
    int64_t most = span >= NEAR || step == 0 ? 1 : (NEAR - span) / step + 1;
    return even_parts(w->window[0]->extent, most > w->window[0]->extent ? w->window[0]->extent : (int)most);
}

static const Node *sum_value(const Winners *w)
{
    const Node *mine = node2(OP_EQ, node_sum(sum_floor(sum_index(w->sample), w->samples)), node_sum(sum_index(w->part)));
    return node2(OP_MUL, w->operand, node_guard(mine, w->amount));
}

/* part[h, column, taps] = sum[samples of chunk h, windows]; sum[column, taps] = sum[h] part; out = sum, turned. */
static void sum_equations(Winners *w, const Equation *e, Equations *out, Tiles *tiles)
{
    const Index *index[MAX_RANK];
    int extent[MAX_RANK], rank = 0;
    index[rank++] = w->part;
    index[rank++] = w->column;
    for (int i = 0; i < w->taps; i++) index[rank++] = w->tap[i];
    for (int i = 0; i < rank; i++) extent[i] = index[i]->extent;
    Tensor *part = tensor_new(format("%s.part", e->out->name), rank, extent, false, TYPE_FLOAT, ROLE_TEMP);
    Tensor *sum = tensor_new(format("%s.sum", e->out->name), rank - 1, extent + 1, false, TYPE_FLOAT, ROLE_TEMP);
    Equation *first = equation_map(part, index, sum_value(w)), *last = equation_copy(e);
    first->reduction = RED_SUM;
    first->reduced[first->reduced_count++] = w->sample;
    for (int i = 0; i < w->windows; i++) first->reduced[first->reduced_count++] = w->window[i];
    Equation *middle = equation_map(sum, index + 1, node_read_at(part, index));
    middle->reduction = RED_SUM;
    middle->reduced[middle->reduced_count++] = w->part;
    last->value = node_read_at(sum, index + 1);
    last->reduction = RED_NONE;
    last->reduced_count = 0;
    Equation *all[] = { first, middle, last };
    for (int i = 0; i < 3; i++) {
        all[i]->at = e->at;
        all[i]->layer = e->layer;
        PUSH(out->list, all[i]);
    }
    part->at = sum->at = e->out->at;
    PUSH(tiles->list, ((TileOf){ .e = first, .winners = w }));
}

/* Borders of the operand: tests that became tests of the winner; tile.c puts a copy with zeros in their place. */
static bool find_borders(Winners *w, const Factors *p, const Match *m)
{
    const Node *before = p->other;
    for (int a = 0; a < before->sums; a++) w->extent[a] = before->tensor->extent[a];
    for (int i = 0; i < p->tests.count; i++) {
        if (axis_of_test(p->tests.at[i], m->read) >= 0) continue;            /* winners are inside */
        int a = axis_of_test(p->tests.at[i], before);
        if (a < 0) return false;
        Range r = sum_range(w->operand->sum[a]);
        if (r.low < -(1 << 20) || r.high > 1 << 20) return false;
        w->low[a] = (int)r.low;
        w->extent[a] = (int)(r.high - r.low + 1);
        w->padded = true;
    }
    return true;
}

static bool sum_winners(Match *m, const Factors *p, bool wide_real, Equations *out, Tiles *tiles)
{
    const Equation *e = m->e;
    Winners *w = NEW(Winners);
    if (p->other->op != OP_READ || p->other->type != TYPE_FLOAT || p->other->tensor->rank == 0) return false;
    if (!is_left_plain(e) || !match(m, true) || !begin_winners(w, m) || !choose_column(w)) return false;
    if (is_reduced(e, w->column) || node_uses(p->other, w->column) || !is_reduced(e, w->sample)) return false;
    w->operand = node_substitute(p->other, &m->solved);
    if (!find_borders(w, p, m) || (!w->padded && w->operand->tensor->role != ROLE_TEMP)) return false;
    const Sum *place = place_sum(w->operand->tensor, w->operand->sum);
    for (int i = 0; i < e->indices; i++)
        if (e->index[i] != w->column) w->tap[w->taps++] = e->index[i];
    Equation shape = *e;
    change_reduced(&shape, m);
    if (!list_windows(w) || shape.reduced_count != w->windows + 1) return false;
    for (int i = 0; i < w->windows; i++)
        if (!is_reduced(&shape, w->window[i])) return false;
    if (!is_walkable(w, place) || !arrange_taps(w, place, wide_real)) return false;
    enum { SAMPLES = 128, CHUNKS = 8, PART = 1 << 16, ALL_PARTS = 1 << 22 };
    w->group = near_windows(w, place);
    double listed = (double)window_places(w) * w->group / (w->windows ? w->window[0]->extent : 1);
    if (!is_worth_it(w, e, listed)) return false;
    int chunks = w->sample->extent >= SAMPLES ? 2 * CHUNKS : CHUNKS;
    while (chunks > 1 && chunks * tensor_size(e->out) > ALL_PARTS) chunks /= 2;
    w->samples = (w->sample->extent + chunks - 1) / chunks;
    w->part = index_new("h", (w->sample->extent + w->samples - 1) / w->samples, false);
    w->block = even_parts(w->column->extent, (int)(PART / tap_places(w)));
    sum_equations(w, e, out, tiles);
    return true;
}

/* ---- the spread ---- */
/* turned[rest, row, column, run] = the other factor: what the columns of a list are multiplied with lies near. */
static void turn_factor(Winners *w, const Node *factor, const Equation *e, Equations *out)
{
    const Index *index[MAX_RANK];
    int extent[MAX_RANK], rank = 0;
    for (int i = 0; i < w->taps; i++) {
        if (i == w->taps - w->run) index[rank++] = w->column;
        index[rank++] = w->tap[i];
    }
    for (int i = 0; i < rank; i++) extent[i] = index[i]->extent;
    Tensor *t = tensor_new(format("%s.turned", factor->op == OP_READ ? factor->tensor->name : e->out->name), rank, extent, false, TYPE_FLOAT, ROLE_TEMP);
    t->at = e->out->at;
    Substitution own = {0};
    const Index *mine[MAX_RANK];
    for (int i = 0; i < rank; i++) {
        mine[i] = index_new(index[i]->name, index[i]->extent, false);
        substitution_set(&own, index[i], sum_index(mine[i]));
    }
    Equation *copy = equation_map(t, mine, node_substitute(factor, &own));
    copy->at = e->at;
    copy->layer = e->layer;
    PUSH(out->list, copy);
    w->operand = node_read_at(t, index);
}

/* What it is spread over: what is made, or that with the borders that winners reach over. */
static Tensor *spread_target(const Equation *e, const Sum **left, int *low)
{
    int extent[MAX_RANK];
    bool wider = false;
    for (int a = 0; a < e->out->rank; a++) {
        Range r = sum_range(left[a]);
        low[a] = r.low < 0 ? (int)r.low : 0;
        extent[a] = (int)(r.high < e->out->extent[a] ? e->out->extent[a] : r.high + 1) - low[a];
        wider |= extent[a] != e->out->extent[a];
        left[a] = sum_offset(left[a], -low[a]);
    }
    if (!wider) return e->out;
    Tensor *t = tensor_new(format("%s.wide", e->out->name), e->out->rank, extent, e->out->batch, TYPE_FLOAT, ROLE_TEMP);
    t->at = e->out->at;
    return t;
}

static bool is_fixed(const Winners *w, const Match *m, const Node *factor)
{
    if (node_uses(factor, w->sample)) return false;
    for (int i = 0; i < w->windows; i++)
        if (node_uses(factor, w->window[i])) return false;
    for (int i = 0; i < m->solved.count; i++)
        if (node_uses(factor, m->solved.index[i])) return false;
    return true;
}

static bool spread_winners(Match *m, const Factors *p, bool wide_real, Equations *out, Tiles *tiles)
{
    enum { BUCKETS = 2 << 10, LISTED = 6 << 10, FACTORS = 6 << 10 };         /* elements of each, to stay in the first cache */
    const Equation *e = m->e;
    Winners *w = NEW(Winners);
    *w = (Winners){ .spread = true };
    if (!is_left_plain(e) || !match(m, false) || !begin_winners(w, m) || !choose_column(w)) return false;
    if (!is_reduced(e, w->column) || is_reduced(e, w->sample) || sum_plain(e->left[0]) != w->sample) return false;
    for (int i = 0; i < p->tests.count; i++)
        if (axis_of_test(p->tests.at[i], m->read) < 0) return false;
    if (!list_windows(w) || !is_fixed(w, m, p->other)) return false;
    const Sum *left[MAX_RANK];
    int low[MAX_RANK];
    for (int a = 0; a < e->out->rank; a++) {
        left[a] = sum_substitute(e->left[a], &m->solved);
        Range r = sum_range(left[a]);
        if (r.low < -(1 << 20) || r.high > 1 << 20) return false;
    }
    for (int i = 0; i < e->indices + e->reduced_count; i++) {
        const Index *k = i < e->indices ? e->index[i] : e->reduced[i - e->indices];
        bool window = false;
        for (int q = 0; q < w->windows; q++) window |= w->window[q] == k;
        if (k != w->sample && k != w->column && !window && !is_set(&m->solved, k)) w->tap[w->taps++] = k;
    }
    if (!is_walkable(w, place_sum(e->out, left)) || !arrange_taps(w, place_sum(e->out, left), wide_real)) return false;
    int near = FACTORS / (w->rows * w->chunk), buckets = BUCKETS / w->winners;
    w->block = even_parts(w->column->extent, near < buckets ? near : buckets);
    int inner = (int)(window_places(w) / (w->windows ? w->window[0]->extent : 1));
    w->group = w->windows ? even_parts(w->window[0]->extent, LISTED / (inner * w->block)) : 1;
    if (inner * w->block > 2 * LISTED || w->taps + 1 > MAX_RANK) return false;
    if (!is_worth_it(w, e, (double)w->block / w->winners)) return false;

    Tensor *target = spread_target(e, left, low);
    if (!is_walkable(w, place_sum(target, left))) return false;
    turn_factor(w, p->other, e, out);
    const Index *index[MAX_RANK];
    int n = 0;
    if (2 + w->windows + w->taps > MAX_RANK) return false;
    index[n++] = w->sample;
    for (int i = 0; i < w->windows; i++) index[n++] = w->window[i];
    index[n++] = w->column;
    for (int i = 0; i < w->taps; i++) index[n++] = w->tap[i];
    Equation *spread = equation_new(target, left, n, index, node2(OP_MUL, w->operand, w->amount));
    spread->at = e->at;
    spread->layer = e->layer;
    PUSH(out->list, spread);
    PUSH(tiles->list, ((TileOf){ .e = spread, .winners = w }));
    if (target == e->out) return true;
    Equation *inside = equation_copy(e);
    const Sum *subs[MAX_RANK];
    for (int a = 0; a < e->out->rank; a++) subs[a] = sum_offset(e->left[a], -low[a]);
    inside->value = node_read(target, subs);
    inside->reduction = RED_NONE;
    inside->reduced_count = 0;
    PUSH(out->list, inside);
    return true;
}

/* ---- the whole ---- */
typedef struct ReadSearch { const Tensor *t; const Node *read; int count; } ReadSearch;

static void find_read(const Node *e, void *data)
{
    ReadSearch *c = data;
    if (e->op != OP_READ || e->tensor != c->t) return;
    c->read = e;
    c->count++;
}

/* Puts what stands for e into out. False: nothing better than e itself. */
static bool visit_winners(OneHot *h, const Equation *e, bool wide_real, Equations *out, Tiles *tiles)
{
    ReadSearch c = { .t = h->maker->out };
    equation_visit(e, find_read, &c);
    if (c.count != 1 || e == h->maker || e->loop) return false;
    Match sum = { h, e, c.read, {0}, {0}, {0} }, again = sum, spread = sum;
    Equation *amounts;
    if (sum_amounts(&sum, &amounts)) {
        PUSH(out->list, amounts);
        return true;
    }
    Factors p = {0};
    if (!is_product(&p, e, c.t)) return false;
    return sum_winners(&again, &p, wide_real, out, tiles) || spread_winners(&spread, &p, wide_real, out, tiles);
}

static bool is_kept(const Program *p, const Tensor *t)
{
    for (int i = 0; i < p->outputs.count; i++)
        if (p->outputs.at[i].value == t) return true;
    for (int i = 0; i < p->updates.count; i++)
        if (p->updates.at[i].value == t) return true;
    return false;
}

/* The equations with those that read h visiting its winners only. A tensor that nobody reads any more goes. */
static void rewrite(OneHot *h, const Program *p, bool wide_real, Equations *all, Tiles *tiles)
{
    Equations after = {0}, out = {0};
    bool products = false, read = is_kept(p, h->maker->out);
    for (int i = 0; i < all->list.count; i++) {
        int before = tiles->list.count;
        if (!visit_winners(h, all->list.at[i], wide_real, &after, tiles)) {
            read |= equation_needs(all->list.at[i], h->maker->out);
            PUSH(after.list, all->list.at[i]);
        }
        products |= tiles->list.count > before;
    }
    if (!products) return;                       /* sums alone are not worth a tensor */
    for (int i = 0; i < after.list.count; i++) {
        if (after.list.at[i] == h->maker) PUSH(out.list, amount_equation(h));
        if (after.list.at[i] != h->maker || read) PUSH(out.list, after.list.at[i]);
    }
    *all = out;
}

void find_winners(const Program *p, bool wide_real, Equations *all, Tiles *tiles)
{
    Equations before = {0};
    for (int i = 0; i < all->list.count; i++) PUSH(before.list, all->list.at[i]);
    for (int i = 0; i < before.list.count; i++) {
        OneHot h;
        if (find_one_hot(&h, all, before.list.at[i])) rewrite(&h, p, wide_real, all, tiles);
    }
}

void pad_winners(Winners *w, const Node *padded, Equation *e)
{
    w->operand = padded;
    e->value = sum_value(w);
}
