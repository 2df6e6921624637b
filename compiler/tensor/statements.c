/* statements.c: the statements of a block, one after the other; `if` and `repeat` are worked out here. */
#include "tensor/elaborate.h"
#include <string.h>

enum { MOST_REPEATS = 100000 };

/* ---- the value of a statement ------------------------------------------------------------------------------------ */
/* The value before is replaced: was it of use to anybody? */
static void last_replaced(Scope *s)
{
    if (!s->last_unused) return;
    s->last_unused = false;
    if (s->last.kind != VALUE_POISON)
        scope_error(s, s->last_at,
                    "the value of this statement is not used: name it, or let the next statement begin with a layer");
}

static void flow_run(Scope *s, const Statement *st)
{
    bool quiet = s->e->in_optimizer;
    if (!ranges_infer(s, st->value)) {
        s->last = value_poison();
        return;
    }
    Value v;
    if (flow_is_piped(s, st->value)) {
        s->last_unused = false;
        v = flow_express(s, st->value, s->last);
    } else {
        bool is_last = st->value->kind == EXPR_NAME && value_leaf(s->last) && scope_find(s, st->value->name) &&
                       value_leaf(scope_find(s, st->value->name)->value) == value_leaf(s->last);
        if (is_last) s->last_unused = false;
        v = express(s, st->value);
        last_replaced(s);
    }
    s->last = v;
    s->last_at = st->at;
    s->last_unused = !quiet;
}

/* ---- statements of models ---------------------------------------------------------------------------------------- */
static void input_run(Scope *s, const Statement *st)
{
    if (s->definition) {
        scope_error(s, st->at, "an input stands in a model; a definition takes its tensors in the header");
        return;
    }
    const TypeName *t = st->type.count == 1 ? &st->type.at[0] : NULL;
    Type type = TYPE_FLOAT;
    if (t && !strcmp(t->name, "int"))
        type = TYPE_INT;
    else if (t && !strcmp(t->name, "bool"))
        type = TYPE_BOOL;
    else if (!t || strcmp(t->name, "float")) {
        scope_error(s, t ? t->at : st->at, "the type of an input is float[..], int[..] or bool[..]");
        scope_set(s, st->name, value_poison(), st->at);
        return;
    }
    int extent[MAX_RANK] = { s->e->model->batch }, rank = 1;
    bool ok = true;
    for (int i = 0; i < t->subs.count; i++) {
        const Subscript *x = &t->subs.at[i];
        if (x->kind != SUB_EXPR || rank == MAX_RANK) {
            scope_error(s, x->at, "the shape of an input is made of at most %d numbers", MAX_RANK - 1);
            ok = false;
        } else if (!express_int(s, x->expr, "an axis of an input", 1, 1 << 30, &extent[rank]))
            ok = false;
        else
            rank++;
    }
    if (scope_find(s, st->name)) {
        scope_error(s, st->at, "%s is defined twice", st->name);
        note_at(scope_find(s, st->name)->at, "the first definition");
        return;
    }
    ok = ok && equation_fits(s, st->at, rank, extent);
    Value v = ok ? value_tensor(input_new(s->e, st->name, rank, extent, type, st->at)) : value_poison();
    scope_set(s, st->name, v, st->at);
    s->last = v;
    s->last_unused = false;
}

static void output_run(Scope *s, const Statement *st)
{
    const char *name = target_name(s, st->target);
    if (!name) return;
    if (s->definition) {
        scope_error(s, st->at, "an output stands in a model");
        return;
    }
    if (st->value) {
        Statement equation = *st;
        equation.kind = ST_EQUATION;
        equation_run(s, &equation);
    } else if (!scope_find(s, name))
        name_value(s, name, st->target->at);
    for (int i = 0; i < s->e->outputs.count; i++)
        if (s->e->outputs.at[i].name == name) {
            scope_error(s, st->at, "there are two outputs %s", name);
            note_at(s->e->outputs.at[i].at, "the first one");
            return;
        }
    const Entry *entry = scope_find(s, name);
    PUSH(s->e->outputs, ((NamedOutput){ .name = name, .value = entry ? entry->value : value_poison(), .at = st->at }));
}

static void layer_run(Scope *s, const Statement *st)
{
    const Entry *old = scope_find(s, st->name); /* in a repeat each round has its own */
    if (old && (old->at.line != st->at.line || old->at.column != st->at.column)) {
        scope_error(s, st->at, "%s is defined twice", st->name);
        note_at(old->at, "the first definition");
        return;
    }
    Value v = st->value->kind == EXPR_NAME || st->value->kind == EXPR_CALL || st->value->kind == EXPR_CHOICE
                  ? part_express(s, st->value)
                  : value_none();
    if (v.kind == VALUE_PART) {
        Part *p = arena_copy(v.part, sizeof *v.part);
        p->shared = NEW(Shared);
        *p->shared =
            (Shared){ .name = st->name, .path = path_count(s->e, path_join(s->prefix, st->name)), .at = st->at };
        v = value_part(p);
    } else if (v.kind != VALUE_POISON) {
        scope_error(s, st->value->at, "layer %s names one layer: layer %s = dense(64)", st->name, st->name);
        v = value_poison();
    }
    scope_set(s, st->name, v, st->at);
}

/* ---- other statements -------------------------------------------------------------------------------------------- */
static void repeat_run(Scope *s, const Statement *st)
{
    int count;
    if (!express_int(s, st->value, "the number of repeats", 0, MOST_REPEATS, &count)) return;
    const char *prefix = s->prefix;
    int errors = error_count();
    for (int i = 0; i < count && !s->e->too_large; i++) {
        if (st->name) {
            s->prefix = path_join(prefix, format("%s.%d", st->name, i));
            scope_set(s, st->name, value_int(i), st->at);
        }
        block_run(s, &st->body);
        if (error_count() != errors) break; /* the next round would only say the same again */
    }
    s->prefix = prefix;
}

static void if_run(Scope *s, const Statement *st)
{
    bool yes;
    if (!express_truth(s, st->value, "the condition of if", &yes)) {
        s->broken = true;
        return;
    }
    if (yes)
        block_run(s, &st->body);
    else if (st->has_otherwise)
        block_run(s, &st->otherwise);
}

static void const_run(Scope *s, const Statement *st)
{
    for (int i = 0; i < st->bindings.count; i++) {
        const Binding *b = &st->bindings.at[i];
        Value v = value_const(s, express_outside(s, b->value), b->value->at, format("the constant %s", b->name));
        scope_set(s, b->name, v, b->at);
    }
}

/* Is what is required false? What depends on a setting of the run is asked of its first value, and the setting stays
 * changeable; what follows a schedule is not known here. */
static bool require_fails(Scope *s, const Expr *e)
{
    Value v = express_outside(s, e);
    double number;
    if (v.kind == VALUE_NODE && s->e->in_optimizer) return settings_look(s->e, v.node, &number) && number == 0;
    v = value_const(s, v, e->at, "what is required");
    if (v.kind == VALUE_NUMBER) return v.number == 0;
    if (v.kind != VALUE_POISON)
        scope_error(s, e->at, "what is required must be true or false, this is %s", value_kind_text(v));
    return false;
}

/* The layer's own error, at the call. */
static void require_run(Scope *s, const Statement *st)
{
    if (s->broken || !require_fails(s, st->value)) return;
    int errors = error_count();
    const char *text = express_string(s, st->text, st->at);
    Scope *caller = s->definition && s->caller ? s->caller : NULL;
    s->broken = true;
    if (error_count() > errors) return;
    if (!caller) {
        scope_error(s, st->at, "%s", text);
        return;
    }
    scope_error(caller, s->call_at, "%s: %s",
                s->definition->name ? s->definition->name : def_kind_name[s->definition->kind], text);
    note_at(st->at, "required here");
}

/* derivative y by x = e: what is to be used for dy/dx. */
static void derivative_run(Scope *s, const Statement *st)
{
    Value y = name_value(s, st->name, st->at), x = name_value(s, st->other, st->at);
    Value d = express(s, st->value);
    if (y.kind == VALUE_POISON || x.kind == VALUE_POISON || d.kind == VALUE_POISON) return;
    if (!value_is_run_time(y) || !value_is_run_time(x)) return; /* computed at compile time: nothing to differentiate */
    if (!value_is_run_time(d) && d.kind != VALUE_NUMBER) {
        scope_error(s, st->value->at, "a derivative must be a number, this is %s", value_kind_text(d));
        return;
    }
    const Whole *w = y.kind == VALUE_TENSOR ? y.whole : NULL;
    const Node *read = w ? w->node : y.node;
    if (read->op != OP_READ || read->tensor->role != ROLE_TEMP) {
        scope_error(s, st->at, "%s is no equation of this body: a derivative belongs to one", st->name);
        return;
    }
    Tensor *t = read->tensor;
    for (int k = 0; k < t->rank; k++) {
        t->axis[k] = sum_plain(read->sum[k]);
        if (!t->axis[k]) bug("derivative of %s: axis %d is not plain", t->name, k);
    }
    const Node *node[2];
    Value v[2] = { x, d };
    for (int i = 0; i < 2; i++) {
        if (v[i].kind != VALUE_TENSOR) {
            node[i] = value_to_node(v[i]);
            continue;
        }
        const Whole *q = v[i].whole;
        bool same = w && q->rank <= w->rank;
        for (int k = 0; same && k < q->rank; k++) same = q->axis[k]->extent == w->axis[w->rank - q->rank + k]->extent;
        if (!same) {
            scope_error(s, st->at, "a derivative is of an elementwise equation: %s and %s differ in shape", st->name,
                        i ? "its derivative" : st->other);
            return;
        }
        node[i] = whole_at(q, w->axis + (w->rank - q->rank));
    }
    struct Derivative *one = NEW(struct Derivative);
    *one = (struct Derivative){ .by = node[0], .value = node_to_float(node[1]), .next = t->derivative };
    t->derivative = one;
}

static void statement_run(Scope *s, const Statement *st)
{
    s->e->at = st->at;
    Value before = s->last;
    switch (st->kind) {
    case ST_INPUT: input_run(s, st); break;
    case ST_OUTPUT: output_run(s, st); break;
    case ST_LAYER: layer_run(s, st); break;
    case ST_PARAM:
    case ST_STATE: holder_run(s, st); break;
    case ST_TOTAL:
    case ST_UPDATE: equation_run(s, st); break;
    case ST_CONST: const_run(s, st); break;
    case ST_PENALTY: penalty_add(s, express(s, st->value), st->at); break;
    case ST_REQUIRE: require_run(s, st); break;
    case ST_DERIVATIVE: derivative_run(s, st); break;
    case ST_REPEAT: repeat_run(s, st); break;
    case ST_IF: if_run(s, st); break;
    case ST_SCAN: scan_run(s, st); break;
    case ST_EQUATION:
        equation_run(s, st);
        if (s->last_unused) {
            Value now = s->last;
            s->last = before;
            last_replaced(s);
            s->last = now;
        }
        break;
    case ST_FLOW: flow_run(s, st); break;
    }
}

void block_run(Scope *s, const Block *b)
{
    if (!nesting_begin(s, b->place)) return;
    for (int i = 0; i < b->count && !s->e->too_large; i++) {
        statement_run(s, b->at[i]);
        if (s->broken && s->definition && b->at[i]->kind == ST_REQUIRE) break; /* what follows relies on it */
    }
    nesting_end(s);
}

/* ---- the body of a definition ------------------------------------------------------------------------------------ */
static bool mentions(Scope *s, const Expr *e, const char *name);

static bool subs_mention(Scope *s, const SubList *subs, const char *name)
{
    for (int i = 0; i < subs->count; i++) {
        const Sub *x = &subs->at[i];
        SubList parts = { .at = x->part, .count = x->fused };
        if (x->empty) continue;
        if (x->fused  ? subs_mention(s, &parts, name)
            : x->name ? x->index && x->name == name
                      : mentions(s, x->expr, name))
            return true;
    }
    return false;
}

/* Is the index free in e? */
static bool mentions(Scope *s, const Expr *e, const char *name)
{
    if (!e) return false;
    SubList subs = { 0 };
    switch (e->kind) {
    case EXPR_NAME: return e->name == name;
    case EXPR_READ: return subs_expand(s, &e->subs, -1, true, &subs) && subs_mention(s, &subs, name);
    case EXPR_REDUCE:
        if (!subs_expand(s, &e->subs, -1, true, &subs) || subs_mention(s, &subs, name)) return false;
        return mentions(s, e->left, name);
    default: break;
    }
    if (mentions(s, e->cond, name) || mentions(s, e->left, name) || mentions(s, e->right, name)) return true;
    for (int i = 0; i < e->args.count; i++)
        if (mentions(s, e->args.at[i].value, name)) return true;
    for (int i = 0; i < e->items.count; i++)
        if (mentions(s, e->items.at[i], name)) return true;
    return false;
}

static bool short_axis(Scope *s, Left *l, const Expr *e, const char *name)
{
    const AxisRange *r = range_find(s, name);
    for (int k = 0; k < l->rank; k++)
        if (l->name[k] == name) return true;
    if (!r || !mentions(s, e, name)) return true;
    if (l->rank == MAX_RANK) return false;
    int k = l->rank++;
    l->indices = l->rank;
    l->index[k] = index_for(s, name, 0, r->extent, r->batch);
    l->name[k] = name;
    l->at[k] = sum_index(l->index[k]);
    l->value[k] = node_sum(l->at[k]);
    l->extent[k] = r->extent;
    l->batch[k] = r->batch;
    return true;
}

/* The axes of def f(x[n.., c]) = e: the header's indices that are free in e, in that order. */
static void short_axes(Scope *s, Left *l, const Expr *e)
{
    const Definition *d = s->definition;
    for (int i = 0; i < d->params.count; i++)
        for (int k = 0; k < d->params.at[i].axes.count && d->params.at[i].has_axes; k++) {
            const Subscript *x = &d->params.at[i].axes.at[k];
            const Pack *p = x->kind == SUB_PACK ? pack_find(s, x->name) : NULL;
            for (int j = 0; p && j < p->count; j++) short_axis(s, l, e, p->names[j]);
            const char *name = x->name ? x->name : x->expr && x->expr->kind == EXPR_NAME ? x->expr->name : NULL;
            if (!p && name) short_axis(s, l, e, name);
        }
}

static void short_run(Scope *s)
{
    const Definition *d = s->definition;
    const Expr *e = d->value;
    s->e->at = d->from_library && s->caller ? s->call_at : e->at;
    if (!ranges_infer(s, e)) {
        s->last = value_poison();
        return;
    }
    Left l = { 0 };
    if (d->kind != KIND_INIT) short_axes(s, &l, e);
    if (!l.rank) {
        s->last = flow_is_piped(s, e) ? flow_express(s, e, s->last) : express(s, e);
        return;
    }
    const Node *value = equation_value(s, e, &l);
    s->last = value_poison();
    if (!value || !equation_fits(s, e->at, l.rank, l.extent)) return;
    Tensor *t = tensor_new(full_name(s, "y"), l.rank, l.extent, l.batch[0], value->type, ROLE_TEMP);
    emit(s, t, l.at, l.indices, l.index, value);
    Whole *w = NEW(Whole);
    w->rank = l.rank;
    memcpy(w->axis, l.index, sizeof w->axis);
    w->node = node_read_at(t, w->axis);
    s->last = value_whole(w);
}

void body_run(Scope *s)
{
    const Definition *d = s->definition;
    Place at = s->e->at;
    if (!d->is_short) {
        block_run(s, &d->body);
        for (int i = 0; i < s->entries.count; i++)
            if (s->entries.at[i].pieces && !s->entries.at[i].pieces->closed) pieces_close(s, &s->entries.at[i]);
        if (s->broken && d->kind != KIND_OPTIMIZER) s->last = value_poison();
    } else
        short_run(s);
    s->e->at = at;
}
