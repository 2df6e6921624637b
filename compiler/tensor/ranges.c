/* ranges.c: what stands between [ ]: packs expanded, fused axes taken apart; and the ranges of indices, found from
 * `in`, from the axes that an index subscripts alone, and from what the header or an earlier equation of the body
 * said. */
#include "tensor/elaborate.h"
#include <limits.h>
#include <string.h>

/* ---- subscripts, expanded ---------------------------------------------------------------------------------------- */
static Sub sub_named(Scope *s, const char *name, Place at)
{
    return (Sub){ .name = name, .index = is_index_name(s, name), .at = at };
}

static bool index_may_be(Scope *s, const char *name, Place at)
{
    const Entry *e = scope_find(s, name);
    if (!e) return true;
    scope_error(s, at, "%s is a name of this body, it cannot be an index as well", name);
    note_at(e->at, "%s is defined here", name);
    return false;
}

/* How many axes the other subscripts take; -1 if one of them is a pack of unknown length. */
static int axes_of_others(Scope *s, const Subscripts *subs, int me)
{
    int n = 0;
    for (int i = 0; i < subs->count; i++) {
        const Subscript *x = &subs->at[i];
        if (i == me) continue;
        if (x->kind != SUB_PACK && x->kind != SUB_PACK_AT) {
            n++;
            continue;
        }
        const Pack *p = pack_find(s, x->name);
        if (!p) return -1;
        n += p->count;
    }
    return n;
}

static bool pack_expand(Scope *s, const Subscripts *subs, int me, int rank, bool quiet, SubList *out)
{
    const Subscript *x = &subs->at[me];
    Pack *p = pack_find(s, x->name);
    if (!p && rank >= 0) {
        int others = axes_of_others(s, subs, me);
        if (others >= 0 && rank >= others) p = pack_set(s, x->name, rank - others);
    }
    if (!p) {
        if (!quiet) {
            scope_error(s, x->at, "the pack %s.. is not known here", x->name);
            help("a pack takes its axes from the header or from a read, or from a list: %s.. in shape", x->name);
        }
        return false;
    }
    for (int i = 0; i < p->count; i++) PUSH(*out, sub_named(s, p->names[i], x->at));
    return true;
}

/* A list of ints between low and high, known now. */
static bool list_express(Scope *s, const Expr *e, const char *what, int low, int high, int *out, int *count)
{
    Value v = express_outside(s, e);
    if (v.kind == VALUE_POISON) return false;
    if (v.kind != VALUE_LIST || v.list->count > MAX_RANK) {
        scope_error(s, e->at, "%s must be a list of at most %d ints, this is %s", what, MAX_RANK, value_kind_text(v));
        return false;
    }
    *count = v.list->count;
    for (int i = 0; i < v.list->count; i++) {
        Value x = v.list->at[i];
        if (!value_is_int(x) || x.number < low || x.number > high) {
            scope_error(s, e->at, "%s must hold ints from %d to %d, got %s", what, low, high, value_text(v));
            return false;
        }
        out[i] = (int)x.number;
    }
    return true;
}

static bool pack_in_expand(Scope *s, const Subscript *x, SubList *out)
{
    int extent[MAX_RANK], count;
    if (!list_express(s, x->expr, "a shape", 1, 1 << 30, extent, &count)) return false;
    Pack *p = pack_set(s, x->name, count);
    for (int i = 0; i < count; i++) {
        range_set(s, p->names[i], extent[i], false, x->at, "given by `in`")->given = true;
        PUSH(*out, sub_named(s, p->names[i], x->at));
    }
    return true;
}

static bool pack_at_expand(Scope *s, const Subscript *x, SubList *out)
{
    const Pack *p = pack_find(s, x->name);
    int order[MAX_RANK], count, seen = 0;
    if (!p) {
        scope_error(s, x->at, "the pack %s.. is not known here", x->name);
        return false;
    }
    if (!list_express(s, x->expr, "an order of axes", 1, p->count, order, &count)) return false;
    for (int i = 0; i < count; i++) seen |= 1 << order[i];
    if (count != p->count || seen != (1 << (count + 1)) - 2) {
        scope_error(s, x->expr->at, "the order must name each of the %d axes of %s.. once", p->count, x->name);
        return false;
    }
    for (int i = 0; i < count; i++) PUSH(*out, sub_named(s, p->names[order[i] - 1], x->at));
    return true;
}

static bool in_expand(Scope *s, const Subscript *x, SubList *out)
{
    int extent;
    if (!index_may_be(s, x->name, x->at)) return false;
    if (!express_int(s, x->expr, format("the range of %s", x->name), 1, INT_MAX, &extent)) return false;
    range_set(s, x->name, extent, false, x->at, "given by `in`")->given = true;
    PUSH(*out, ((Sub){ .name = x->name, .index = true, .at = x->at }));
    return true;
}

static bool range_expand(Scope *s, const Subscript *x, SubList *out)
{
    int low, high;
    if (!index_may_be(s, x->name, x->at)) return false;
    if (!express_int(s, x->expr, "the begin of a range", 0, 1 << 30, &low)) return false;
    if (!express_int(s, x->to, "the end of a range", 0, 1 << 30, &high)) return false;
    if (high <= low) {
        scope_error(s, x->at, "the range %d..%d of %s is empty", low, high, x->name);
        return false;
    }
    Local *l = local_find(s, x->name);
    if (l)
        *l = (Local){ x->name, low, high };
    else
        PUSH(s->locals, ((Local){ x->name, low, high }));
    PUSH(*out, ((Sub){ .name = x->name, .index = true, .at = x->at }));
    return true;
}

static bool expr_expand(Scope *s, const Subscript *x, bool quiet, SubList *out)
{
    const Expr *e = x->expr;
    if (e->kind == EXPR_FUSED) {
        SubList parts = { 0 };
        if (!subs_expand(s, &e->subs, -1, quiet, &parts)) return false;
        PUSH(*out, ((Sub){ .fused = parts.count, .part = parts.at, .empty = !parts.count, .at = x->at }));
        return true;
    }
    if (e->kind == EXPR_NAME) {
        Sub sub = sub_named(s, e->name, x->at);
        sub.expr = e;
        PUSH(*out, sub);
    } else
        PUSH(*out, ((Sub){ .expr = e, .at = x->at }));
    return true;
}

bool subs_expand(Scope *s, const Subscripts *subs, int rank, bool quiet, SubList *out)
{
    for (int i = 0; i < subs->count; i++) {
        const Subscript *x = &subs->at[i];
        bool ok = false;
        switch (x->kind) {
        case SUB_EXPR: ok = expr_expand(s, x, quiet, out); break;
        case SUB_IN: ok = in_expand(s, x, out); break;
        case SUB_RANGE: ok = range_expand(s, x, out); break;
        case SUB_AT:
            PUSH(*out, sub_named(s, x->name, x->at));
            ok = true;
            break;
        case SUB_PACK: ok = pack_expand(s, subs, i, rank, quiet, out); break;
        case SUB_PACK_IN: ok = pack_in_expand(s, x, out); break;
        case SUB_PACK_AT: ok = pack_at_expand(s, x, out); break;
        }
        if (!ok) return false;
    }
    return true;
}

/* ---- ranges ------------------------------------------------------------------------------------------------------ */
static const char *length_text(int extent, bool batch) { return batch ? "the batch" : format("%d", extent); }

bool range_agree(Scope *s, const char *name, int extent, bool batch, Place at, const char *what)
{
    if (local_find(s, name)) return true;
    const AxisRange *r = range_find(s, name);
    if (!r) {
        range_set(s, name, extent, batch, at, what);
        return true;
    }
    if (r->batch == batch && (r->given ? r->extent <= extent : r->extent == extent)) return true;
    if (r->given && !batch && !r->batch) {
        scope_error(s, at, "the index %s runs over %d places, but %s has %d only", name, r->extent, what, extent);
    } else {
        scope_error(s, at, "the index %s has two lengths: %s and %s", name, length_text(r->extent, r->batch),
                    length_text(extent, batch));
        note_at(at, "%s: %s", length_text(extent, batch), what);
    }
    scope_note_range(s, r);
    return false;
}

/* (g, j) on an axis: one of the two follows from the other. */
static bool learn_fused(Scope *s, const Sub *sub, int extent, const char *what)
{
    const Sub *free = NULL;
    int64_t known = 1;
    for (int i = 0; i < sub->fused; i++) {
        const Sub *x = &sub->part[i];
        const AxisRange *r = x->index ? range_find(s, x->name) : NULL;
        if (!x->index) return true;
        if (r)
            known *= r->extent;
        else if (free)
            return true;
        else
            free = x;
    }
    if (!free || known == 0 || extent % known) return true;
    return range_agree(s, free->name, (int)(extent / known), false, sub->at, what);
}

void subscripts_miscounted(Scope *s, const Expr *e, const Whole *w, int count)
{
    scope_error(s, e->at, "%d subscript%s for %s, which has %d axes: %s", count, count == 1 ? "" : "s",
                expr_text(e->left), w->rank, shape_text(w->rank, w->axis));
}

static bool learn_read(Scope *s, const Expr *e, const Whole *w, const SubList *subs)
{
    if (subs->count != w->rank) {
        subscripts_miscounted(s, e, w, subs->count);
        return false;
    }
    bool ok = true;
    for (int k = 0; k < w->rank; k++) {
        const Sub *x = &subs->at[k];
        if (!x->index && !x->fused) continue;
        const AxisRange *r = x->index ? range_find(s, x->name) : NULL;
        if (r && r->batch == w->axis[k]->batch && r->extent == w->axis[k]->extent) continue;
        const char *what = format("axis %d of %s, %s", k + 1, expr_text(e->left), shape_text(w->rank, w->axis));
        if (x->index)
            ok &= range_agree(s, x->name, w->axis[k]->extent, w->axis[k]->batch, x->at, what);
        else
            ok &= learn_fused(s, x, w->axis[k]->extent, what);
    }
    return ok;
}

static bool learn(Scope *s, const Expr *e);

static bool learn_subs(Scope *s, const Subscripts *subs)
{
    bool ok = true;
    for (int i = 0; i < subs->count; i++) {
        const Expr *x = subs->at[i].kind == SUB_EXPR ? subs->at[i].expr : NULL;
        if (x && x->kind == EXPR_FUSED)
            ok &= learn_subs(s, &x->subs);
        else if (x && x->kind != EXPR_NAME)
            ok &= learn(s, x);
    }
    return ok;
}

static bool learn(Scope *s, const Expr *e)
{
    if (!e) return true;
    bool ok = true;
    if (e->kind == EXPR_READ) {
        Value base = value_to_tensor(s, read_base(s, e->left, true));
        SubList subs = { 0 };
        int rank = base.kind == VALUE_TENSOR ? base.whole->rank : -1;
        bool known = subs_expand(s, &e->subs, rank, true, &subs);
        if (known && rank >= 0) ok &= learn_read(s, e, base.whole, &subs);
        return learn_subs(s, &e->subs) && ok;
    }
    if (e->kind == EXPR_REDUCE) {
        SubList subs = { 0 };
        subs_expand(s, &e->subs, -1, true, &subs);
    }
    ok &= learn(s, e->cond);
    ok &= learn(s, e->left);
    ok &= learn(s, e->right);
    for (int i = 0; i < e->args.count; i++) ok &= learn(s, e->args.at[i].value);
    for (int i = 0; i < e->items.count; i++) ok &= learn(s, e->items.at[i]);
    return ok;
}

bool ranges_infer(Scope *s, const Expr *e)
{
    for (int pass = 0; pass < 3; pass++) { /* a pack or a fused axis may follow from what the pass before found */
        int ranges = s->ranges.count, packs = s->packs.count;
        if (!learn(s, e)) return false;
        if (pass && ranges == s->ranges.count && packs == s->packs.count) break;
    }
    return true;
}

/* ---- a range that is missing ------------------------------------------------------------------------------------- */
typedef struct Suggestion {
    Scope *s;
    const char *name;
    const Index *index;
    int64_t most;
    bool any, bad;
} Suggestion;

static void suggest_bind(Suggestion *g, const Expr *e)
{
    if (!e) return;
    Scope *s = g->s;
    if (e->kind == EXPR_NAME && e->name != g->name && is_index_name(s, e->name) && !bound_find(s, e->name)) {
        const AxisRange *r = range_find(s, e->name);
        if (!r)
            g->bad = true;
        else
            PUSH(s->bound, ((Bound){ e->name, node_sum(sum_index(index_new(e->name, r->extent, r->batch))) }));
    }
    if (e->kind == EXPR_READ || e->kind == EXPR_CALL || e->kind == EXPR_PIPE || e->kind == EXPR_REDUCE) g->bad = true;
    suggest_bind(g, e->left);
    suggest_bind(g, e->right);
    suggest_bind(g, e->cond);
}

static bool mentions(const Expr *e, const char *name)
{
    return e && ((e->kind == EXPR_NAME && e->name == name) || mentions(e->left, name) || mentions(e->right, name));
}

/* The largest extent of the missing index for which this subscript stays on its axis. */
static void suggest_axis(Suggestion *g, const Expr *x, int extent)
{
    Scope *s = g->s;
    int bound = s->bound.count;
    g->bad = false;
    PUSH(s->bound, ((Bound){ g->name, node_sum(sum_index(g->index)) }));
    suggest_bind(g, x);
    if (!g->bad) {
        Value v = express(s, x);
        if (v.kind == VALUE_NODE && v.node->type == TYPE_INT) {
            const Sum *sum = sum_node(v.node);
            int a = sum_factor(sum, g->index);
            Range rest = sum_range(sum_sub(sum, sum_scale(sum_index(g->index), a)));
            int64_t most = a > 0 && rest.low >= 0 ? (extent - 1 - rest.high) / a + 1 : 0;
            if (!g->any || most < g->most) g->most = most;
            g->any = true;
        }
    }
    s->bound.count = bound;
}

static void suggest(Suggestion *g, const Expr *e)
{
    if (!e) return;
    if (e->kind == EXPR_READ) {
        Value base = value_to_tensor(g->s, read_base(g->s, e->left, true));
        SubList subs = { 0 };
        if (base.kind == VALUE_TENSOR && subs_expand(g->s, &e->subs, base.whole->rank, true, &subs) &&
            subs.count == base.whole->rank)
            for (int k = 0; k < subs.count; k++)
                if (!subs.at[k].index && subs.at[k].expr && mentions(subs.at[k].expr, g->name))
                    suggest_axis(g, subs.at[k].expr, base.whole->axis[k]->extent);
    }
    suggest(g, e->cond);
    suggest(g, e->left);
    suggest(g, e->right);
    for (int i = 0; i < e->args.count; i++) suggest(g, e->args.at[i].value);
}

bool index_extent(Scope *s, const char *name, Place at, const Expr *e, int *low, int *high, bool *batch)
{
    const Local *l = local_find(s, name);
    if (l) {
        *low = l->low;
        *high = l->high;
        *batch = false;
        return true;
    }
    const AxisRange *r = range_find(s, name);
    if (r) {
        *low = 0;
        *high = r->extent;
        *batch = r->batch;
        return true;
    }
    if (s->broken) return false;
    scope_error(s, at, "the range of the index %s is not known", name);
    Suggestion g = { .s = s, .name = name, .index = index_new(name, 1 << 24, false) };
    suggest(&g, e);
    if (g.any && g.most > 0)
        help("give %s a range: %s in %lld", name, name, (long long)g.most);
    else
        help("give %s a range: %s in ..", name, name);
    return false;
}
