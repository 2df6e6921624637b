/* rows.c: kernels whose equations share their outer loops, and small ones that one thread does in order. Inside a row an
 * equation runs in vectors along its last index (LANES), in 16 partial sums along a reduced index (REDUCE), or in plain
 * loops. Neighbouring equations with the same inner loops that read each other at their own places only are one loop
 * (a segment): what passes between them stays in registers. What else passes inside a row lies in an array of the row. */
#include "loop/lower.h"
#include <math.h>
#include <string.h>

typedef struct Segment { int first, count; } Segment;

static bool is_local(const Scope *s, const Tensor *t) { return plan_storage(s->plan, plan_home(s->plan, t))->place == PLACE_LOCAL; }

/* ---- segments ---- */
typedef struct OwnPlace { const Tensor *tensor; const Equation *e; bool fine; } OwnPlace;

static void check_own_place(const Node *e, void *data)
{
    OwnPlace *c = data;
    if (e->op != OP_READ || e->tensor != c->tensor) return;
    for (int a = 0; a < e->sums; a++) c->fine &= e->sums == c->e->out->rank && e->sum[a] == c->e->left[a];
}

static bool reads_at_own_place(const Equation *e, const Tensor *t)
{
    OwnPlace c = { t, e, true };
    equation_visit(e, check_own_place, &c);
    return c.fine;
}

/* Does e make every place of its tensor? A piece makes a part: what is at hand then is not what another equation reads
 * at its own place. */
static bool makes_whole(const Equation *e)
{
    for (int a = 0; a < e->out->rank; a++) {
        const Index *x = sum_plain(e->left[a]);
        if (x ? x->extent != e->out->extent[a] : e->out->extent[a] != 1) return false;
    }
    return true;
}

static void hold_made(Scope *s, const Equation *e, const CExpr *value)
{
    scope_hold(s, e->out, makes_whole(e) ? value : NULL, false);
}

/* May equation k run in the loop of the segment that begins at `first`? */
static bool same_segment(const Scope *s, int first, int k)
{
    const Kernel *kernel = s->kernel;
    const Form *f = &kernel->forms.at[first], *g = &kernel->forms.at[k];
    if (f->kind != g->kind || f->kind == FORM_REDUCE || f->loops != g->loops) return false;
    if (f->kind == FORM_PLAIN && kernel->equations.at[first]->reduction != RED_NONE) return false;
    if (f->kind == FORM_PLAIN && kernel->equations.at[k]->reduction != RED_NONE) return false;
    for (int i = kernel->outer; i < f->loops; i++)
        if (f->loop[i]->extent != g->loop[i]->extent || f->loop[i]->batch != g->loop[i]->batch) return false;
    for (int i = first; i < k; i++) {
        const Equation *before = kernel->equations.at[i], *e = kernel->equations.at[k];
        const Tensor *home = plan_home(s->plan, e->out);
        if (!reads_at_own_place(e, before->out) || !reads_at_own_place(before, home)) return false;
        if (equation_needs(e, before->out) && !makes_whole(before)) return false;
        if (equation_needs(before, home) && !makes_whole(e)) return false;
    }
    return true;
}

static bool is_read_after(const Scope *s, const Tensor *t, int from)
{
    for (int i = from; i < s->kernel->equations.count; i++)
        if (equation_needs(s->kernel->equations.at[i], t)) return true;
    return false;
}

/* An array of the row for t is needed: it is local and read outside of the segment that makes it. */
static bool needs_array(const Scope *s, const Tensor *t, const Segment *made)
{
    return is_local(s, t) && is_read_after(s, t, made->first + made->count);
}

static int64_t row_size(const Scope *s, const Tensor *t) { return plan_storage(s->plan, t)->bytes / plan_storage(s->plan, t)->element; }

/* ---- stores ---- */
static void store_scalar(Scope *s, const Equation *e, const CExpr *value, const Segment *segment)
{
    int next = segment->first;
    while (s->kernel->equations.at[next++] != e)
        ;
    bool read = is_read_after(s, e->out, next);
    if (is_local(s, e->out)) {
        if (row_size(s, e->out) == 1 || !needs_array(s, e->out, segment)) {
            const char *name = scope_name(s, c_name(s->plan, e->out));
            CType type = element_type_of(s, e->out);
            stmt_let(s->body, format("const %s", type_name(type)), name, cexpr_to(s, value, type));
            scope_hold(s, e->out, cexpr_name(type, name), row_size(s, e->out) == 1);
            return;
        }
    } else if (read) value = scope_let(s, format("%s_here", c_name(s->plan, plan_home(s->plan, e->out))), value);
    const CExpr *to = scope_element(s, e->out, e->left), *stored = scope_stored(s, e->out, value);
    if (s->kernel->add) stmt_reduce(s->body, "+=", to, stored);
    else stmt_store(s->body, to, stored);
    if (!is_local(s, e->out)) hold_made(s, e, value);
}

/* After the inner loops of a segment what they had at hand is gone. */
static void forget(Scope *s, const Segment *segment)
{
    const Kernel *k = s->kernel;
    for (int q = 0; q < segment->count; q++) {
        const Tensor *out = k->equations.at[segment->first + q]->out;
        bool in_row = k->forms.at[segment->first + q].kind != FORM_LANES && k->forms.at[segment->first + q].loops == k->outer;
        if (!in_row && !(is_local(s, out) && row_size(s, out) == 1)) scope_hold(s, out, NULL, false);
    }
}

/* ---- tests ---- */
/* The value where the test holds, else 0; nothing of it is computed elsewhere. */
static const CExpr *tested_value(Scope *s, const Equation *e)
{
    scope_equation(s, e);
    s->guarded += e->test != NULL;
    const CExpr *value = scope_value(s, e->value);
    if (e->test && value->type == C_BOOL) value = cexpr_to(s, value, C_INT);
    value = scope_tested(s, e->test, value);
    s->guarded -= e->test != NULL;
    return value;
}

static Body *tested(Scope *s, const Equation *e, Body *to)
{
    if (!e->test) return to;
    s->body = to;
    scope_equation(s, e);
    s->shared.count = 0;
    return &stmt_if(to, scope_test(s, e->test))->body;
}

static const CExpr *tested_reduction(Scope *s, const Equation *e, Body *to)
{
    const CExpr *value;
    if (!e->test) value = scalar_reduction(s, e, to);
    else {
        CType type = e->out->type == TYPE_FLOAT ? float_type(s) : C_INT;
        const CExpr *result = cexpr_name(type, scope_name(s, "result"));
        stmt_let(to, type_name(type), result->name, cexpr_number(type, 0));
        Body *inner = tested(s, e, to);
        const CExpr *fold = scalar_reduction(s, e, inner);
        s->body = inner;
        stmt_store(inner, result, cexpr_to(s, fold, type));
        value = result;
    }
    s->body = to;
    return value;
}

/* Loop i of a segment: one variable for the index of each of its equations. */
static Stmt *segment_loop(Scope *s, const Segment *segment, int i, Body *to)
{
    const Form *forms = s->kernel->forms.at + segment->first;
    const char *name = scope_name(s, index_spelling(forms[0].loop[i]));
    for (int q = 0; q < segment->count; q++) scope_bind(s, forms[q].loop[i], cexpr_name(C_INT, name));
    return stmt_for(to, name, cexpr_int(0), index_end(forms[0].loop[i]));
}

/* ---- plain ---- */
static void plain_segment(Scope *s, const Segment *segment, Body *to)
{
    const Kernel *k = s->kernel;
    const Form *f = &k->forms.at[segment->first];
    Body *inner = to;
    for (int i = k->outer; i < f->loops; i++) {
        inner = &segment_loop(s, segment, i, inner)->body;
    }
    for (int q = 0; q < segment->count; q++) {
        const Equation *e = k->equations.at[segment->first + q];
        s->body = inner;
        store_scalar(s, e, e->reduction != RED_NONE ? tested_reduction(s, e, inner) : tested_value(s, e), segment);
    }
    forget(s, segment);
}

/* ---- along a reduced index ---- */
static void reduce_segment(Scope *s, const Segment *segment, Body *to)
{
    const Kernel *k = s->kernel;
    const Equation *e = k->equations.at[segment->first];
    const Form *f = &k->forms.at[segment->first];
    Body *inner = to;
    for (int i = k->outer; i < f->loops; i++) inner = &stmt_for(inner, scope_index(s, f->loop[i]), cexpr_int(0), index_end(f->loop[i]))->body;
    bool sums = e->reduction == RED_SUM;
    const char *name = scope_name(s, sums ? "sum" : e->reduction == RED_MAX ? "max" : "min");
    stmt_let(inner, "vec", format("%s[PARTS]", name), NULL);
    Body *place = inner;
    if (sums) stmt_call(inner, format("clear(%s)", name));
    else stmt_call(inner, format("clear_to(%s, %sINFINITE)", name, e->reduction == RED_MAX ? "-" : ""));
    inner = tested(s, e, inner);
    for (int i = 0; i < e->reduced_count; i++)
        if (e->reduced[i] != f->lane) inner = &stmt_for(inner, scope_index(s, e->reduced[i]), cexpr_int(0), index_end(e->reduced[i]))->body;
    const char *lane = scope_name(s, index_spelling(f->lane)), *part = scope_name(s, "p");
    Stmt *along = stmt_for(inner, lane, cexpr_int(0), index_end(f->lane));
    along->step = "16";
    inner = &stmt_macro(&along->body, format("EACH(%s, PARTS)", part))->body;
    const CExpr *at = cexpr_add(cexpr_name(C_INT, lane), cexpr_infix(C_INT, "*", cexpr_name(C_INT, part), cexpr_name(C_INT, "LANES")));
    scope_bind(s, f->lane, at);
    s->lane = f->lane;
    bool ragged = f->lane->batch || f->lane->extent % 16;
    const CExpr *left = ragged ? cexpr_infix(C_INT, "-", index_end(f->lane), at) : NULL;
    s->lanes_left = left;
    s->body = inner;
    scope_equation(s, e);
    const CExpr *value = cexpr_to(s, scope_value(s, e->value), C_VEC), *sum = cexpr_at(C_VEC, name, cexpr_name(C_INT, part));
    if (ragged && sums) value = cexpr_call2(C_VEC, "where", cexpr_call1(C_MASK, "first", left), value);
    if (ragged && !sums)
        value = cexpr_call3(C_VEC, "pick", cexpr_call1(C_MASK, "first", left), value,
                            cexpr_call1(C_VEC, "splat", cexpr_number(C_REAL, e->reduction == RED_MAX ? -INFINITY : INFINITY)));
    if (sums) stmt_reduce(inner, "+=", sum, value);
    else stmt_store(inner, sum, cexpr_call2(C_VEC, e->reduction == RED_MAX ? "larger" : "smaller", sum, value));
    s->lane = NULL;
    s->lanes_left = NULL;
    s->body = place;
    const CExpr *whole = cexpr_call1(C_REAL, sums ? "total" : e->reduction == RED_MAX ? "largest" : "smallest", cexpr_name(C_VEC, name));
    if (e->test) {
        scope_equation(s, e);
        s->shared.count = 0;
        whole = scope_tested(s, e->test, whole);
    }
    store_scalar(s, e, whole, segment);
    forget(s, segment);
}

/* ---- along the last index ---- */
/* Where the best is: the first of equals, in the order of the loops. */
static const CExpr *lanes_arg(Scope *s, const Equation *e, Body *to)
{
    bool most = e->reduction == RED_ARGMAX;
    const CExpr *best = cexpr_name(C_VEC, scope_name(s, most ? "max" : "min")), *place = cexpr_name(C_INTS, scope_name(s, "place"));
    stmt_let(to, "vec", best->name, cexpr_call1(C_VEC, "splat", cexpr_number(C_REAL, most ? -INFINITY : INFINITY)));
    stmt_let(to, "ints", place->name, cexpr_call1(C_INTS, "splat_int", cexpr_int(0)));
    const Index *lane = s->lane;
    s->lane = NULL;
    Body *inner = tested(s, e, to);
    s->lane = lane;
    const CExpr *fused;
    inner = reduced_loops(s, e, inner, &fused);
    s->body = inner;
    scope_equation(s, e);
    const CExpr *next = scope_let(s, "next", cexpr_to(s, scope_value(s, e->value), C_VEC));
    const CExpr *better = scope_let(s, "better", cexpr_infix(C_MASK, most ? ">" : "<", next, best));
    stmt_store(inner, best, cexpr_call3(C_VEC, "pick", better, next, best));
    stmt_store(inner, place, cexpr_call3(C_INTS, "pick_ints", cexpr_call1(C_INTS_MASK, "to_ints_mask", better),
                                         cexpr_call1(C_INTS, "splat_int", fused), place));
    s->body = to;
    s->shared.count = 0;
    return place;
}

/* The reduction of one vector of places, in the order of its loops. */
static const CExpr *lanes_reduction(Scope *s, const Equation *e, Body *to)
{
    if (e->reduction == RED_ARGMAX || e->reduction == RED_ARGMIN) return lanes_arg(s, e, to);
    bool sums = e->reduction == RED_SUM;
    const CExpr *sum = cexpr_name(C_VEC, scope_name(s, sums ? "sum" : e->reduction == RED_MAX ? "max" : "min"));
    stmt_let(to, "vec", sum->name, cexpr_call1(C_VEC, "splat", cexpr_number(C_REAL, sums ? 0 : e->reduction == RED_MAX ? -INFINITY : INFINITY)));
    const Index *lane = s->lane;
    s->lane = NULL;
    Body *inner = tested(s, e, to);
    s->lane = lane;
    for (int i = 0; i < e->reduced_count; i++)
        inner = &stmt_for(inner, scope_index(s, e->reduced[i]), cexpr_int(0), index_end(e->reduced[i]))->body;
    s->body = inner;
    scope_equation(s, e);
    const CExpr *value = cexpr_to(s, scope_value(s, e->value), C_VEC);
    if (sums) stmt_reduce(inner, "+=", sum, value);
    else stmt_store(inner, sum, cexpr_call2(C_VEC, e->reduction == RED_MAX ? "larger" : "smaller", sum, value));
    s->body = to;
    s->shared.count = 0;
    return sum;
}

static void store_lanes(Scope *s, const Equation *e, const CExpr *value, const CExpr *left, const Segment *segment)
{
    bool local = is_local(s, e->out);
    if (!local || needs_array(s, e->out, segment)) scope_store_lanes(s, e->out, e->left, value, local ? NULL : left);
}

static void lanes_segment(Scope *s, const Segment *segment, bool shared_out, Body *to)
{
    const Kernel *k = s->kernel;
    const Form *f = &k->forms.at[segment->first];
    Body *inner = to;
    for (int i = k->outer; i < f->loops; i++) {
        Stmt *loop = segment_loop(s, segment, i, inner);
        if (shared_out && i == k->outer) loop->pragma = "OMP_FOR";
        if (i == f->loops - 1) loop->step = "LANES";
        if (i == f->loops - 1 && s->lane_from) {
            loop->from = s->lane_from;
            loop->below = s->lane_below;
        }
        inner = &loop->body;
    }
    const CExpr *at = scope_bound(s, f->lane), *left = NULL;
    if (f->lane->batch || f->lane->extent % 16) left = cexpr_infix(C_INT, "-", index_end(f->lane), at);
    s->lanes_left = left;
    scope_repeated(s, segment->first, segment->count);
    const CExpr *values[64];
    if (segment->count > 64) bug("loop: a segment of %d equations", segment->count);
    for (int q = 0; q < segment->count; q++) {
        const Equation *e = k->equations.at[segment->first + q];
        s->lane = k->forms.at[segment->first + q].lane;
        s->body = inner;
        const CExpr *value;
        s->guarded += e->test && e->reduction == RED_NONE;
        if (e->reduction != RED_NONE) value = lanes_reduction(s, e, inner);
        else {
            scope_equation(s, e);
            value = scope_value(s, e->value);
        }
        s->equation = e;
        value = cexpr_to(s, value, lanes_type(e->out));
        value = scope_tested(s, e->test, value);
        s->guarded -= e->test && e->reduction == RED_NONE;
        bool kept = q + 1 < segment->count && is_read_after(s, e->out, segment->first + q + 1);
        bool piece = segment->count > 1 && k->equations.at[segment->first + (q ? q - 1 : 1)]->out == e->out;
        if (kept) value = scope_let(s, is_local(s, e->out) && !needs_array(s, e->out, segment) ? c_name(s->plan, e->out)
                                       : format("%s_here", c_name(s->plan, plan_home(s->plan, e->out))), value);
        else if (piece) value = scope_let(s, "value", value);   /* all loads before the first store */
        values[q] = value;
        hold_made(s, e, value);
    }
    for (int q = 0; q < segment->count; q++) store_lanes(s, k->equations.at[segment->first + q], values[q], left, segment);
    s->repeated.count = 0;
    forget(s, segment);
    s->lane = NULL;
    s->lanes_left = NULL;
}

/* ---- kernels ---- */
static void declare_array(Scope *s, const Equation *e, Body *to)
{
    static const char *const types[] = { "real", "int32_t", "uint8_t" };
    int64_t size = (row_size(s, e->out) + 15) / 16 * 16 + 32;
    stmt_let(to, types[e->out->type], format("%s[%lld] ALIGNED", c_name(s->plan, e->out), (long long)size), NULL);
}

static void segments(Scope *s, Body *to, bool shared_out)
{
    const Kernel *k = s->kernel;
    LIST(Segment) all = {0};
    for (int i = 0; i < k->equations.count;) {
        Segment g = { i, 1 };
        while (i + g.count < k->equations.count && g.count < 64 && same_segment(s, i, i + g.count)) g.count++;
        PUSH(all, g);
        i += g.count;
    }
    LIST(const Tensor *) declared = {0};
    for (int i = 0; i < all.count; i++)
        for (int q = 0; q < all.at[i].count; q++) {
            const Equation *e = k->equations.at[all.at[i].first + q];
            bool known = false;
            for (int d = 0; d < declared.count; d++) known = known || declared.at[d] == e->out;
            if (known || !needs_array(s, e->out, &all.at[i]) || row_size(s, e->out) == 1) continue;
            PUSH(declared, e->out);
            declare_array(s, e, to);
        }
    for (int i = 0; i < all.count; i++) {
        const Form *f = &k->forms.at[all.at[i].first];
        if (f->kind == FORM_LANES) lanes_segment(s, &all.at[i], shared_out, to);
        else if (f->kind == FORM_REDUCE) reduce_segment(s, &all.at[i], to);
        else plain_segment(s, &all.at[i], to);
    }
}

/* A copy that turns a matrix reads a column for each row: lines of the cache serve the next rows only if the columns are
 * short. So the lane's loop goes by blocks, and the blocks are the outermost loop. */
enum { BLOCK = 256 };

static bool turns_a_matrix(const Kernel *k)
{
    const Form *f = &k->forms.at[0];
    int unit, apart;
    if (k->equations.count != 1 || f->kind != FORM_LANES || k->outer == 0 || f->loops != k->outer + 1 || k->sequence) return false;
    if (k->equations.at[0]->reduction != RED_NONE || f->lane->batch || f->lane->extent < 2 * BLOCK) return false;
    return node_lanes(k->equations.at[0]->value, f->lane, &unit, &apart) && apart > 0 && unit == 0;
}

static Body *block_loop(Scope *s, Body *to)
{
    const Kernel *k = s->kernel;
    const Index *lane = k->forms.at[0].lane;
    const char *from = scope_name(s, "from");
    Stmt *blocks = stmt_for(to, from, cexpr_int(0), index_end(lane));
    blocks->step = format("%d", BLOCK);
    blocks->pragma = format("OMP_FOR_%d", k->outer > 3 ? 4 : k->outer + 1);
    s->use->contract = true;
    s->lane_from = cexpr_name(C_INT, from);
    s->lane_below = cexpr_add(s->lane_from, cexpr_int(BLOCK));
    if (lane->extent % BLOCK) s->lane_below = cexpr_call2(C_INT, "min_int", s->lane_below, index_end(lane));
    return &blocks->body;
}

void rows_kernel(Scope *s, Body *to)
{
    const Kernel *k = s->kernel;
    bool serial = k->schedule == SCHEDULE_SERIAL;
    Body *inner = to;
    bool one_loop = k->outer == 0 && !serial && k->equations.count == 1 && k->forms.at[0].kind == FORM_LANES;
    if (k->outer == 0 && !one_loop) inner = &stmt_block(to, "OMP_SINGLE")->body;
    bool by_blocks = turns_a_matrix(k);
    if (by_blocks) inner = block_loop(s, inner);
    for (int i = k->sequence ? 1 : 0; i < k->outer; i++) {
        const Index *first = k->forms.at[0].loop[i];
        const char *name = scope_name(s, index_spelling(first));
        for (int q = 0; q < k->equations.count; q++) scope_bind(s, k->forms.at[q].loop[i], cexpr_name(C_INT, name));
        Stmt *loop = stmt_for(inner, name, cexpr_int(0), index_end(first));
        if (i == 0 && !k->sequence && !by_blocks) {
            loop->pragma = k->outer == 1 ? "OMP_FOR" : format("OMP_FOR_%d", k->outer > 4 ? 4 : k->outer);
            if (k->outer > 1) s->use->contract = true;
        }
        inner = &loop->body;
    }
    segments(s, inner, one_loop);
}
