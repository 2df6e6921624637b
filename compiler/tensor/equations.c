/* equations.c: equations of the language become equations of the program. `y = e` names a value; `y[a, b] = e` is
 * elaborated with a and b bound to fresh indices; pieces fill one tensor part by part. */
#include "tensor/elaborate.h"
#include <limits.h>
#include <string.h>

enum { MOST_EQUATIONS = 2000000 };

/* ---- appending to the program ------------------------------------------------------------------------------------ */
const Index *index_for(Scope *s, const char *name, int low, int high, bool batch)
{
    (void)s;
    const char *dot = strchr(name, '.'); /* n.0 of a pack is printed n0 */
    if (dot) name = intern(format("%.*s%s", (int)(dot - name), name, dot + 1));
    return index_new(name, high - low, batch);
}

bool equation_fits(Scope *s, Place at, int rank, const int *extent)
{
    int64_t size = 1;
    for (int k = 0; k < rank; k++)
        if (__builtin_mul_overflow(size, (int64_t)extent[k], &size)) size = INT64_MAX;
    if (size <= INT_MAX) return true;
    Text t = { 0 };
    for (int k = 0; k < rank; k++) text_addf(&t, "%s%d", k ? ", " : "", extent[k]);
    scope_error(s, at, "a tensor of the shape [%s] has more than 2^31 - 1 elements", text_string(&t));
    return false;
}

void equation_add(Elaboration *e, Equation *q)
{
    q->at = e->at;
    q->layer = e->layer ? e->layer : "";
    if (!q->out->at.source) q->out->at = e->at;
    PUSH(e->program->equations, q);
    if (e->program->equations.count > MOST_EQUATIONS && !e->too_large) {
        error_at(e->at, "the model is too large: more than %d equations", MOST_EQUATIONS);
        e->too_large = true;
    }
}

/* Does the last equation compute what value reads, and was it made for that alone? */
static Equation *made_for(const Elaboration *e, const Node *value, int indices, const Index *const *index)
{
    const Program *p = e->program;
    Equation *last = p->equations.count ? p->equations.at[p->equations.count - 1] : NULL;
    if (!last || !last->out->automatic || value->op != OP_READ || value->tensor != last->out) return NULL;
    if (last->indices != indices) return NULL;
    for (int k = 0; k < value->sums; k++)
        if (!sum_plain(value->sum[k])) return NULL;
    for (int i = 0; i < indices; i++) {
        bool found = false;
        for (int k = 0; k < last->indices; k++) found = found || last->index[k] == index[i];
        if (!found) return NULL;
    }
    return last;
}

void emit(Scope *s, Tensor *out, const Sum *const *left, int indices, const Index *const *index, const Node *value)
{
    Equation *last = made_for(s->e, value, indices, index);
    if (!last) {
        equation_add(s->e, equation_new(out, left, indices, index, value));
        return;
    }
    last->out = out;
    for (int k = 0; k < out->rank; k++) last->left[k] = left[k];
    for (int k = 0; k < indices; k++) last->index[k] = index[k];
    if (!out->at.source) out->at = s->e->at;
}

static bool is_in(const Index *i, const Index *const *list, int count)
{
    for (int k = 0; k < count; k++)
        if (list[k] == i) return true;
    return false;
}

int free_indices(Elaboration *e, const Node *node, const Index *const *without, int without_count, const Index **out)
{
    int n = 0;
    const Index *ordered[MAX_RANK];
    for (int i = 0; i < e->context.count; i++) {
        const Index *x = e->context.at[i];
        if (!node_uses(node, x) || is_in(x, without, without_count) || is_in(x, ordered, n)) continue;
        if (n == MAX_RANK) return -1;
        ordered[n++] = x;
    }
    for (int i = 0; i < node->indices; i++) {
        const Index *x = node->index[i];
        if (is_in(x, without, without_count) || is_in(x, ordered, n)) continue;
        if (n == MAX_RANK) return -1;
        ordered[n++] = x;
    }
    int k = 0;
    for (int i = 0; i < n; i++)
        if (ordered[i]->batch) out[k++] = ordered[i];
    for (int i = 0; i < n; i++)
        if (!ordered[i]->batch) out[k++] = ordered[i];
    return n;
}

/* A tensor over these indices; NULL after an error. */
static Tensor *tensor_over(Scope *s, const char *name, int rank, const Index *const *index, Type type)
{
    int extent[MAX_RANK] = { 0 };
    for (int k = 0; k < rank; k++) {
        extent[k] = index[k]->extent;
        if (k && index[k]->batch) {
            scope_error(s, s->e->at, "only the first axis of a tensor can be the batch, this one would have two");
            return NULL;
        }
    }
    if (!equation_fits(s, s->e->at, rank, extent)) return NULL;
    return tensor_new(name, rank, extent, rank && index[0]->batch, type, ROLE_TEMP);
}

static void too_many_indices(Scope *s)
{
    scope_error(s, s->e->at, "an expression over more than %d indices", MAX_RANK);
}

const Node *emit_reduction(Scope *s, Reduction reduction, int reduced, const Index *const *index, const Node *value)
{
    const Index *free[MAX_RANK];
    int n = free_indices(s->e, value, index, reduced, free);
    if (n < 0) {
        too_many_indices(s);
        return NULL;
    }
    bool arg = reduction == RED_ARGMAX || reduction == RED_ARGMIN;
    const char *name = s->target ? format("%s.%s", s->target, reduction_name[reduction]) : reduction_name[reduction];
    Tensor *t = tensor_over(s, full_name(s, name), n, free, arg ? TYPE_INT : value->type);
    if (!t) return NULL;
    t->automatic = true;
    Equation *q = equation_map(t, free, value);
    q->reduction = reduction;
    q->reduced_count = reduced;
    for (int k = 0; k < reduced; k++) q->reduced[k] = index[k];
    equation_add(s->e, q);
    return node_read_at(t, free);
}

/* ---- computed once ----------------------------------------------------------------------------------------------- */
static bool is_simple(const Node *e)
{
    switch (e->op) {
    case OP_NUM:
    case OP_COUNT:
    case OP_INT:
    case OP_READ:
    case OP_FLOOR_DIV:
    case OP_MOD:
    case OP_EXACT: return true;
    case OP_STOP:
    case OP_TO_FLOAT: return is_simple(e->arg[0]);
    default: return false;
    }
}

static Value name_whole(Scope *s, const char *name, Value v)
{
    const Whole *w = v.whole;
    if (whole_is_leaf(w)) return v;
    Tensor *t = tensor_over(s, w->name ? w->name : name, w->rank, w->axis, w->node->type);
    if (!t) return value_poison();
    const Sum *left[MAX_RANK];
    for (int k = 0; k < w->rank; k++) left[k] = sum_index(w->axis[k]);
    emit(s, t, left, w->rank, w->axis, w->node);
    Whole *leaf = arena_copy(w, sizeof *w);
    leaf->node = node_read_at(t, w->axis);
    if (leaf->origin) map_set(&s->e->origins, t, leaf);
    return value_whole(leaf);
}

Value name_it(Scope *s, const char *name, Value v)
{
    if (v.kind == VALUE_TENSOR) return name_whole(s, name, v);
    if (v.kind != VALUE_NODE || is_simple(v.node)) return v;
    const Index *free[MAX_RANK];
    int n = free_indices(s->e, v.node, NULL, 0, free);
    if (n < 0) {
        too_many_indices(s);
        return value_poison();
    }
    Tensor *t = tensor_over(s, name, n, free, v.node->type);
    if (!t) return value_poison();
    const Sum *left[MAX_RANK];
    for (int k = 0; k < n; k++) left[k] = sum_index(free[k]);
    emit(s, t, left, n, free, v.node);
    return value_node(node_read_at(t, free));
}

/* ---- the left side ----------------------------------------------------------------------------------------------- */
const char *target_name(Scope *s, const Expr *target)
{
    const Expr *e = target->kind == EXPR_READ ? target->left : target;
    if (e->kind == EXPR_NAME) return e->name;
    scope_error(s, target->at, "expected a name on the left side, this is %s", expr_text(target));
    return NULL;
}

static bool left_index(Scope *s, const Sub *x, const Expr *value, Left *l, const Sum **at, int *extent)
{
    int low, high;
    bool batch;
    for (int k = 0; k < l->indices; k++)
        if (l->name[k] == x->name) {
            scope_error(s, x->at, "the index %s stands twice on the left side", x->name);
            return false;
        }
    if (l->indices == MAX_RANK) {
        too_many_indices(s);
        return false;
    }
    if (!index_extent(s, x->name, x->at, value, &low, &high, &batch)) return false;
    const Index *i = index_for(s, x->name, low, high, batch);
    const Sum *place = sum_offset(sum_index(i), low);
    l->index[l->indices] = i;
    l->name[l->indices] = x->name;
    l->value[l->indices++] = node_sum(place);
    l->pieces = l->pieces || local_find(s, x->name);
    *at = place;
    *extent = high;
    return true;
}

static bool left_part(Scope *s, const Sub *x, const Expr *value, Left *l, const Sum **at, int *extent)
{
    if (x->index) return left_index(s, x, value, l, at, extent);
    int c;
    const Expr *e = x->expr;
    if (!e) {
        scope_error(s, x->at, "%s is a name of this body, it cannot be an index as well", x->name);
        return false;
    }
    if (!express_int(s, e, "a place on the left side", 0, INT_MAX - 1, &c)) return false;
    l->pieces = true;
    *at = sum_constant(c);
    *extent = c + 1;
    return true;
}

static bool left_axis(Scope *s, const Sub *x, const Expr *value, Left *l)
{
    int k = l->rank;
    if (k == MAX_RANK) {
        scope_error(s, x->at, "a tensor can have %d axes at most", MAX_RANK);
        return false;
    }
    int first = l->indices;
    if (x->empty) {
        l->at[k] = sum_constant(0);
        l->extent[k] = 1;
    } else if (!x->fused) {
        if (!left_part(s, x, value, l, &l->at[k], &l->extent[k])) return false;
    } else {
        int64_t extent = 1;
        l->at[k] = sum_constant(0);
        for (int i = 0; i < x->fused; i++) {
            const Sum *a;
            int n;
            if (!left_part(s, &x->part[i], value, l, &a, &n)) return false;
            extent *= n;
            if (extent > INT_MAX) {
                scope_error(s, x->at, "the fused axis has more than 2^31 - 1 places");
                return false;
            }
            l->at[k] = sum_add(sum_scale(l->at[k], n), a);
        }
        l->extent[k] = (int)extent;
    }
    l->batch[k] = l->indices > first && l->index[first]->batch;
    for (int i = first; i < l->indices; i++) {
        if (!l->index[i]->batch) continue;
        if (x->fused && x->fused > 1)
            scope_error(s, x->at, "the batch cannot be part of a fused axis");
        else if (k)
            scope_error(s, x->at, "only the first axis can be the batch");
        else
            continue;
        return false;
    }
    l->rank++;
    return true;
}

static bool pack_unknown(Scope *s, const Subscripts *subs)
{
    for (int i = 0; i < subs->count; i++) {
        const Subscript *x = &subs->at[i];
        if (x->kind == SUB_PACK && !pack_find(s, x->name)) return true;
        if (x->kind == SUB_EXPR && x->expr->kind == EXPR_FUSED && pack_unknown(s, &x->expr->subs)) return true;
    }
    return false;
}

bool left_read(Scope *s, const Expr *target, const Expr *value, Left *out)
{
    memset(out, 0, sizeof *out);
    s->locals.count = 0;
    SubList subs = { 0 };
    if (pack_unknown(s, &target->subs) && !ranges_infer(s, value)) return false;
    if (!subs_expand(s, &target->subs, -1, false, &subs) || !ranges_infer(s, value)) return false;
    for (int i = 0; i < subs.count; i++)
        if (!left_axis(s, &subs.at[i], value, out)) return false;
    return equation_fits(s, target->at, out->rank, out->extent);
}

void left_bind(Scope *s, const Left *l)
{
    for (int k = 0; k < l->indices; k++) {
        PUSH(s->bound, ((Bound){ l->name[k], l->value[k] }));
        PUSH(s->e->context, l->index[k]);
    }
}

void left_release(Scope *s, const Left *l)
{
    s->bound.count -= l->indices;
    s->e->context.count -= l->indices;
}

/* ---- the right side ---------------------------------------------------------------------------------------------- */
/* A literal is a float. */
static const Node *literal_float(Value v)
{
    return v.kind == VALUE_NUMBER && v.type == TYPE_INT ? node_float(v.number) : value_to_node(v);
}

const Node *equation_value(Scope *s, const Expr *e, const Left *l)
{
    left_bind(s, l);
    Value v = express(s, e);
    left_release(s, l);
    if (v.kind == VALUE_NUMBER || v.kind == VALUE_NODE) return literal_float(v);
    if (v.kind == VALUE_TENSOR) {
        scope_error(s, e->at,
                    "the right side is %s, but the equation gives one number for each place: read it at indices",
                    value_text(v));
        if (e->kind == EXPR_NAME) help("%s[..]", e->name);
    } else if (v.kind != VALUE_POISON)
        scope_error(s, e->at, "the right side must be a number, this is %s", value_kind_text(v));
    return NULL;
}

/* ---- pieces ------------------------------------------------------------------------------------------------------ */
static int64_t places_of(const Equation *q)
{
    int64_t n = 1;
    for (int k = 0; k < q->indices; k++) n *= q->index[k]->extent;
    return n;
}

static bool overlap(const Equation *a, const Equation *b)
{
    for (int k = 0; k < a->out->rank; k++) {
        Range x = sum_range(a->left[k]), y = sum_range(b->left[k]);
        if (x.high < y.low || y.high < x.low) return false;
    }
    return true;
}

void pieces_close(Scope *s, Entry *entry)
{
    Pieces *p = entry->pieces;
    p->closed = true;
    int64_t covered = 0;
    for (int i = 0; i < p->equations.count; i++) {
        covered += places_of(p->equations.at[i]);
        for (int k = 0; k < i; k++) {
            if (!overlap(p->equations.at[i], p->equations.at[k])) continue;
            scope_error(s, p->equations.at[i]->at, "two pieces of %s give the same places", entry->name);
            note_at(p->equations.at[k]->at, "the other piece");
            entry->value = value_poison();
            return;
        }
    }
    if (covered == tensor_size(p->tensor)) {
        entry->value = value_tensor(p->tensor);
        return;
    }
    scope_error(s, p->at, "the pieces of %s leave a gap: they give %lld of the %lld places of %s", entry->name,
                (long long)covered, (long long)tensor_size(p->tensor), tensor_shape_text(p->tensor));
    entry->value = value_poison();
}

static bool extends(const Pieces *p, const Left *l)
{
    for (int k = 0; k < l->rank; k++)
        if (l->extent[k] > p->tensor->extent[k]) return true;
    return false;
}

static bool is_complete(const Pieces *p)
{
    int64_t covered = 0;
    for (int i = 0; i < p->equations.count; i++) covered += places_of(p->equations.at[i]);
    return covered >= tensor_size(p->tensor);
}

/* The pieces that this one joins: those that are open, or new ones. */
static Pieces *pieces_for(Scope *s, const char *name, const Left *l, Place at, Type type)
{
    Entry *old = scope_find(s, name);
    Pieces *p = old ? old->pieces : NULL;
    if (p && p->tensor->rank == l->rank && !p->closed && (!is_complete(p) || extends(p, l))) {
        for (int k = 0; k < l->rank; k++)
            if (l->extent[k] > p->tensor->extent[k]) p->tensor->extent[k] = l->extent[k];
        if (type == TYPE_FLOAT) p->tensor->type = TYPE_FLOAT;
        return p;
    }
    if (p && !p->closed) pieces_close(s, old);
    p = NEW(Pieces);
    p->at = at;
    p->tensor = tensor_new(full_name(s, name), l->rank, l->extent, l->rank && l->batch[0], type, ROLE_TEMP);
    return p;
}

static void piece_run(Scope *s, const Statement *st, const char *name, const Left *l, const Node *value)
{
    Pieces *p = pieces_for(s, name, l, st->at, value->type);
    Entry *entry = scope_set(s, name, value_none(), st->at);
    entry->pieces = p;
    emit(s, p->tensor, l->at, l->indices, l->index, value);
    Equation *q = s->e->program->equations.at[s->e->program->equations.count - 1];
    q->at = st->at;
    PUSH(p->equations, q);
    entry->value = s->last = value_tensor(p->tensor);
}

/* ---- statements -------------------------------------------------------------------------------------------------- */
static Value indexed_value(Scope *s, const Statement *st, const char *name, const Left *l, const Node *value)
{
    Tensor *t = tensor_new(full_name(s, name), l->rank, l->extent, l->rank && l->batch[0], value->type, ROLE_TEMP);
    t->at = st->at;
    emit(s, t, l->at, l->indices, l->index, value);
    for (int k = 0; k < l->rank; k++)
        if (!sum_plain(l->at[k])) return value_tensor(t);
    Whole *w = NEW(Whole);
    w->rank = l->rank;
    for (int k = 0; k < l->rank; k++) w->axis[k] = sum_plain(l->at[k]);
    w->node = node_read_at(t, w->axis);
    return value_whole(w);
}

static void value_set(Scope *s, const Statement *st, const char *name, Value v)
{
    if (st->kind == ST_UPDATE)
        update_run(s, st, v);
    else if (st->kind == ST_TOTAL)
        total_run(s, st, v);
    else {
        Entry *old = scope_find(s, name);
        if (old && old->pieces && !old->pieces->closed) pieces_close(s, old);
        Entry *entry = scope_set(s, name, v, st->at);
        entry->pieces = NULL;
        s->last = v;
    }
}

/* update and total give no gradient on. */
static Value stopped(Scope *s, const Statement *st, Value v)
{
    bool stops = (st->kind == ST_UPDATE || st->kind == ST_TOTAL) && !s->e->in_optimizer;
    return stops && value_is_run_time(v) ? value_unary(s, OP_STOP, v, st->at) : v;
}

static void whole_run(Scope *s, const Statement *st, const char *name)
{
    Value v = value_poison();
    if (ranges_infer(s, st->value)) {
        bool piped = st->kind == ST_EQUATION && flow_is_piped(s, st->value);
        if (piped) s->last_unused = false;
        v = piped ? flow_express(s, st->value, s->last) : express(s, st->value);
    }
    v = stopped(s, st, v);
    if (value_is_run_time(v)) v = name_it(s, full_name(s, name), v);
    value_set(s, st, name, v);
}

static void indexed_run(Scope *s, const Statement *st, const char *name)
{
    Left l;
    const Node *value = left_read(s, st->target, st->value, &l) ? equation_value(s, st->value, &l) : NULL;
    if (value && st->kind != ST_EQUATION && !s->e->in_optimizer) value = node1(OP_STOP, value);
    if (!value)
        value_set(s, st, name, value_poison());
    else if (l.pieces && st->kind == ST_EQUATION)
        piece_run(s, st, name, &l, value);
    else if (l.pieces) {
        scope_error(s, st->target->at, "update and total give all places of a tensor, not pieces");
        value_set(s, st, name, value_poison());
    } else
        value_set(s, st, name, indexed_value(s, st, name, &l, value));
    s->locals.count = 0;
}

void equation_run(Scope *s, const Statement *st)
{
    const char *name = target_name(s, st->target);
    if (!name) return;
    if (range_find(s, name) && !scope_find(s, name)) {
        scope_error(s, st->target->at, "%s is an index of this body, it cannot be a tensor as well", name);
        scope_note_range(s, range_find(s, name));
        scope_set(s, name, value_poison(), st->at);
        return;
    }
    s->target = name;
    if (st->target->kind == EXPR_READ && st->target->subs.count)
        indexed_run(s, st, name);
    else
        whole_run(s, st, name);
    s->target = NULL;
}
