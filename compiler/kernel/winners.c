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
#include "kernel/onehot.h"
#include "kernel/winners.h"
#include <stdlib.h>
#include <string.h>

/* ---- one equation that reads it ---- */
/* The indices of the reader by window and winner. */
typedef struct Match {
    OneHot *h;
    const Equation *e;
    const Node *read;            /* of the one-hot tensor */
    Substitution window;         /* indices of the windows -> the reader's, or new ones */
    Substitution solved;         /* indices of the reader -> by window and winner */
    Indices fresh;
} Match;

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
        if (!k || sub->term[i].factor != 1 || k->batch) continue;
        if (equation_reduces(m->e, k) != reduced || is_set(&m->solved, k)) continue;
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
    return node_read(one_hot_amount(m->h), subs);
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
typedef struct Factors { const Node *read, *other; Tests tests; } Factors;

static bool is_product(Factors *p, const Equation *e, const Tensor *t)
{
    const Node *value = without_tests(&p->tests, e->value);
    if (e->reduction != RED_SUM || e->loop || e->test || value->op != OP_MUL) return false;
    if (e->out->type != TYPE_FLOAT) return false;
    for (int i = 0; i < 2; i++) {
        p->read = without_tests(&p->tests, value->arg[i]);
        p->other = without_tests(&p->tests, value->arg[1 - i]);
        bool twice = p->other->op == OP_READ && p->other->tensor == t;
        if (p->read->op == OP_READ && p->read->tensor == t) return !twice;
        p->tests.list.count = 0;
        without_tests(&p->tests, e->value);
    }
    return false;
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

/* t with other extents: borders change the steps of its axes. */
static Tensor shape_of(const Tensor *t, const int *extent)
{
    Tensor shape = *t;
    for (int a = 0; a < t->rank; a++) shape.extent[a] = extent[a];
    return shape;
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

/* Time against that of visiting all places. A list of so many places shares one load and store of the sums; what fills
 * no whole vector is lost; making the lists takes as long as some 160 products for each amount. */
static bool is_worth_it(const Winners *w, const Equation *e, double listed, const EmitOptions *options)
{
    enum { LEAST_WORK = 1 << 18, LEAST_SAMPLES = 8 };
    if (options->force == FORCE_ALL) return true;
    double fill = (double)((w->width + 15) / 16 * 16) / w->width;
    double ratio = ((1 + 2 / listed) * fill + 160.0 / (double)tap_places(w)) / w->winners;
    return ratio < 0.8 && equation_work(e) >= LEAST_WORK && w->sample->extent >= LEAST_SAMPLES;
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
    for (int i = 0; i < place->count; i++) {
        const Term *t = &place->term[i];
        int extent = t->index && t->index != w->sample && t->index != w->window[0] ? t->index->extent : 1;
        for (int k = 0; k < w->digits; k++)
            if (t->atom == w->digit[k].atom) extent = w->digit[k].extent;
        span += (int64_t)abs(t->factor) * (extent - 1);
    }
    int64_t most = span >= NEAR || step == 0 ? 1 : (NEAR - span) / step + 1;
    return even_parts(w->window[0]->extent, most > w->window[0]->extent ? w->window[0]->extent : (int)most);
}

static const Node *sum_value(const Winners *w)
{
    const Sum *chunk = sum_floor(sum_index(w->sample), w->samples);
    const Node *mine = node2(OP_EQ, node_sum(chunk), node_sum(sum_index(w->part)));
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
    for (int i = 0; i < p->tests.list.count; i++) {
        if (axis_of_test(p->tests.list.at[i], m->read) >= 0) continue;            /* winners are inside */
        int a = axis_of_test(p->tests.list.at[i], before);
        if (a < 0) return false;
        Range r = sum_range(w->operand->sum[a]);
        if (r.low < -(1 << 20) || r.high > 1 << 20) return false;
        w->low[a] = (int)r.low;
        w->extent[a] = (int)(r.high - r.low + 1);
        w->padded = true;
    }
    return true;
}

static bool sum_winners(Match *m, const Factors *p, const EmitOptions *options, Equations *out, Tiles *tiles)
{
    const Equation *e = m->e;
    Winners *w = NEW(Winners);
    if (p->other->op != OP_READ || p->other->type != TYPE_FLOAT || p->other->tensor->rank == 0) return false;
    if (!is_left_plain(e) || !match(m, true) || !begin_winners(w, m) || !choose_column(w)) return false;
    if (equation_reduces(e, w->column) || node_uses(p->other, w->column) || !equation_reduces(e, w->sample)) return false;
    w->operand = node_substitute(p->other, &m->solved);
    if (!find_borders(w, p, m) || (!w->padded && w->operand->tensor->role != ROLE_TEMP)) return false;
    Tensor bordered = shape_of(w->operand->tensor, w->extent);
    const Sum *place = place_sum(&bordered, w->operand->sum);
    for (int i = 0; i < e->indices; i++)
        if (e->index[i] != w->column) w->tap[w->taps++] = e->index[i];
    Equation shape = *e;
    change_reduced(&shape, m);
    if (!list_windows(w) || shape.reduced_count != w->windows + 1) return false;
    for (int i = 0; i < w->windows; i++)
        if (!equation_reduces(&shape, w->window[i])) return false;
    if (!is_walkable(w, place) || !arrange_taps(w, place, options->wide_real)) return false;
    enum { SAMPLES = 128, CHUNKS = 8, PART = 1 << 16, ALL_PARTS = 1 << 22 };
    w->group = near_windows(w, place);
    double listed = (double)window_places(w) * w->group / (w->windows ? w->window[0]->extent : 1);
    if (!is_worth_it(w, e, listed, options)) return false;
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
    const char *of = factor->op == OP_READ ? factor->tensor->name : e->out->name;
    Tensor *t = tensor_new(format("%s.turned", of), rank, extent, false, TYPE_FLOAT, ROLE_TEMP);
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

/* What it is spread over: what is made, or that with the borders that winners reach over. From low on; left becomes places
 * in it. False: far too wide. */
static bool spread_borders(const Equation *e, const Sum **left, int *low, int *extent)
{
    for (int a = 0; a < e->out->rank; a++) {
        Range r = sum_range(left[a]);
        if (r.low < -(1 << 20) || r.high > 1 << 20) return false;
        low[a] = r.low < 0 ? (int)r.low : 0;
        extent[a] = (int)(r.high < e->out->extent[a] ? e->out->extent[a] : r.high + 1) - low[a];
        left[a] = sum_offset(left[a], -low[a]);
    }
    return true;
}

static Tensor *spread_target(const Equation *e, const int *extent)
{
    bool wider = false;
    for (int a = 0; a < e->out->rank; a++) wider |= extent[a] != e->out->extent[a];
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

static bool spread_winners(Match *m, const Factors *p, const EmitOptions *options, Equations *out, Tiles *tiles)
{
    enum { BUCKETS = 2 << 10, LISTED = 6 << 10, FACTORS = 6 << 10 };         /* elements; all stay in the first cache */
    const Equation *e = m->e;
    Winners *w = NEW(Winners);
    *w = (Winners){ .spread = true };
    if (!is_left_plain(e) || !match(m, false) || !begin_winners(w, m) || !choose_column(w)) return false;
    if (!equation_reduces(e, w->column) || equation_reduces(e, w->sample) || sum_plain(e->left[0]) != w->sample) return false;
    for (int i = 0; i < p->tests.list.count; i++)
        if (axis_of_test(p->tests.list.at[i], m->read) < 0) return false;
    if (!list_windows(w) || !is_fixed(w, m, p->other)) return false;
    const Sum *left[MAX_RANK];
    int low[MAX_RANK], extent[MAX_RANK];
    for (int a = 0; a < e->out->rank; a++) left[a] = sum_substitute(e->left[a], &m->solved);
    if (!spread_borders(e, left, low, extent)) return false;
    for (int i = 0; i < e->indices + e->reduced_count; i++) {
        const Index *k = i < e->indices ? e->index[i] : e->reduced[i - e->indices];
        bool window = false;
        for (int q = 0; q < w->windows; q++) window |= w->window[q] == k;
        if (k != w->sample && k != w->column && !window && !is_set(&m->solved, k)) w->tap[w->taps++] = k;
    }
    Tensor bordered = shape_of(e->out, extent);
    const Sum *place = place_sum(&bordered, left);
    if (!is_walkable(w, place) || !arrange_taps(w, place, options->wide_real)) return false;
    int near = FACTORS / (w->rows * w->chunk), buckets = BUCKETS / w->winners;
    w->block = even_parts(w->column->extent, near < buckets ? near : buckets);
    int inner = (int)(window_places(w) / (w->windows ? w->window[0]->extent : 1));
    w->group = w->windows ? even_parts(w->window[0]->extent, LISTED / (inner * w->block)) : 1;
    if (inner * w->block > 2 * LISTED || w->taps + 1 > MAX_RANK) return false;
    if (!is_worth_it(w, e, (double)w->block / w->winners, options)) return false;

    Tensor *target = spread_target(e, extent);
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
static bool visit_winners(OneHot *h, const Equation *e, const EmitOptions *options, Equations *out, Tiles *tiles)
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
    return sum_winners(&again, &p, options, out, tiles) || spread_winners(&spread, &p, options, out, tiles);
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
static void rewrite(OneHot *h, const Program *p, const EmitOptions *options, Equations *all, Tiles *tiles)
{
    Equations after = {0}, out = {0};
    bool products = false, read = is_kept(p, h->maker->out);
    for (int i = 0; i < all->list.count; i++) {
        int before = tiles->list.count;
        if (!visit_winners(h, all->list.at[i], options, &after, tiles)) {
            read |= equation_needs(all->list.at[i], h->maker->out);
            PUSH(after.list, all->list.at[i]);
        }
        products |= tiles->list.count > before;
    }
    if (!products) return;                       /* sums alone are not worth a tensor */
    for (int i = 0; i < after.list.count; i++) {
        if (after.list.at[i] == h->maker) PUSH(out.list, one_hot_equation(h));
        if (after.list.at[i] != h->maker || read) PUSH(out.list, after.list.at[i]);
    }
    *all = out;
}

void find_winners(const Program *p, const EmitOptions *options, Equations *all, Tiles *tiles)
{
    Equations before = {0};
    for (int i = 0; i < all->list.count; i++) PUSH(before.list, all->list.at[i]);
    for (int i = 0; i < before.list.count; i++) {
        OneHot h;
        if (find_one_hot(&h, all, before.list.at[i])) rewrite(&h, p, options, all, tiles);
    }
}

void pad_winners(Winners *w, const Node *padded, Equation *e)
{
    w->operand = padded;
    e->value = sum_value(w);
}
