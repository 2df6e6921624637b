/* scalar.c: the schedule that does for any equation: a loop for each of its indices, in order, and inside one for each
 * reduced index; a sum is added up in the order of its loops. The outermost loop is shared out over the threads, unless
 * the equation scatters: then one thread adds in order. */
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
    Body *inner = to;
    const CExpr *fused = cexpr_int(0);
    for (int i = 0; i < e->reduced_count; i++) {
        const char *name = scope_index(s, e->reduced[i]);
        inner = &stmt_for(inner, name, cexpr_int(0), index_end(e->reduced[i]))->body;
        fused = cexpr_add(cexpr_scale(fused, e->reduced[i]->extent), cexpr_name(C_INT, name));
    }
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


static void set_to_zero(Scope *s, Tensor *t, Body *to)
{
    Body *inner = to;
    const Sum *subs[MAX_RANK];
    for (int a = 0; a < t->rank; a++) {
        const Index *i = index_new("i", t->extent[a], a == 0 && t->batch);
        inner = &stmt_for(inner, scope_index(s, i), cexpr_int(0), index_end(i))->body;
        subs[a] = sum_index(i);
    }
    s->body = inner;
    stmt_store(inner, scope_element(s, t, subs), scope_stored(s, t, cexpr_int(0)));
}

void scalar_equation(Scope *s, const Equation *e, Body *to)
{
    bool scatter = equation_is_scatter(e), shared = false;
    int names = s->names.count;
    Body *inner = to;
    if (scatter) {
        inner = &stmt_block(to, "OMP_SINGLE")->body;
        set_to_zero(s, e->out, inner);
    }
    for (int i = 0; i < e->indices; i++) {
        if (e->index[i] == e->step) continue;
        Stmt *loop = stmt_for(inner, scope_index(s, e->index[i]), cexpr_int(0), index_end(e->index[i]));
        if (!scatter && !shared) loop->pragma = "OMP_FOR";
        shared = true;
        inner = &loop->body;
    }
    if (!scatter && !shared) inner = &stmt_block(to, "OMP_SINGLE")->body;
    one_place(s, e, inner);
    s->names.count = names;
}

void scalar_kernel(Scope *s, Body *to)
{
    for (int i = 0; i < s->kernel->equations.count; i++) scalar_equation(s, s->kernel->equations.at[i], to);
}
