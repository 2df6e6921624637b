/* holders.c: what lives longer than a step: parameters, states, totals. They belong to the model, are found by their
 * path in every elaboration, and get their initial values in the program `initialize` when they are first met. */
#include "tensor/elaborate.h"
#include <string.h>

/* ---- finding ----------------------------------------------------------------------------------------------------- */
static Tensor *kept_find(Elaboration *e, const char *path)
{
    for (; e->kept_seen < e->model->kept.count; e->kept_seen++)
        map_set(&e->kept, e->model->kept.at[e->kept_seen]->name, e->model->kept.at[e->kept_seen]);
    return map_get(&e->kept, path);
}

Tensor *parameter_average(const Model *m, const Tensor *parameter)
{
    const char *name = intern(format("average.%s", parameter->name));
    for (int i = 0; i < m->kept.count; i++)
        if (m->kept.at[i]->name == name) return m->kept.at[i];
    return NULL;
}

/* A tensor named just so, not made unique. */
static Tensor *tensor_named(const char *path, const Left *l, Role role, Place at)
{
    Tensor *t = tensor_new(path, l->rank, l->extent, false, TYPE_FLOAT, role);
    t->name = intern(path);
    t->at = at;
    return t;
}

static const char *holder_path(Scope *s, const char *name)
{
    if (s->definition && s->definition->kind == KIND_OPTIMIZER && s->e->variable)
        return path_join(name, s->e->variable);
    return path_join(s->prefix, name);
}

/* ---- initial values ---------------------------------------------------------------------------------------------- */
static void fans(Scope *s, const Left *l)
{
    double in = 1, out = 1;
    if (l->rank == 1)
        in = out = l->extent[0];
    else if (l->rank > 1) {
        in = l->extent[l->rank - 2];
        out = l->extent[l->rank - 1];
        for (int k = 0; k < l->rank - 2; k++) {
            in *= l->extent[k];
            out *= l->extent[k];
        }
    }
    s->fan_in = value_float(in);
    s->fan_out = value_float(out);
}

/* `state average = w`: the initial value of w. */
static Tensor *initial_of(const Model *m, const Tensor *holder)
{
    for (int i = 0; i < m->initialize->updates.count; i++)
        if (m->initialize->updates.at[i].state == holder) return m->initialize->updates.at[i].value;
    return NULL;
}

static const Node *initial_value(Scope *s, const Statement *st, const Left *l)
{
    const Entry *entry = st->value->kind == EXPR_NAME ? scope_find(s, st->value->name) : NULL;
    Tensor *other = entry && entry->holder ? initial_of(s->e->model, entry->holder) : NULL;
    if (other && other->rank == l->rank) return node_read_at(other, l->index);
    Value v = init_value(s, express(s, st->value));
    if (v.kind == VALUE_NODE && s->e->in_optimizer)
        v = value_const(s, v, st->value->at, "the initial value of a state");
    if (v.kind == VALUE_NUMBER || v.kind == VALUE_NODE) return node_to_float(value_to_node(v));
    if (v.kind == VALUE_TENSOR)
        scope_error(s, st->value->at, "the initial value is %s, it does not fit the left side", value_text(v));
    else if (v.kind != VALUE_POISON)
        scope_error(s, st->value->at, "an initial value must be a number or an init, this is %s", value_kind_text(v));
    return NULL;
}

/* Runs in `initialize`; the scope is as the body left it, but for the fans and the shape to fill. */
static void initialize(Scope *s, const Statement *st, const Left *l, Tensor *holder)
{
    Elaboration *e = s->e;
    Elaboration kept = *e;
    Value fan_in = s->fan_in, fan_out = s->fan_out;
    e->program = e->model->initialize;
    e->in_init = true;
    memset(&e->context, 0, sizeof e->context);
    fans(s, l);
    s->fill = l;
    left_bind(s, l);
    const Node *value = initial_value(s, st, l);
    left_release(s, l);
    if (value) {
        Tensor *t = tensor_new(format("%s.start", holder->name), l->rank, l->extent, false, TYPE_FLOAT, ROLE_TEMP);
        emit(s, t, l->at, l->indices, l->index, value);
        PUSH(e->program->updates, ((Update){ .state = holder, .value = t }));
    }
    s->fill = NULL;
    s->fan_in = fan_in;
    s->fan_out = fan_out;
    e->program = kept.program;
    e->in_init = kept.in_init;
    e->context = kept.context;
}

/* ---- as "weight"[o, i] ------------------------------------------------------------------------------------------- */
static void foreign_set(Scope *s, const Statement *st, const Left *l, Tensor *t)
{
    if (!st->foreign) return;
    t->foreign = path_join(s->prefix, st->foreign);
    t->foreign_indices = l->indices;
    t->foreign_index = arena_copy(l->index, sizeof *l->index * (size_t)(l->indices ? l->indices : 1));
    if (!st->has_foreign_subs) {
        t->foreign_rank = l->rank;
        t->foreign_subs = arena_copy(l->at, sizeof *l->at * (size_t)(l->rank ? l->rank : 1));
        return;
    }
    SubList subs = { 0 };
    left_bind(s, l);
    if (subs_expand(s, &st->foreign_subs, -1, false, &subs)) {
        const Sum **at = NEW_ARRAY(const Sum *, subs.count + 1);
        bool ok = true;
        for (int k = 0; ok && k < subs.count; k++) ok = (at[k] = foreign_sum(s, &subs.at[k])) != NULL;
        if (ok) {
            t->foreign_rank = subs.count;
            t->foreign_subs = at;
        }
    }
    left_release(s, l);
}

/* ---- param and state --------------------------------------------------------------------------------------------- */
/* `state v = 0` in an optimizer has the shape of w. */
static bool left_like(Scope *s, const Statement *st, Left *l)
{
    memset(l, 0, sizeof *l);
    const Entry *w = scope_find(s, intern("w"));
    if (!s->definition || s->definition->kind != KIND_OPTIMIZER || !w) {
        scope_error(s, st->target->at, "%s needs its axes: %s[c], or %s[] for one number", expr_text(st->target),
                    expr_text(st->target), expr_text(st->target));
        return false;
    }
    if (w->value.kind != VALUE_TENSOR) return w->value.kind == VALUE_NODE;
    const Whole *x = w->value.whole;
    l->rank = l->indices = x->rank;
    for (int k = 0; k < x->rank; k++) {
        l->index[k] = index_new(x->axis[k]->name, x->axis[k]->extent, false);
        l->name[k] = x->axis[k]->name;
        l->at[k] = sum_index(l->index[k]);
        l->value[k] = node_sum(l->at[k]);
        l->extent[k] = x->axis[k]->extent;
    }
    return true;
}

static bool same_shape(const Tensor *t, const Left *l)
{
    bool same = t->rank == l->rank;
    for (int k = 0; same && k < l->rank; k++) same = t->extent[k] == l->extent[k];
    return same;
}

static void count_parameters(Scope *s, const Tensor *t)
{
    for (Scope *c = s; c; c = c->caller) {
        if (c->layer < 0) continue;
        Layer *l = &s->e->model->layers.at[c->layer];
        l->parameters += tensor_size(t);
        if (t->frozen) l->frozen += tensor_size(t);
    }
}

/* Within a loss or a metric of the train block. */
static bool in_measure(const Scope *s)
{
    for (; s; s = s->caller)
        if (s->in_train) return true;
    return false;
}

static Tensor *holder_new(Scope *s, const Statement *st, const Left *l, const char *path)
{
    Elaboration *e = s->e;
    bool is_param = st->kind == ST_PARAM;
    if (!e->first && !e->in_optimizer) {
        scope_error(s, st->at, "%s is made in %s only: parameters and states may not depend on `training`", path,
                    e->training ? "training" : "inference");
        return NULL;
    }
    Tensor *t = tensor_named(path, l, is_param ? ROLE_PARAM : ROLE_STATE, st->at);
    t->frozen = is_param && !s->trainable;
    t->measures = !is_param && in_measure(s);
    PUSH(e->model->kept, t);
    foreign_set(s, st, l, t);
    initialize(s, st, l, t);
    if (is_param) count_parameters(s, t);
    return t;
}

static void penalize(Scope *s, Tensor *t)
{
    Elaboration *e = s->e;
    if (!s->penalty || t->rank < 2 || t->frozen || map_get(&e->penalized, t)) return;
    map_set(&e->penalized, t, t);
    NamedValues args = { 0 };
    for (int i = 0; i < s->penalty->args.count; i++) PUSH(args, s->penalty->args.at[i]);
    const Definition *d = s->penalty->definition;
    if (!d->params.count) return;
    named_set(&args, (NamedValue){ .name = d->params.at[0].name, .value = value_tensor(t), .at = s->penalty->at });
    Part *penalty = s->penalty;
    bool in_block = e->in_block;
    s->penalty = NULL;
    e->in_block = false; /* it is no layer of the summary */
    penalty_add(s, call_definition(s, d, &args, penalty, penalty->at), penalty->at);
    s->penalty = penalty;
    e->in_block = in_block;
}

static Value holder_value(Scope *s, const Statement *st, Tensor **holder)
{
    const char *name = target_name(s, st->target);
    Left l;
    bool ok = st->target->kind == EXPR_READ ? left_read(s, st->target, st->value, &l) : left_like(s, st, &l);
    s->locals.count = 0;
    if (!name || !ok) return value_poison();
    for (int k = 0; k < l.rank; k++)
        if (l.batch[k]) {
            scope_error(s, st->target->at, "a parameter or state has no batch axis");
            return value_poison();
        }
    if (l.pieces) {
        scope_error(s, st->target->at, "a parameter or state is not given in pieces");
        return value_poison();
    }
    const char *path = holder_path(s, name);
    Tensor *t = kept_find(s->e, path);
    if (t && !same_shape(t, &l)) {
        scope_error(s, st->at,
                    "%s has the shape %s elsewhere: weights that are used again need inputs of the same shape", path,
                    tensor_shape_text(t));
        return value_poison();
    }
    if (!t) t = holder_new(s, st, &l, path);
    if (!t) return value_poison();
    *holder = t;
    map_set(&s->e->used, t, t);
    if (t->role == ROLE_PARAM && !s->e->training) {
        Tensor *average = kept_find(s->e, intern(format("average.%s", path)));
        if (average) return value_tensor(average);
    }
    return value_tensor(t);
}

void holder_run(Scope *s, const Statement *st)
{
    const char *name = target_name(s, st->target);
    if (!name) return;
    if (s->definition == NULL && s->in_train) bug("a holder in the train block");
    Tensor *holder = NULL;
    Value v = holder_value(s, st, &holder);
    Entry *entry = scope_set(s, name, v, st->at);
    entry->holder = holder;
    entry->pieces = NULL;
    if (holder && holder->role == ROLE_PARAM) penalize(s, holder);
}

/* ---- updates, totals, penalties ---------------------------------------------------------------------------------- */
/* The value as a tensor of this program with the shape of holder. */
static Tensor *value_like(Scope *s, const char *name, Value v, const Tensor *holder, Place at)
{
    const Index *axis[MAX_RANK];
    const Node *node = NULL;
    for (int k = 0; k < holder->rank; k++) axis[k] = index_new("i", holder->extent[k], false);
    Tensor *leaf = value_leaf(v);
    if (v.kind == VALUE_TENSOR) {
        const Whole *w = v.whole;
        bool same = w->rank == holder->rank;
        for (int k = 0; same && k < w->rank; k++) same = w->axis[k]->extent == holder->extent[k] && !w->axis[k]->batch;
        if (!same) {
            scope_error(s, at, "%s has the shape %s, its new value %s", name, tensor_shape_text(holder),
                        shape_text(w->rank, w->axis));
            return NULL;
        }
        if (leaf && leaf->role == ROLE_TEMP && leaf->type == TYPE_FLOAT) return leaf;
        node = node_to_float(whole_at(w, axis));
    } else {
        node = node_to_float(value_to_node(v));
        if (holder->rank == 0 && leaf && leaf->role == ROLE_TEMP && leaf->type == TYPE_FLOAT) return leaf;
    }
    Tensor *t = tensor_new(full_name(s, name), holder->rank, holder->extent, false, TYPE_FLOAT, ROLE_TEMP);
    Equation *q = equation_map(t, axis, node);
    equation_add(s->e, q);
    return t;
}

void update_set(Elaboration *e, Tensor *holder, Tensor *value, bool add)
{
    intptr_t known = (intptr_t)map_get(&e->updates, holder);
    if (known && known <= e->program->updates.count && e->program->updates.at[known - 1].state == holder) {
        e->program->updates.at[known - 1].value = value;
        return;
    }
    PUSH(e->program->updates, ((Update){ .state = holder, .value = value, .add = add }));
    map_set(&e->updates, holder, (void *)(intptr_t)e->program->updates.count);
}

void update_run(Scope *s, const Statement *st, Value v)
{
    const char *name = target_name(s, st->target);
    Entry *entry = scope_find(s, name);
    if (!entry || !entry->holder) {
        if (entry && entry->value.kind == VALUE_POISON) return;
        scope_error(s, st->target->at, "update changes a state or parameter, %s is none", name);
        if (entry) note_at(entry->at, "%s is defined here", name);
        return;
    }
    Tensor *t = v.kind == VALUE_POISON ? NULL : value_like(s, name, v, entry->holder, st->at);
    entry = scope_find(s, name);
    entry->value = t ? value_tensor(t) : value_poison();
    if (t && (s->e->training || s->e->in_optimizer)) update_set(s->e, entry->holder, t, false);
}

void total_run(Scope *s, const Statement *st, Value v)
{
    const char *name = target_name(s, st->target);
    Left l = { 0 };
    if (v.kind != VALUE_NODE && v.kind != VALUE_NUMBER && v.kind != VALUE_TENSOR) {
        if (v.kind != VALUE_POISON) scope_error(s, st->at, "a total adds up numbers, this is %s", value_kind_text(v));
        scope_set(s, name, value_poison(), st->at);
        return;
    }
    if (v.kind == VALUE_TENSOR) {
        l.rank = v.whole->rank;
        for (int k = 0; k < l.rank; k++) {
            l.extent[k] = v.whole->axis[k]->extent;
            if (!v.whole->axis[k]->batch) continue;
            scope_error(s, st->target->at, "a total has no batch axis: it adds up over the samples, sum[n] ..");
            scope_set(s, name, value_poison(), st->at);
            return;
        }
    }
    Model *m = s->e->model;
    const char *path = path_join(s->prefix, name);
    Tensor *total = NULL;
    for (int i = 0; i < m->totals.count; i++)
        if (m->totals.at[i]->name == path) total = m->totals.at[i];
    if (!total) {
        total = tensor_named(path, &l, ROLE_TOTAL, st->at);
        PUSH(m->totals, total);
    }
    Tensor *t = value_like(s, name, v, total, st->at);
    if (t) update_set(s->e, total, t, true);
    s->last = t ? value_tensor(total) : value_poison();
    scope_set(s, name, s->last, st->at)->holder = total;
}

void penalty_add(Scope *s, Value v, Place at)
{
    if (v.kind == VALUE_POISON) return;
    if (v.kind != VALUE_NODE && v.kind != VALUE_NUMBER) {
        scope_error(s, at, "a penalty must be one number, this is %s", value_kind_text(v));
        return;
    }
    const Node *node = node_to_float(value_to_node(v));
    if (node->indices) {
        scope_error(s, at, "a penalty must be one number, this one has indices");
        return;
    }
    PUSH(s->e->penalties, node);
}
