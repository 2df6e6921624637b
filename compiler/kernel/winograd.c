/* winograd.c: a window of 3 taps that moves by single steps needs fewer products. Four neighbours of
 *
 *     y[q] = sum[s in 3] x[q + s] * k[s]            12 products
 *
 * are A ((B x[4 t ..]) * (G k)) with 6 products in the middle: Winograd's F(4, 3) at the points 0, 1, -1, 2, -2 and
 * infinity (Lavin and Gray, Fast algorithms for convolutional neural networks, 2015). So with q = 4 t + u the equation
 * becomes four, of which only the third is long, and that is an ordinary contraction for the ordinary schedule:
 *
 *     v[j, t] = sum[m in 6] B[j, m] x[4 t + m]      u[j] = sum[s in 3] G[j, s] k[s]
 *     p[j, t] = v[j, t] * u[j]                      y[4 t + i] = sum[j in 6] A[i, j] p[j, t]
 *
 * One axis only; all other indices of the equation go along, sums over channels are taken in p. The form has three
 * factors, so the sum over q in y's place (the gradient of k) is the same with the roles of A and G exchanged:
 *
 *     w[j, t] = sum[i in 4] A[i, j] d[4 t + i]      p[j] = sum[t] v[j, t] * w[j, t]      k'[s] = sum[j in 6] G[j, s] p[j]
 *
 * Results differ from the direct form's by some 1e-6 of their size. Borders (`x[..] else 0`) are made in v. The axis in
 * front of the window's goes with t: in v, w and p the two are one axis, (row, t), so rows of the tiles are as many. */
#include "kernel/group.h"

enum { TAPS = 3, OUTPUTS = 4, POINTS = TAPS + OUTPUTS - 1 };
enum { CHANNELS = 16, PLACES = 64, ALL_PLACES = 512 };           /* fewer: the transforms cost more than they save */

static const double B[POINTS][POINTS] = {
    { 4, 0, -5, 0, 1, 0 }, { 0, -4, -4, 1, 1, 0 }, { 0, 4, -4, -1, 1, 0 },
    { 0, -2, -1, 2, 1, 0 }, { 0, 2, -1, -2, 1, 0 }, { 0, 4, 0, -5, 0, 1 } };
static const double G[POINTS][TAPS] = {
    { 1.0 / 4, 0, 0 }, { -1.0 / 6, -1.0 / 6, -1.0 / 6 }, { -1.0 / 6, 1.0 / 6, -1.0 / 6 },
    { 1.0 / 24, 1.0 / 12, 1.0 / 6 }, { 1.0 / 24, -1.0 / 12, 1.0 / 6 }, { 0, 0, 1 } };
static const double A[OUTPUTS][POINTS] = {
    { 1, 1, 1, 1, 1, 0 }, { 0, 1, -1, 2, -2, 0 }, { 0, 1, 1, 4, 4, 0 }, { 0, 1, -1, 8, -8, 1 } };

/* ---- what fits ---- */
/* x[.., q + tap + offset, ..] * other[..]: `tap` has 3 places, q is cut into fours; one of them is on the left side, the
 * other is summed over. */
typedef struct Window {
    const Equation *e;
    const Node *x, *other;
    const Index *tap, *q;
    int axis;                    /* of x: where they meet */
    int offset;
    bool turned;                 /* x has q - tap: taps counted from the other end */
    int other_axis, out_axis;    /* where tap (or q) lies in other, and q (or tap) in the left side */
    int fours;                   /* the places of t */
    const Index *row;            /* of the axis in front, in x and where q is; NULL: t is an axis of its own */
    int low[MAX_RANK], extent[MAX_RANK];         /* of v's axes: x with its borders */
    bool border[MAX_RANK];
} Window;

/* The one axis of subs that uses i, with factor 1 or -1; -1: none or several. */
static int one_axis(const Sum *const *subs, int rank, const Index *i)
{
    int axis = -1;
    for (int a = 0; a < rank; a++) {
        if (!sum_uses(subs[a], i)) continue;
        int factor = sum_factor(subs[a], i);
        if (axis >= 0 || (factor != 1 && factor != -1) || !sum_is_affine(subs[a])) return -1;
        axis = a;
    }
    return axis;
}

/* The axis of the left side, or of other, that is i (other: up to sign and offset). */
static bool find_partner(Window *w, const Index *summed, const Index *left)
{
    w->other_axis = one_axis(w->other->sum, w->other->sums, summed);
    w->out_axis = one_axis(w->e->left, w->e->out->rank, left);
    return w->other_axis >= 0 && w->out_axis >= 0 && sum_plain(w->e->left[w->out_axis]) == left
        && w->other->sum[w->other_axis]->count == 1 && !node_uses(w->other, left);
}

static bool find_axis(Window *w)
{
    w->axis = one_axis(w->x->sum, w->x->sums, w->tap);
    if (w->axis < 0 || one_axis(w->x->sum, w->x->sums, w->q) != w->axis) return false;
    const Sum *at = w->x->sum[w->axis];
    if (at->count != 2 || sum_factor(at, w->q) != 1 || w->x->sums - 1 == w->axis || w->axis == 0) return false;
    w->turned = sum_factor(at, w->tap) < 0;
    w->offset = at->constant - (w->turned ? TAPS - 1 : 0);
    return true;
}

/* Each test must say that an axis of x is inside, and all of its other axes must be plain or have such a test. */
static bool find_borders(Window *w, const Product *p)
{
    for (int a = 0; a < w->x->sums; a++) {
        w->low[a] = 0;
        w->extent[a] = w->x->tensor->extent[a];
        if (!sum_is_affine(w->x->sum[a])) return false;
    }
    w->border[w->axis] = w->offset < 0 || w->offset + OUTPUTS * w->fours + TAPS - 1 > w->x->tensor->extent[w->axis];
    for (int i = 0; i < p->tests.list.count; i++) {
        int axis = axis_of_test(p->tests.list.at[i], w->x);
        if (axis < 0) return false;
        Range r = sum_range(w->x->sum[axis]);
        w->border[axis] = true;
        if (axis == w->axis) continue;
        w->low[axis] = (int)r.low;
        w->extent[axis] = (int)(r.high - r.low + 1);
    }
    return true;
}

/* The plain index in front of the window's axis, in x and beside q. */
static const Index *find_row(const Window *w, bool is_forward)
{
    const Sum *const *subs = is_forward ? w->e->left : w->other->sum;
    int beside = (is_forward ? w->out_axis : w->other_axis) - 1, front = w->axis - 1;
    if (front < (w->x->tensor->batch ? 1 : 0) || beside < 0) return NULL;
    const Index *row = sum_plain(subs[beside]);
    if (!row || row->batch || sum_factor(w->x->sum[front], row) != 1 || one_axis(w->x->sum, w->x->sums, row) != front) return NULL;
    return is_forward && node_uses(w->other, row) ? NULL : row;
}

/* Enough channels on both sides of the product, and places to spread the cost of the transforms over. */
static bool is_worth(const Window *w, bool always)
{
    const Index *in = sum_plain(w->x->sum[w->x->sums - 1]), *out = sum_plain(w->e->left[w->e->out->rank - 1]);
    if (!in || !out || in == out || node_uses(w->x, out) || !node_uses(w->other, out)) return false;
    if (always) return true;
    if (in->extent < CHANNELS || out->extent < CHANNELS || in->extent % 8 || out->extent % 8) return false;
    int64_t places = tensor_size(w->x->tensor) / in->extent;
    int64_t sample = w->x->tensor->batch ? places / w->x->tensor->extent[0] : places;
    return sample >= PLACES && places >= ALL_PLACES;
}

static bool window_fits(Window *w, const Product *p, bool always)
{
    bool forward = equation_reduces(w->e, w->tap) && !equation_reduces(w->e, w->q);
    if (w->tap->extent != TAPS || w->tap->batch || w->q->batch || !find_axis(w)) return false;
    if (!forward && (w->turned || equation_reduces(w->e, w->tap) || !equation_reduces(w->e, w->q))) return false;
    if (forward ? !find_partner(w, w->tap, w->q) : !find_partner(w, w->q, w->tap)) return false;
    if (!forward && sum_plain(w->other->sum[w->other_axis]) != w->q) return false;
    if (w->e->out->rank + 1 > MAX_RANK || w->x->sums + 1 > MAX_RANK) return false;
    w->fours = (w->q->extent + OUTPUTS - 1) / OUTPUTS;
    if (!always && 5 * OUTPUTS * w->fours > 6 * w->q->extent) return false; /* mostly places that nobody asks for */
    w->row = find_row(w, forward);
    return find_borders(w, p) && is_worth(w, always);
}

static bool find_window(const Equation *e, Window *w, bool always)
{
    Product p = {0};
    if (e->reduction != RED_SUM || e->test || e->loop || equation_is_scatter(e) || !product_of(&p, e->value)) return false;
    const Index *all[2 * MAX_RANK];
    int n = 0;
    for (int i = 0; i < e->indices; i++) all[n++] = e->index[i];
    for (int i = 0; i < e->reduced_count; i++) all[n++] = e->reduced[i];
    for (int side = 0; side < 2; side++)
        for (int a = n - 1; a >= 0; a--)
            for (int b = n - 1; b >= 0; b--) {
                *w = (Window){ .e = e, .x = p.read[side], .other = p.read[1 - side], .tap = all[a], .q = all[b] };
                if (a != b && window_fits(w, &p, always)) return true;
            }
    return false;
}

/* ---- the equations ---- */
typedef struct MadeV { Window window; Tensor *v; } MadeV;
typedef struct Made { MadeV *at; int count, room; } Made;
typedef struct Sums { int count; const Sum *at[MAX_RANK]; } Sums;

static const Node *scaled(double f, const Node *e) { return f == 1 ? e : node2(OP_MUL, node_float(f), e); }

/* a + f b, f of either sign; a may be NULL */
static const Node *plus(const Node *a, double f, const Node *b)
{
    if (f == 0 || !b) return a;
    if (!a) return f > 0 ? scaled(f, b) : node1(OP_NEG, scaled(-f, b));
    return node2(f < 0 ? OP_SUB : OP_ADD, a, scaled(f < 0 ? -f : f, b));
}

/* Sum of factor[k] term[k]. Rows of the matrices come in twos that differ in the sign of every other term: the terms of
 * odd k are one subexpression of both. */
static const Node *by_parity(int n, const double *factor, const Node *const *term)
{
    const Node *even = NULL, *odd = NULL;
    double sign = 0;
    for (int k = n - 1; k >= 0; k--) {
        if (k % 2 == 0) { even = plus(even, factor[k], term[k]); continue; }
        if (sign == 0 && factor[k] != 0) sign = factor[k] < 0 ? -1 : 1;
        odd = plus(odd, sign * factor[k], term[k]);
    }
    return plus(even, sign, odd);
}

/* The same for columns: terms 1 and 2, 3 and 4 have factors that differ in sign at most. */
static const Node *by_twos(const double *factor, const Node *const *term)
{
    const Node *sum = plus(NULL, factor[0], term[0]);
    for (int k = 1; k + 1 < POINTS; k += 2) {
        const Node *two = node2(factor[k] == factor[k + 1] ? OP_ADD : OP_SUB, term[k], term[k + 1]);
        sum = plus(sum, factor[k], two);
    }
    return plus(sum, factor[POINTS - 1], term[POINTS - 1]);
}

static Equation *add(Equations *to, const Window *w, Tensor *out, const Sums *left, int indices, const Index *const *index, const Node *value)
{
    Equation *e = equation_new(out, left->at, indices, index, value);
    e->at = w->e->at;
    e->layer = w->e->layer;
    PUSH(to->list, e);
    return e;
}

static Tensor *tensor_like(const Window *w, const char *suffix, int rank, const int *extent, bool batch)
{
    Tensor *t = tensor_new(format("%s.%s", w->e->out->name, suffix), rank, extent, batch, TYPE_FLOAT, ROLE_TEMP);
    t->at = w->e->at;
    return t;
}

/* The places [n, j, .., (row, t), ..] of v, w and p: the point is the first axis after the batch's; at `axis` of subs
 * stands t, or NULL where there is none. */
static Sums places(const Window *w, const Sum *const *subs, int rank, int axis, const Sum *point, bool batch)
{
    Sums to = {0};
    for (int a = 0; a < rank; a++) {
        if (a == (batch ? 1 : 0)) to.at[to.count++] = point;
        if (a == axis && !subs[a]) continue;
        if (a == axis && w->row) to.at[to.count - 1] = sum_add(sum_scale(to.at[to.count - 1], w->fours), subs[a]);
        else to.at[to.count++] = subs[a];
    }
    return to;
}

/* The extents of the same. */
static int extents(const Window *w, int *to, const int *of, int rank, int axis, bool has_t, bool batch)
{
    int n = 0;
    for (int a = 0; a < rank; a++) {
        if (a == (batch ? 1 : 0)) to[n++] = POINTS;
        if (a != axis) to[n++] = of[a];
        else if (has_t && w->row) to[n - 1] *= w->fours;
        else if (has_t) to[n++] = w->fours;
    }
    return n;
}

/* What is read of `from` with its window's axis at 4 t + k */
typedef struct Fours {
    Tensor *from;
    int axis, offset, count;     /* k from offset on, so many */
    const double *factors;       /* factors[j * row + k * column] */
    int row, column;
    const int *low;              /* of the places in `out`, by axis; */
    const bool *border;          /* a read may be outside of this axis: 0 */
} Fours;

/* out[n, j, ..] = sum of factors * from[.., 4 t + k, ..], for the points j */
static void transform(Equations *to, const Window *w, Tensor *out, const Fours *f)
{
    const Index *index[MAX_RANK];
    const Sum *at[MAX_RANK], *subs[MAX_RANK];
    for (int a = 0; a < f->from->rank; a++) {
        index[a] = index_new(a == f->axis ? "t" : axis_letter(a), a == f->axis ? w->fours : f->from->extent[a], a == 0 && f->from->batch);
        subs[a] = sum_index(index[a]);
        at[a] = a == f->axis ? subs[a] : sum_offset(subs[a], -f->low[a]);
    }
    const Node *term[POINTS];
    for (int k = 0; k < f->count; k++) {
        subs[f->axis] = sum_offset(sum_scale(sum_index(index[f->axis]), OUTPUTS), k + f->offset);
        term[k] = node_read(f->from, subs);
        if (f->border[f->axis]) term[k] = node_guard(node_in(subs[f->axis], f->from->extent[f->axis]), term[k]);
    }
    for (int j = 0; j < POINTS; j++) {
        double factor[POINTS];
        for (int k = 0; k < f->count; k++) factor[k] = f->factors[j * f->row + k * f->column];
        Sums left = places(w, at, f->from->rank, f->axis, sum_constant(j), f->from->batch);
        add(to, w, out, &left, f->from->rank, index, by_parity(f->count, factor, term));
    }
}

/* The places of v that stand for no place of x along `axis`: 0 */
static void clear_borders(Equations *to, const Window *w, Tensor *v, int axis)
{
    const Index *index[MAX_RANK];
    const Sum *at[MAX_RANK];
    for (int b = 0; b < w->extent[axis]; b++) {
        int inside = b + w->low[axis], indices = 0;
        if (inside >= 0 && inside < w->x->tensor->extent[axis]) continue;
        const Index *point = index_new("j", POINTS, false);
        for (int a = 0; a < w->x->sums; a++) {
            if (a == (w->x->tensor->batch ? 1 : 0)) index[indices++] = point;
            at[a] = sum_constant(b);
            if (a == axis) continue;
            index[indices++] = index_new(a == w->axis ? "t" : axis_letter(a), a == w->axis ? w->fours : w->extent[a], a == 0 && w->x->tensor->batch);
            at[a] = sum_index(index[indices - 1]);
        }
        Sums left = places(w, at, w->x->sums, w->axis, sum_index(point), w->x->tensor->batch);
        add(to, w, v, &left, indices, index, node_float(0));
    }
}

static bool same_v(const Window *a, const Window *b)
{
    bool same = a->x->tensor == b->x->tensor && a->axis == b->axis && a->offset == b->offset && a->fours == b->fours && !a->row == !b->row;
    for (int i = 0; i < a->x->sums && same; i++)
        same = a->low[i] == b->low[i] && a->extent[i] == b->extent[i] && a->border[i] == b->border[i];
    return same;
}

/* v, of x; the forward sum and the gradient of the taps have the same */
static Tensor *transformed_x(Equations *to, Made *made, const Window *w)
{
    for (int i = 0; i < made->count; i++)
        if (same_v(&made->at[i].window, w)) return made->at[i].v;
    int extent[MAX_RANK], rank = extents(w, extent, w->extent, w->x->sums, w->axis, true, w->x->tensor->batch);
    Tensor *v = tensor_like(w, "v", rank, extent, w->x->tensor->batch);
    Fours f = { w->x->tensor, w->axis, w->offset, POINTS, &B[0][0], POINTS, 1, w->low, w->border };
    for (int a = 0; a < w->x->sums; a++)
        if (a != w->axis) clear_borders(to, w, v, a);
    transform(to, w, v, &f);
    PUSH(*made, ((MadeV){ *w, v }));
    return v;
}

/* The place in v of the product's x; z stands for (row, t), or for t. */
static const Node *read_v(const Window *w, Tensor *v, const Index *j, const Index *z)
{
    const Sum *subs[MAX_RANK];
    for (int a = 0; a < w->x->sums; a++) {
        subs[a] = a == w->axis ? sum_index(z) : sum_offset(w->x->sum[a], -w->low[a]);
        if (a == w->axis - 1 && w->row) subs[a] = sum_sub(subs[a], sum_index(w->row));
    }
    Sums all = places(w, subs, w->x->sums, w->axis, sum_index(j), w->x->tensor->batch);
    return node_read(v, all.at);
}

/* u[j, ..] of the taps */
static Tensor *transformed_taps(Equations *to, const Window *w)
{
    Tensor *k = w->other->tensor;
    int extent[MAX_RANK], n = 0, axis = w->other_axis;
    const Index *index[MAX_RANK];
    const Sum *subs[MAX_RANK];
    Sums left = { .count = k->rank };
    extent[n++] = POINTS;
    for (int a = 0; a < k->rank; a++) {
        if (a == axis) continue;
        index[n - 1] = index_new(axis_letter(a), k->extent[a], a == 0 && k->batch);
        subs[a] = left.at[n] = sum_index(index[n - 1]);
        extent[n++] = k->extent[a];
    }
    Tensor *u = tensor_like(w, "u", n, extent, false);
    const Sum *at = w->other->sum[axis];
    const Node *term[TAPS];
    for (int s = 0; s < TAPS; s++) {
        int tap = w->turned ? TAPS - 1 - s : s;
        subs[axis] = sum_constant(sum_factor(at, w->tap) * tap + at->constant);
        term[s] = node_read(k, subs);
    }
    for (int j = 0; j < POINTS; j++) {
        left.at[0] = sum_constant(j);
        add(to, w, u, &left, n - 1, index, by_parity(TAPS, G[j], term));
    }
    return u;
}

static const Node *read_taps(const Window *w, Tensor *u, const Index *j)
{
    const Sum *subs[MAX_RANK];
    int n = 0;
    subs[n++] = sum_index(j);
    for (int a = 0; a < w->other->sums; a++)
        if (a != w->other_axis) subs[n++] = w->other->sum[a];
    return node_read(u, subs);
}

/* w, of the values that are summed over q */
static Tensor *transformed_other(Equations *to, const Window *w)
{
    static const int low[MAX_RANK];
    bool border[MAX_RANK] = {0};
    border[w->other_axis] = OUTPUTS * w->fours > w->q->extent;
    Tensor *d = w->other->tensor;
    int extent[MAX_RANK], rank = extents(w, extent, d->extent, d->rank, w->other_axis, true, d->batch);
    Tensor *made = tensor_like(w, "w", rank, extent, d->batch);
    Fours f = { d, w->other_axis, 0, OUTPUTS, &A[0][0], 1, POINTS, low, border };
    transform(to, w, made, &f);
    return made;
}

static const Node *read_other(const Window *w, Tensor *d, const Index *j, const Index *z)
{
    const Sum *subs[MAX_RANK];
    for (int a = 0; a < w->other->sums; a++) {
        subs[a] = a == w->other_axis ? sum_index(z) : w->other->sum[a];
        if (a == w->other_axis - 1 && w->row) subs[a] = sum_constant(0);
    }
    Sums all = places(w, subs, w->other->sums, w->other_axis, sum_index(j), w->other->tensor->batch);
    return node_read(d, all.at);
}

/* Copies indices but row, q and the tap; z comes for q where it stands. */
static int indices_with(const Window *w, const Index **to, const Index *const *from, int count, const Index *z)
{
    int n = 0;
    for (int i = 0; i < count; i++) {
        if (from[i] == w->q) to[n++] = z;
        else if (from[i] != w->row && from[i] != w->tap) to[n++] = from[i];
    }
    return n;
}

/* The left side of w->e with the point, and `at` for q (NULL for the tap's axis). */
static Sums left_with(const Window *w, const Sum *point, const Sum *at, bool without_row)
{
    const Sum *subs[MAX_RANK];
    for (int a = 0; a < w->e->out->rank; a++) {
        subs[a] = a == w->out_axis ? at : w->e->left[a];
        if (without_row && at && a == w->out_axis - 1 && w->row) subs[a] = sum_constant(0);
    }
    return places(w, subs, w->e->out->rank, w->out_axis, point, w->e->out->batch);
}

/* p[.., j, ..] = sum[the rest] a * b */
static Tensor *products(Equations *to, const Window *w, const Index *j, const Index *z, bool is_forward, const Node *value)
{
    const Equation *e = w->e;
    const Index *index[MAX_RANK];
    int extent[MAX_RANK], rank = extents(w, extent, e->out->extent, e->out->rank, w->out_axis, is_forward, e->out->batch);
    int indices = indices_with(w, index, e->index, e->indices, z);
    for (int i = indices++; i > (e->out->batch ? 1 : 0); i--) index[i] = index[i - 1];
    index[e->out->batch ? 1 : 0] = j;
    Sums left = left_with(w, sum_index(j), is_forward ? sum_index(z) : NULL, true);
    Equation *made = add(to, w, tensor_like(w, "p", rank, extent, e->out->batch), &left, indices, index, value);
    made->reduction = RED_SUM;
    made->reduced_count = indices_with(w, made->reduced, e->reduced, e->reduced_count, z);
    return made->out;
}

/* What w->e makes, from p: piece i of it, at places 4 t + i (t runs as far as there are such), or at tap i (t NULL) */
static void result(Equations *to, const Window *w, Tensor *p, const Index *t, int i, const double *factor)
{
    const Equation *e = w->e;
    const Index *index[MAX_RANK];
    int indices = 0;
    for (int k = 0; k < e->indices; k++)
        if (e->index[k] != w->q && e->index[k] != w->tap) index[indices++] = e->index[k];
        else if (t) index[indices++] = t;
    const Node *term[POINTS];
    for (int j = 0; j < POINTS; j++) {
        Sums all = left_with(w, sum_constant(j), t ? sum_index(t) : NULL, false);
        term[j] = node_read(p, all.at);
    }
    Sums left = { .count = e->out->rank };
    for (int a = 0; a < e->out->rank; a++) left.at[a] = e->left[a];
    left.at[w->out_axis] = t ? sum_offset(sum_scale(sum_index(t), OUTPUTS), i) : sum_constant(i);
    add(to, w, e->out, &left, indices, index, by_twos(factor, term));
}

static void results(Equations *to, const Window *w, Tensor *p, bool is_forward)
{
    const Index *t = is_forward ? index_new("t", w->fours, false) : NULL;
    for (int i = 0; i < (is_forward ? OUTPUTS : TAPS); i++) {
        double factor[POINTS];
        int fours = (w->q->extent - i + OUTPUTS - 1) / OUTPUTS;
        if (is_forward && fours != t->extent) t = index_new("t", fours, false);
        for (int j = 0; j < POINTS; j++) factor[j] = is_forward ? A[i][j] : G[j][i];
        result(to, w, p, t, i, factor);
    }
}

static void rewrite(Equations *to, Made *made, const Window *w)
{
    bool is_forward = equation_reduces(w->e, w->tap);
    const Index *j = index_new("j", POINTS, false), *z = index_new("z", w->fours * (w->row ? w->row->extent : 1), false);
    Tensor *v = transformed_x(to, made, w), *p;
    if (is_forward) {
        Tensor *u = transformed_taps(to, w);
        p = products(to, w, j, z, true, node2(OP_MUL, read_v(w, v, j, z), read_taps(w, u, j)));
        results(to, w, p, true);
    } else {
        Tensor *d = transformed_other(to, w);
        p = products(to, w, j, z, false, node2(OP_MUL, read_v(w, v, j, z), read_other(w, d, j, z)));
        results(to, w, p, false);
    }
}

void find_windows(Equations *all, bool always)
{
    Equations out = {0};
    Made made = {0};
    for (int i = 0; i < all->list.count; i++) {
        Window w;
        if (find_window(all->list.at[i], &w, always)) rewrite(&out, &made, &w);
        else PUSH(out.list, all->list.at[i]);
    }
    *all = out;
}
