/* reads.c: reads of tensors, x[..] and x[..] else e, and reductions. A subscript becomes an integer sum; what must hold
 * for it to lie on its axis is proved by ranges or, before `else`, becomes a test. */
#include "tensor/elaborate.h"
#include <string.h>

/* ---- what stands before [ ] -------------------------------------------------------------------------------------- */
Value read_base(Scope *s, const Expr *e, bool quiet)
{
    if (quiet && e->kind == EXPR_NAME) {
        Entry *entry = scope_find(s, e->name);
        if (!entry) return value_none();
        if (entry->pieces && !entry->pieces->closed) return entry->value;
    }
    if (quiet && e->kind == EXPR_FIELD) {
        Value left = e->left->kind == EXPR_NAME && scope_find(s, e->left->name) ? scope_find(s, e->left->name)->value
                                                                                : value_none();
        if (left.kind != VALUE_PART || !left.part->shared || !left.part->shared->last) return value_none();
        if (!scope_find(left.part->shared->last, e->name)) return value_none();
    }
    return express(s, e);
}

/* ---- subscripts -------------------------------------------------------------------------------------------------- */
static const Sum *int_sum(Scope *s, Value v, Place at)
{
    if (v.kind == VALUE_POISON) return NULL;
    if (v.kind == VALUE_NUMBER && v.type == TYPE_INT) return sum_constant((int)v.number);
    if (v.kind == VALUE_NODE && v.node->type == TYPE_INT) return sum_node(v.node);
    if (v.kind == VALUE_NODE && v.node->type == TYPE_FLOAT) {
        scope_error(s, at, "a subscript must be an int, this is a float");
        help("int(e) drops what is behind the point");
        return NULL;
    }
    scope_error(s, at, "a subscript must be an int, this is %s", value_kind_text(v));
    return NULL;
}

static const Sum *named_sum(Scope *s, const Sub *x)
{
    const Bound *b = x->index ? bound_find(s, x->name) : NULL;
    if (b) return sum_node(b->node);
    if (x->index) {
        scope_error(s, x->at, "%s is no index of this equation and no constant", x->name);
        help("indices stand on the left side, or are reduced: sum[%s] ..", x->name);
        return NULL;
    }
    return int_sum(s, name_value(s, x->name, x->at), x->at);
}

static int part_extent(Scope *s, const Sub *sub, int me, int extent)
{
    const Sub *x = &sub->part[me];
    const AxisRange *r = x->index ? range_find(s, x->name) : NULL;
    if (r) return r->extent;
    int64_t others = 1;
    for (int i = 0; i < sub->fused; i++) {
        const AxisRange *o = i != me && sub->part[i].index ? range_find(s, sub->part[i].name) : NULL;
        if (o) others *= o->extent;
    }
    return others ? (int)(extent / others) : 1;
}

static const Sum *fused_sum(Scope *s, const Sub *sub, int extent)
{
    const Sum *a = sum_constant(0);
    int64_t span = 1;
    for (int i = 0; i < sub->fused; i++) {
        int n = part_extent(s, sub, i, extent);
        const Sum *x = subscript_sum(s, &sub->part[i], n);
        if (!x) return NULL;
        for (int k = 0; k < x->count; k++)
            if (x->term[k].index && x->term[k].index->batch) {
                scope_error(s, sub->part[i].at, "the batch cannot be part of a fused axis");
                return NULL;
            }
        a = sum_add(sum_scale(a, n), x);
        span *= n;
    }
    if (span != extent) {
        scope_error(s, sub->at, "the fused axis has %lld places, but the axis that it reads has %d", (long long)span,
                    extent);
        return NULL;
    }
    return a;
}

/* A / k: where it is not whole it lies off the axis. */
static const Sum *divided_sum(Scope *s, const Expr *e)
{
    const Sum *a = int_sum(s, express(s, e->left), e->left->at);
    int k;
    if (!a || !express_int(s, e->right, "the divisor of a subscript", 1, 1 << 30, &k)) return NULL;
    const Node *whole = node2(OP_EQ, node_sum(sum_mod(a, k)), node_int(0));
    if (!node_is_true(whole)) {
        if (!s->tests) {
            scope_error(s, e->at, "this place may not be whole: say what is found there, x[..] else 0");
            return NULL;
        }
        PUSH(*s->tests, whole);
    }
    return sum_exact(a, k);
}

const Sum *subscript_sum(Scope *s, const Sub *x, int extent)
{
    if (x->empty) return sum_constant(0);
    if (x->fused) return fused_sum(s, x, extent);
    if (x->name) return named_sum(s, x);
    if (x->expr->kind == EXPR_BINARY && x->expr->op == AST_DIV) return divided_sum(s, x->expr);
    Tests *tests = s->tests;
    s->tests = NULL; /* a read inside a subscript has its own else */
    Value v = express(s, x->expr);
    s->tests = tests;
    return int_sum(s, v, x->at);
}

/* (0, h, d), c of `as "name"[..]`: h and d are indices of the holder; a constant part counts as if it had one place
 * more. */
const Sum *foreign_sum(Scope *s, const Sub *sub)
{
    if (!sub->fused) return subscript_sum(s, sub, 0);
    const Sum *a = sum_constant(0);
    for (int i = 0; i < sub->fused; i++) {
        const Sub *x = &sub->part[i];
        const AxisRange *r = x->index ? range_find(s, x->name) : NULL;
        const Sum *part = subscript_sum(s, x, 0);
        if (!part) return NULL;
        int64_t n = r ? r->extent : sum_range(part).high + 1;
        a = sum_add(sum_scale(a, i == 0 ? 1 : (int)n), part);
    }
    return a;
}

static bool uses_batch_index(const Sum *a)
{
    for (int i = 0; i < a->count; i++)
        if (a->term[i].index && a->term[i].index->batch) return true;
    return false;
}

/* ", or give h a shorter range: h in 27", if that would do. */
static const char *shorter_range(Scope *s, const Sum *a, int extent)
{
    if (a->count != 1 || !a->term[0].index || a->term[0].factor < 0 || a->constant < 0) return "";
    int most = (extent - 1 - a->constant) / a->term[0].factor + 1;
    for (int i = 0; i < s->bound.count; i++)
        if (most > 0 && s->bound.at[i].node == node_sum(sum_index(a->term[0].index)))
            return format(", or give %s a shorter range: %s in %d", s->bound.at[i].name, s->bound.at[i].name, most);
    return "";
}

/* Sum a at an axis: on it always, or under a test, or an error. */
static bool axis_check(Scope *s, const Expr *e, const Sub *x, const Sum *a, const Index *axis)
{
    if (axis->batch) {
        const Index *i = sum_plain(a);
        if (i && i->batch) return true;
        scope_error(
            s, x->at,
            "the batch axis of %s can only be read at its own index: samples do not see each other but in reductions",
            expr_text(e->left));
        return false;
    }
    if (uses_batch_index(a)) {
        scope_error(s, x->at,
                    "an index of the batch has no place on another axis: its length is known only at run time");
        return false;
    }
    const Node *inside = node_in(a, axis->extent);
    if (node_is_true(inside)) return true;
    if (s->tests) {
        PUSH(*s->tests, inside);
        return true;
    }
    if (sum_is_gather(a)) return true; /* held within its axis, or checked when the batch comes in */
    Range r = sum_range(a);
    if (r.low == r.high)
        scope_error(s, x->at, "place %lld is not on this axis of %s, which has the places 0..%d", (long long)r.low,
                    expr_text(e->left), axis->extent - 1);
    else
        scope_error(s, x->at, "this read of %s leaves its axis: it takes the places %lld..%lld of 0..%d",
                    expr_text(e->left), (long long)r.low, (long long)r.high, axis->extent - 1);
    help("say what is found off the axis: %s else 0%s", expr_text(e), shorter_range(s, a, axis->extent));
    return false;
}

/* ---- reads ------------------------------------------------------------------------------------------------------- */
static Value list_element(Scope *s, const Expr *e, const ValueList *l, bool *done)
{
    *done = false;
    if (e->subs.count != 1 || e->subs.at[0].kind != SUB_EXPR || e->subs.at[0].expr->kind == EXPR_FUSED)
        return value_none();
    const Expr *x = e->subs.at[0].expr;
    if (x->kind == EXPR_NAME && is_index_name(s, x->name)) return value_none();
    Value v = express(s, x);
    if (v.kind == VALUE_NODE) return value_none();
    *done = true;
    if (v.kind == VALUE_POISON) return v;
    if (!value_is_int(v) || v.number < 0 || v.number >= l->count) {
        scope_error(s, x->at, "a list of %d elements has no element %s", l->count, value_text(v));
        return value_poison();
    }
    return l->at[(int)v.number];
}

static Value tensor_read(Scope *s, const Expr *e, const Whole *w)
{
    SubList subs = { 0 };
    if (!subs_expand(s, &e->subs, w->rank, false, &subs)) return value_poison();
    if (subs.count != w->rank) {
        subscripts_miscounted(s, e, w, subs.count);
        return value_poison();
    }
    const Sum *sum[MAX_RANK];
    Tests *tests = s->tests;
    bool ok = true;
    for (int k = 0; k < w->rank; k++) {
        sum[k] = subscript_sum(s, &subs.at[k], w->axis[k]->extent);
        ok = ok && sum[k] && axis_check(s, e, &subs.at[k], sum[k], w->axis[k]);
        s->tests = tests;
    }
    return ok ? value_node(node_read(w->node->tensor, sum)) : value_poison();
}

Value express_read(Scope *s, const Expr *e)
{
    Value base = read_base(s, e->left, false);
    if (base.kind == VALUE_LIST) {
        bool done;
        Value v = list_element(s, e, base.list, &done);
        if (done) return v;
        base = value_to_tensor(s, base);
    }
    if (base.kind == VALUE_POISON) return base;
    if (base.kind == VALUE_PART && base.part->function != OP_OPERATIONS && s->example)
        return example_input(s, e, base.part->function == OP_TO_INT ? TYPE_INT : TYPE_FLOAT);
    if (e->subs.count == 0 && (base.kind == VALUE_NODE || base.kind == VALUE_NUMBER)) return base;
    if (base.kind != VALUE_TENSOR) {
        scope_error(s, e->at, "%s is %s, it has no axes to read", expr_text(e->left), value_kind_text(base));
        return value_poison();
    }
    if (!whole_is_leaf(base.whole)) base = name_it(s, expr_text(e->left), base);
    return base.kind == VALUE_TENSOR ? tensor_read(s, e, base.whole) : base;
}

Value express_else(Scope *s, const Expr *e)
{
    if (e->left->kind != EXPR_READ) {
        scope_error(s, e->left->at, "what stands before else must be a read, x[..]");
        return value_poison();
    }
    Tests here = { 0 }, *before = s->tests;
    s->tests = &here;
    Value r = express_read(s, e->left);
    s->tests = before;
    const Node *test = NULL;
    for (int i = 0; i < here.count; i++) test = node_and(test, here.at[i]);
    if (r.kind == VALUE_POISON || !test || node_is_true(test)) return r;
    s->tests = NULL;
    Value off = express(s, e->right);
    s->tests = before;
    return value_select(s, value_node(test), r, off, e->at);
}

/* ---- reductions -------------------------------------------------------------------------------------------------- */
typedef struct Reducing {
    int count;
    const Index *index[MAX_RANK];
} Reducing;

static bool reduce_bind(Scope *s, const Expr *e, const Sub *x, Reducing *k)
{
    for (int i = 0; i < x->fused; i++)
        if (!reduce_bind(s, e, &x->part[i], k)) return false;
    if (x->fused) return true;
    int low, high;
    bool batch;
    if (!x->index) {
        if (x->name)
            scope_error(s, x->at, "%s is a name of this body, it cannot be reduced", x->name);
        else
            scope_error(s, x->at, "expected an index to reduce over");
        return false;
    }
    if (bound_find(s, x->name)) {
        scope_error(s, x->at, "the index %s is on the left side or reduced already: it cannot be reduced again",
                    x->name);
        return false;
    }
    if (k->count == MAX_RANK) {
        scope_error(s, x->at, "a reduction over more than %d indices", MAX_RANK);
        return false;
    }
    if (!index_extent(s, x->name, x->at, e->left, &low, &high, &batch)) return false;
    const Index *i = index_for(s, x->name, low, high, batch);
    k->index[k->count++] = i;
    PUSH(s->bound, ((Bound){ x->name, node_sum(sum_offset(sum_index(i), low)) }));
    PUSH(s->e->context, i);
    return true;
}

/* The number of places of some indices: a number, or so many times n. */
static const Node *places(const Reducing *k, const bool *counted)
{
    double count = 1;
    bool batch = false;
    for (int i = 0; i < k->count; i++) {
        if (!counted[i]) continue;
        if (k->index[i]->batch)
            batch = true;
        else
            count *= k->index[i]->extent;
    }
    return batch ? node_to_float(node_count(count)) : node_float(count);
}

static Value reduce_value(Scope *s, const char *name, const Reducing *k, const Node *body)
{
    static const struct {
        const char *name;
        Reduction reduction;
    } table[] = {
        { "sum", RED_SUM },       { "mean", RED_SUM },      { "max", RED_MAX }, { "min", RED_MIN },
        { "argmax", RED_ARGMAX }, { "argmin", RED_ARGMIN }, { "any", RED_ANY }, { "all", RED_ALL },
    };
    Reduction reduction = RED_NONE;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(table[i].name, name)) reduction = table[i].reduction;
    bool sum = reduction == RED_SUM, mean = !strcmp(name, "mean"),
         arg = reduction == RED_ARGMAX || reduction == RED_ARGMIN;
    if (sum) body = node_to_float(body);
    if (reduction == RED_ANY || reduction == RED_ALL) body = node1(OP_NOT, node1(OP_NOT, body));
    Reducing used = { 0 };
    bool all[MAX_RANK], unused[MAX_RANK]; /* an index that the value does not have only counts places */
    for (int i = 0; i < k->count; i++) {
        all[i] = true;
        unused[i] = !node_uses(body, k->index[i]);
        if (!unused[i] || arg) used.index[used.count++] = k->index[i];
    }
    if (mean)
        for (int i = 0; i < k->count; i++) all[i] = !unused[i];
    const Node *r = used.count ? emit_reduction(s, reduction, used.count, used.index, body) : body;
    if (!r) return value_poison();
    if (mean) return value_node(used.count ? node2(OP_DIV, r, places(k, all)) : r);
    return value_node(sum ? node2(OP_MUL, places(k, unused), r) : r);
}

Value express_reduce(Scope *s, const Expr *e)
{
    if (!ranges_infer(s, e)) return value_poison();
    SubList subs = { 0 };
    if (!subs_expand(s, &e->subs, -1, false, &subs)) return value_poison();
    int bound = s->bound.count, context = s->e->context.count;
    Tests *tests = s->tests;
    s->tests = NULL;
    Reducing k = { 0 };
    bool ok = true;
    for (int i = 0; i < subs.count; i++) ok = ok && reduce_bind(s, e, &subs.at[i], &k);
    Value v = ok ? express(s, e->left) : value_poison();
    Value r = value_poison();
    if (v.kind == VALUE_NODE || v.kind == VALUE_NUMBER)
        r = reduce_value(s, e->name, &k, value_to_node(v));
    else if (v.kind == VALUE_TENSOR)
        scope_error(s, e->left->at, "%s has axes of its own, %s: read it at indices", expr_text(e->left),
                    value_text(v));
    else if (v.kind != VALUE_POISON)
        scope_error(s, e->left->at, "%s cannot be reduced", value_kind_text(v));
    s->bound.count = bound;
    s->e->context.count = context;
    s->tests = tests;
    return r;
}
