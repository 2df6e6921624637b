/* scalar.c: the schedule that does for any equation: a loop for each of its indices, in order, and inside one for each
 * reduced index; a sum is added up in the order of its loops. The outermost loop is shared out over the threads, unless
 * the equation scatters: then one thread adds in order, or each thread to columns of its own. */
#include "loop/lower.h"
#include <math.h>

/* ---- reductions ---- */
static const struct { const char *op, *name; double start; } folds[] = {
    [RED_SUM] = { "+=", "sum", 0 },                 [RED_MAX] = { "max", "max", -INFINITY },
    [RED_MIN] = { "min", "min", INFINITY },         [RED_ARGMAX] = { "argmax", "max", -INFINITY },
    [RED_ARGMIN] = { "argmin", "min", INFINITY },   [RED_ANY] = { "|=", "any", 0 },
    [RED_ALL] = { "&=", "all", 1 } };

static bool is_arg(Reduction r) { return r == RED_ARGMAX || r == RED_ARGMIN; }

/* What nothing is larger (smaller) than. */
static const CExpr *fold_start(Scope *s, Reduction r, CType type)
{
    if (type == C_INT && isinf(folds[r].start)) return cexpr_name(C_INT, folds[r].start < 0 ? "INT32_MIN" : "INT32_MAX");
    if (isinf(folds[r].start)) s->use->math = s->use->contract = true;
    return cexpr_number(type, folds[r].start);
}

static CType value_type(const Scope *s, const Equation *e)
{
    if (e->reduction == RED_ANY || e->reduction == RED_ALL) return C_BOOL;
    return e->value->type == TYPE_FLOAT ? float_type(s) : e->value->type == TYPE_INT ? C_INT : C_BOOL;
}

Body *reduced_loops(Scope *s, const Equation *e, Body *to, const CExpr **fused)
{
    *fused = cexpr_int(0);
    for (int i = 0; i < e->reduced_count; i++) {
        const char *name = scope_index(s, e->reduced[i]);
        to = &stmt_for(to, name, cexpr_int(0), index_end(e->reduced[i]))->body;
        *fused = cexpr_add(cexpr_scale(*fused, e->reduced[i]->extent), cexpr_name(C_INT, name));
    }
    return to;
}

/* The loops over the reduced indices; returns what they leave: the sum, the best, its place. */
const CExpr *scalar_reduction(Scope *s, const Equation *e, Body *to)
{
    Reduction r = e->reduction;
    CType type = value_type(s, e);
    if (type == C_BOOL && r != RED_ANY && r != RED_ALL) type = C_INT;
    const CExpr *fold = cexpr_name(type, scope_name(s, folds[r].name)), *place = NULL;
    const CExpr *start = fold_start(s, r, type);
    if (type == C_BOOL) stmt_let(to, "int", fold->name, start);
    else stmt_let(to, type_name(type), fold->name, start);
    if (is_arg(r)) {
        place = cexpr_name(C_INT, scope_name(s, "place"));
        stmt_let(to, "int", place->name, cexpr_int(0));
    }
    const CExpr *fused;
    Body *inner = reduced_loops(s, e, to, &fused);
    s->body = inner;
    scope_equation(s, e);
    const CExpr *value = type == C_BOOL ? scope_test(s, e->value) : cexpr_to(s, scope_value(s, e->value), type);
    if (r == RED_MAX || r == RED_MIN || is_arg(r)) value = scope_let(s, "next", value);
    Stmt *fold_in = stmt_reduce(inner, folds[r].op, fold, value);
    if (is_arg(r)) {
        fold_in->where = place;
        fold_in->at = fused;
    }
    return is_arg(r) ? place : fold;
}

/* ---- stores ---- */
static void store(Scope *s, const Equation *e, const CExpr *value, Body *to)
{
    s->body = to;
    const CExpr *at = scope_element(s, e->out, e->left);
    value = scope_stored(s, e->out, value);
    if (s->kernel->add || equation_is_scatter(e)) stmt_reduce(to, "+=", at, value);
    else stmt_store(to, at, value);
}

/* One place of the left side: test, reduction, store. */
static void one_place(Scope *s, const Equation *e, Body *to)
{
    const CExpr *zero = cexpr_number(element_type_of(s, e->out), 0);
    s->body = to;
    scope_equation(s, e);
    if (e->test) {
        Stmt *test = stmt_if(to, scope_test(s, e->test));
        s->shared.count = 0;
        if (!equation_is_scatter(e) && !s->kernel->add) store(s, e, zero, &test->other);
        to = &test->body;
    }
    const CExpr *value;
    if (e->reduction != RED_NONE) value = scalar_reduction(s, e, to);
    else {
        s->body = to;
        scope_equation(s, e);
        value = scope_value(s, e->value);
    }
    store(s, e, value, to);
}

/* ---- scatters ---- */
enum { COLUMNS = 16 };                           /* of a block: a line of the cache */

/* An index that lies alone on the last axis: no two of its places meet, so threads may share it out, in blocks. */
static const Index *scatter_columns(const Equation *e)
{
    const Index *last = sum_plain(e->left[e->out->rank - 1]);
    if (!last || last == e->step || last->batch || last->extent % COLUMNS || last->extent < 2 * COLUMNS) return NULL;
    for (int a = 0; a + 1 < e->out->rank; a++)
        if (sum_uses(e->left[a], last)) return NULL;
    return last;
}

static Body *column_loop(Scope *s, const Index *column, const CExpr *begin, Body *to)
{
    const char *name = scope_index(s, column);
    const CExpr *from = begin ? begin : cexpr_int(0);
    return &stmt_for(to, name, from, begin ? cexpr_add(begin, cexpr_int(COLUMNS)) : index_end(column))->body;
}

/* out = 0 before anything is added: all of it, its columns from `begin` on, and in a scan the slice of the step (or all of
 * it in the first step, if every step adds to the same). */
static void set_to_zero(Scope *s, const Equation *e, const CExpr *begin, Body *to)
{
    Tensor *t = e->out;
    Body *inner = to;
    const Sum *subs[MAX_RANK];
    bool has_step = false;
    for (int a = 0; a < t->rank; a++) has_step |= e->step && sum_plain(e->left[a]) == e->step;
    if (e->step && !has_step) {
        int first = e->loop->step > 0 ? 0 : e->loop->extent - 1;
        inner = &stmt_if(inner, cexpr_infix(C_BOOL, "==", scope_bound(s, e->step), cexpr_int(first)))->body;
    }
    for (int a = 0; a < t->rank; a++) {
        if (e->step && sum_plain(e->left[a]) == e->step) {
            subs[a] = e->left[a];
            continue;
        }
        const Index *i = index_new("i", t->extent[a], a == 0 && t->batch);
        inner = column_loop(s, i, a == t->rank - 1 ? begin : NULL, inner);
        subs[a] = sum_index(i);
    }
    s->body = inner;
    stmt_store(inner, scope_element(s, t, subs), scope_stored(s, t, cexpr_int(0)));
}

static void scatter_equation(Scope *s, const Equation *e, Body *to)
{
    const Index *column = scatter_columns(e);
    const CExpr *begin = NULL;
    Body *inner;
    if (column) {
        begin = cexpr_name(C_INT, scope_name(s, "block"));
        Stmt *blocks = stmt_for(to, begin->name, cexpr_int(0), index_end(column));
        blocks->step = format("%d", COLUMNS);
        blocks->pragma = "OMP_FOR";
        inner = &blocks->body;
    } else
        inner = &stmt_block(to, "OMP_SINGLE")->body;
    set_to_zero(s, e, begin, inner);
    for (int i = 0; i < e->indices; i++)
        if (e->index[i] != e->step && e->index[i] != column) inner = column_loop(s, e->index[i], NULL, inner);
    if (column) inner = column_loop(s, column, begin, inner);
    one_place(s, e, inner);
}

void scalar_equation(Scope *s, const Equation *e, Body *to)
{
    int names = s->names.count;
    bool shared = false;
    Body *inner = to;
    if (equation_is_scatter(e)) {
        scatter_equation(s, e, to);
        s->names.count = names;
        return;
    }
    for (int i = 0; i < e->indices; i++) {
        if (e->index[i] == e->step) continue;
        Stmt *loop = stmt_for(inner, scope_index(s, e->index[i]), cexpr_int(0), index_end(e->index[i]));
        if (!shared) loop->pragma = "OMP_FOR";
        shared = true;
        inner = &loop->body;
    }
    if (!shared) inner = &stmt_block(to, "OMP_SINGLE")->body;
    one_place(s, e, inner);
    s->names.count = names;
}

void scalar_kernel(Scope *s, Body *to)
{
    for (int i = 0; i < s->kernel->equations.count; i++) scalar_equation(s, s->kernel->equations.at[i], to);
}
