/* tile.c: finds the equations that are sums of products of two reads and can run in tiles: dense layers and
 * convolutions, forward and both gradients, products of attention. What stands in the way is put into a copy in front,
 * an equation of its own: a border of zeros (`x[..] else 0` becomes an ordinary read of the copy), or the other order of
 * axes when the vector operand's neighbours along the column index do not lie side by side. */
#include "kernel/winners.h"
#include <stdlib.h>

enum { TILE_WORK = 1 << 12 };                    /* below this many products plain loops do */

typedef struct Copy { Tensor *of, *copy; int low[MAX_RANK], extent[MAX_RANK], last; const Loop *loop; } Copy;

typedef struct Finder {
    bool always;                 /* also where it does not pay */
    Equations *out;
    LIST(Copy) copies;
    const Equations *all;
} Finder;

/* ---- the product ---- */
bool product_of(Product *p, const Node *value)
{
    const Node *e = without_tests(&p->tests, value);
    if (e->op != OP_MUL) return false;
    for (int i = 0; i < 2; i++) {
        p->read[i] = without_tests(&p->tests, e->arg[i]);
        if (p->read[i]->op != OP_READ || p->read[i]->type != TYPE_FLOAT || p->read[i]->tensor->rank == 0) return false;
        if (p->read[i]->tensor->role == ROLE_TOTAL) return false;
    }
    return true;
}

/* ---- copies ---- */
static bool is_made_in(const Finder *f, const Tensor *t, const Loop *loop)
{
    for (int i = 0; i < f->all->list.count; i++)
        if (f->all->list.at[i]->out == t && f->all->list.at[i]->loop == loop) return true;
    return false;
}

/* copy[i, ..] = in(i + low, extent) and .. ? of[i + low, ..] : 0, with axis `last` moved to the end */
static Tensor *copy_made(Finder *f, const Copy *want)
{
    for (int i = 0; i < f->copies.count; i++) {
        const Copy *c = &f->copies.at[i];
        bool same = c->of == want->of && c->last == want->last;
        for (int a = 0; a < want->of->rank && same; a++) same = c->low[a] == want->low[a] && c->extent[a] == want->extent[a];
        if (same) return c->copy;
    }
    Tensor *t = want->of;
    int rank = t->rank, extent[MAX_RANK], axis[MAX_RANK], n = 0;
    bool padded = false;
    for (int a = 0; a < rank; a++)
        if (a != want->last) axis[n++] = a;
    axis[n] = want->last;
    const Index *index[MAX_RANK];
    const Sum *subs[MAX_RANK];
    const Node *inside = NULL;
    for (int k = 0; k < rank; k++) {
        int a = axis[k];
        extent[k] = want->extent[a];
        index[k] = index_new(axis_letter(k), want->extent[a], a == 0 && t->batch);
        subs[a] = sum_offset(sum_index(index[k]), want->low[a]);
        if (want->low[a] || want->extent[a] != t->extent[a]) {
            padded = true;
            inside = node_and(inside, node_in(subs[a], t->extent[a]));
        }
    }
    Copy made = *want;
    made.copy = tensor_new(format("%s.%s", t->name, padded ? "padded" : "turned"), rank, extent, t->batch && axis[0] == 0, t->type, ROLE_TEMP);
    made.copy->at = t->at;
    Equation *e = equation_map(made.copy, index, node_guard(inside, node_read(t, subs)));
    e->at = t->at;
    e->layer = "";
    int at = f->out->list.count;
    while (want->loop && at > 0 && f->out->list.at[at - 1]->loop == want->loop) at--;
    PUSH(f->out->list, e);
    for (int i = f->out->list.count - 1; i > at; i--) f->out->list.at[i] = f->out->list.at[i - 1];
    f->out->list.at[at] = e;
    PUSH(f->copies, made);
    return made.copy;
}

/* The read of `read` in a copy of it. */
static const Node *read_copy(Finder *f, const Node *read, const Copy *want)
{
    Tensor *t = copy_made(f, want);
    const Sum *subs[MAX_RANK];
    int n = 0;
    for (int a = 0; a < read->sums; a++)
        if (a != want->last) subs[n++] = sum_offset(read->sum[a], -want->low[a]);
    subs[n] = sum_offset(read->sum[want->last], -want->low[want->last]);
    return node_read(t, subs);
}

static Copy copy_of(const Node *read, const Equation *e)
{
    Copy c = { .of = read->tensor, .last = read->sums - 1, .loop = e->loop };
    for (int a = 0; a < read->sums; a++) c.extent[a] = read->tensor->extent[a];
    return c;
}

/* ---- the choice of indices ---- */
static bool affine_in(const Node *read, const Index *i)
{
    for (int a = 0; a < read->sums; a++)
        for (int k = 0; k < read->sum[a]->count; k++)
            if (read->sum[a]->term[k].atom && node_uses(read->sum[a]->term[k].atom, i)) return false;
    return true;
}

/* The one axis of the read that i moves along, by single steps; -1 if there is none. */
static int axis_of(const Node *read, const Index *i)
{
    int axis = -1;
    for (int a = 0; a < read->sums; a++) {
        if (!sum_uses(read->sum[a], i)) continue;
        if (axis >= 0 || sum_factor(read->sum[a], i) != 1) return -1;
        axis = a;
    }
    return axis;
}

static bool is_in_left(const Equation *e, const Index *i)
{
    for (int a = 0; a < e->out->rank; a++)
        if (sum_factor(e->left[a], i)) return true;
    return false;
}

static int stride_of(const Node *read, const Index *i) { return sum_factor(place_sum(read->tensor, read->sum), i); }

/* Rows that lie near each other in the broadcast operand, if there are enough of them for a tile. */
static bool is_better_row(const Node *broadcast, const Index *a, const Index *b)
{
    enum { ENOUGH = 5 };
    if ((a->extent >= ENOUGH) != (b->extent >= ENOUGH)) return a->extent >= ENOUGH;
    if (a->extent < ENOUGH) return a->extent > b->extent;
    return abs(stride_of(broadcast, a)) < abs(stride_of(broadcast, b));
}

/* Chooses col (given), operands and row. False if this is no tile. */
static bool choose(const Equation *e, const Product *p, const Index *col, Tile *t)
{
    for (int v = 0; v < 2; v++) {
        const Node *vector = p->read[v], *broadcast = p->read[1 - v];
        if (!node_uses(vector, col) || node_uses(broadcast, col) || axis_of(vector, col) < 0) continue;
        *t = (Tile){ .col = col, .vector = vector, .broadcast = broadcast };
        for (int i = 0; i < e->indices; i++) {
            const Index *row = e->index[i];
            if (row == col || row == e->step || !node_uses(broadcast, row) || node_uses(vector, row) || !affine_in(broadcast, row)) continue;
            if (!is_in_left(e, row)) continue;
            if (!t->row || is_better_row(broadcast, row, t->row)) t->row = row;
        }
        bool fine = affine_in(vector, col) && t->row != NULL;
        for (int i = 0; i < e->reduced_count; i++) fine &= affine_in(vector, e->reduced[i]) && affine_in(broadcast, e->reduced[i]);
        if (fine) return true;
    }
    return false;
}

/* ---- borders ---- */
static bool uses_reduced(const Equation *e, const Node *test)
{
    for (int i = 0; i < e->reduced_count; i++)
        if (node_uses(test, e->reduced[i])) return true;
    return false;
}

/* A test that the tile's loops can ask: when a copy with borders would be much larger, and what is left of the sum inside
 * of the test is long enough. So the taps that a stride leaves out are left out. */
static bool is_to_be_asked(const Equation *e, const Node *test, int extent)
{
    enum { RUN = 16 };
    Range r = sum_range(test->sum[0]);
    int64_t inside = 1;
    for (int i = 0; i < e->reduced_count; i++)
        if (!node_uses(test, e->reduced[i])) inside *= e->reduced[i]->extent;
    return 5 * (r.high - r.low + 1) > 6 * (int64_t)extent && inside >= RUN;
}

static bool pad(Finder *f, const Equation *e, Product *p, Tile *t)
{
    enum { USES = 16 };                          /* of each place of a copy: then its borders may be wide */
    Copy want[2] = { copy_of(p->read[0], e), copy_of(p->read[1], e) };
    bool padded[2] = {0};
    for (int i = 0; i < p->tests.list.count; i++) {
        const Node *test = p->tests.list.at[i];
        bool inside_tile = node_uses(test, t->col) || node_uses(test, t->row);
        int on[2] = { axis_of_test(test, p->read[0]), axis_of_test(test, p->read[1]) };
        int k = on[0] >= 0 ? 0 : on[1] >= 0 ? 1 : -1, axis = k < 0 ? 0 : on[k];
        if (!inside_tile && (k < 0 || !uses_reduced(e, test) || is_to_be_asked(e, test, p->read[k]->tensor->extent[axis]))) {
            t->guard = node_and(t->guard, test);
            continue;
        }
        if (k < 0 || sum_is_gather(test->sum[0])) return false;
        Range r = sum_range(test->sum[0]);
        want[k].low[axis] = (int)r.low;
        want[k].extent[axis] = (int)(r.high - r.low + 1);
        padded[k] = true;
    }
    for (int k = 0; k < 2; k++) {
        if (!padded[k]) continue;
        double before = 1, after = 1;
        for (int a = 0; a < want[k].of->rank; a++) {
            before *= want[k].of->extent[a];
            after *= want[k].extent[a];
        }
        bool dear = !f->always && after > 2.5 * before + 4096 && after * USES > (double)equation_work(e);
        if (dear || (e->loop && is_made_in(f, want[k].of, e->loop))) return false;
    }
    for (int k = 0; k < 2; k++) {
        if (!padded[k]) continue;
        const Node *copy = read_copy(f, p->read[k], &want[k]);
        if (t->vector == p->read[k]) t->vector = copy;
        else t->broadcast = copy;
        p->read[k] = copy;
    }
    return true;
}

/* ---- order ---- */
/* The innermost reduced index is the one along which the vector operand moves least. */
static void order_reduced(const Equation *e, Tile *t)
{
    for (int i = 0; i < e->reduced_count; i++) {
        const Index *k = e->reduced[i];
        int at = t->reduced_count++;
        while (at > 0 && stride_of(t->vector, t->reduced[at - 1]) < stride_of(t->vector, k) && !t->reduced[at - 1]->batch) {
            t->reduced[at] = t->reduced[at - 1];
            at--;
        }
        t->reduced[at] = k;
    }
}

/* A long sum over the samples and more goes a few samples at a time through all tiles, so that both operands stay near;
 * in between the sums lie in memory. The order of additions is the same. */
static void choose_block(const Equation *e, Tile *t)
{
    enum { NEAR = 256, LONG = 1024 };
    if (e->loop || t->guard || t->reduced_count < 2 || !t->reduced[0]->batch) return;
    int64_t inner = 1;
    for (int i = 1; i < t->reduced_count; i++) inner *= t->reduced[i]->extent;
    if (inner * t->reduced[0]->extent < LONG || inner < 16) return;
    t->block = inner >= NEAR ? 1 : (int)(NEAR / inner);
}

/* Neighbours along col must lie side by side in the vector operand: else it is turned. */
static bool turn(Finder *f, const Equation *e, Tile *t)
{
    if (stride_of(t->vector, t->col) == 1) return true;
    Copy want = copy_of(t->vector, e);
    want.last = axis_of(t->vector, t->col);
    if (want.last == 0 && want.of->batch) return false;
    if (e->loop && is_made_in(f, want.of, e->loop)) return false;
    double uses = (double)equation_work(e) / (double)tensor_size(want.of);
    if (uses < 2 && !f->always) return false;
    t->vector = read_copy(f, t->vector, &want);
    return true;
}

static bool find_tile(Finder *f, const Equation *e, Tile *t)
{
    Product p = {0};
    if (e->reduction != RED_SUM || equation_is_scatter(e) || e->out->type != TYPE_FLOAT) return false;
    if (!f->always && equation_work(e) < TILE_WORK) return false;
    if (!product_of(&p, e->value)) return false;
    const Sum *left = place_sum(e->out, e->left);
    for (int i = 0; i < e->indices; i++) {
        const Index *col = e->index[i];
        if (sum_factor(left, col) != 1 || col->extent < 4 || col->batch || col == e->step) continue;
        if (!choose(e, &p, col, t)) continue;
        if (e->test && (node_uses(e->test, t->col) || node_uses(e->test, t->row))) continue;
        if (t->row->extent == 1 && col->extent % PANEL == 0 && col->extent > PANEL) t->row = NULL;
        if (!pad(f, e, &p, t) || !turn(f, e, t)) return false;
        t->guard = node_and(e->test, t->guard);
        order_reduced(e, t);
        choose_block(e, t);
        return true;
    }
    return false;
}

static const TileOf *winners_of(const Tiles *tiles, const Equation *e)
{
    for (int i = 0; i < tiles->list.count; i++)
        if (tiles->list.at[i].e == e && tiles->list.at[i].winners) return &tiles->list.at[i];
    return NULL;
}

/* Borders of what a sum over winners reads. */
static void pad_operand(Finder *f, Winners *w, Equation *e)
{
    Copy want = copy_of(w->operand, e);
    for (int a = 0; a < w->operand->sums && w->padded; a++) {
        want.low[a] = w->low[a];
        want.extent[a] = w->extent[a];
    }
    if (w->padded) pad_winners(w, read_copy(f, w->operand, &want), e);
}

void find_tiles(Equations *all, const EmitOptions *options, Tiles *tiles)
{
    Equations out = {0};
    Finder f = { .out = &out, .all = all, .always = options->force == FORCE_ALL };
    bool blas = options->blas == BLAS_ALWAYS;
    for (int i = 0; i < all->list.count; i++) {
        TileOf t = { .e = all->list.at[i] };
        MatrixProduct product;
        const TileOf *winners = winners_of(tiles, t.e);
        if (winners) {
            pad_operand(&f, winners->winners, all->list.at[i]);
            PUSH(out.list, all->list.at[i]);
        } else if (!(blas && find_product(t.e, &product)) && find_tile(&f, t.e, &t.tile)) {
            Equation *e = equation_copy(t.e);
            e->value = node_guard(t.tile.guard, node2(OP_MUL, t.tile.broadcast, t.tile.vector));
            e->test = NULL;
            t.e = e;
            PUSH(tiles->list, t);
            PUSH(out.list, e);
        } else
            PUSH(out.list, all->list.at[i]);
    }
    *all = out;
}
