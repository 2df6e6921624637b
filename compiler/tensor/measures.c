/* measures.c: loss and metrics of the train block. Their names are tensors of the model or data fields; the shape of a
 * field follows from the header of the definition that reads it. */
#include "tensor/elaborate.h"
#include <string.h>

/* ---- the scope of the train block -------------------------------------------------------------------------------- */
Scope *train_scope(Elaboration *e)
{
    if (e->train) return e->train;
    Scope *s = e->train = scope_new(e, NULL, NULL, (Place){ 0 }, "");
    s->in_train = true;
    for (int i = 0; e->block && i < e->block->entries.count; i++) {
        const Entry *entry = &e->block->entries.at[i];
        scope_set(s, entry->name, entry->value, entry->at);
    }
    return s;
}

static Value only_output(Scope *s, Place at)
{
    Elaboration *e = s->e;
    if (e->outputs.count > 1) {
        scope_error(s, at, "the model has %d outputs: name the one that is meant, and its target", e->outputs.count);
        return value_poison();
    }
    if (e->outputs.count) return e->outputs.at[0].value;
    if (e->block && value_is_run_time(e->block->last)) return e->block->last;
    scope_error(s, at, "the model has no output");
    return value_poison();
}

/* ---- data fields ------------------------------------------------------------------------------------------------- */
static Tensor *target_find(const Model *m, const char *name)
{
    for (int i = 0; i < m->targets.count; i++)
        if (m->targets.at[i]->name == name) return m->targets.at[i];
    return NULL;
}

/* idx(image = "..", label = ".."): the only named string that is no input; csv(target = price): price. */
static const char *field_of_reader(const Model *m, const Expr *e)
{
    const char *only = NULL;
    for (int i = 0; e->kind == EXPR_CALL && i < e->args.count; i++) {
        const Argument *a = &e->args.at[i];
        if (!a->name || !a->value) continue;
        if (!strcmp(a->name, "target") && a->value->kind == EXPR_NAME) return a->value->name;
        bool input = a->value->kind != EXPR_STRING;
        for (int k = 0; k < m->inputs.count; k++) input = input || m->inputs.at[k]->name == a->name;
        if (input) continue;
        if (only) return NULL;
        only = a->name;
    }
    return only;
}

/* What a loss without tensors is held against. If the data block does not say, the field is called `target`, and the
 * host takes the only field that is no input. */
static const char *only_target(const Elaboration *e)
{
    const Model *m = e->model;
    if (m->targets.count == 1) return m->targets.at[0]->name;
    for (int i = 0; i < e->symbols->data.count; i++)
        for (int k = 0; k < e->symbols->data.at[i]->settings.count; k++) {
            const char *name = field_of_reader(m, e->symbols->data.at[i]->settings.at[k].value);
            if (name) return name;
        }
    return intern("target");
}

static Tensor *target_new(Elaboration *e, const char *name, int rank, const int *extent, Type type, Place at)
{
    Tensor *t = tensor_new(name, rank, extent, true, type, ROLE_INPUT);
    t->name = intern(name);
    t->at = at;
    PUSH(e->model->targets, t);
    return t;
}

static bool same_axes(const Param *a, const Param *b)
{
    if (a->has_axes != b->has_axes) return false;
    if (!a->has_axes) return true;
    if (a->axes.count != b->axes.count) return false;
    for (int i = 0; i < a->axes.count; i++) {
        const Subscript *x = &a->axes.at[i], *y = &b->axes.at[i];
        const char *p = x->name   ? x->name
                        : x->expr ? x->expr->name
                                  : NULL,
                   *q = y->name   ? y->name
                        : y->expr ? y->expr->name
                                  : NULL;
        if (x->kind != y->kind || p != q) return false;
    }
    return true;
}

static const Whole *first_tensor(const NamedValues *args)
{
    for (int i = 0; i < args->count; i++)
        if (args->at[i].value.kind == VALUE_TENSOR) return args->at[i].value.whole;
    return NULL;
}

/* The shape that the header gives the parameter p, its other tensors being known. 0: not known. */
static int shape_by_header(Scope *tmp, const Param *p, int *extent)
{
    int rank = 0;
    for (int i = 0; i < p->axes.count; i++) {
        const Subscript *x = &p->axes.at[i];
        const Pack *pack = x->kind == SUB_PACK ? pack_find(tmp, x->name) : NULL;
        const char *one = x->name ? x->name : x->expr ? x->expr->name : NULL;
        const char *const *names = pack ? pack->names : &one;
        int count = pack ? pack->count : 1;
        if (x->kind == SUB_PACK && !pack) return 0;
        for (int k = 0; k < count; k++) {
            const AxisRange *r = range_find(tmp, names[k]);
            if (rank == MAX_RANK || (!r && rank) || (r && rank == 0 && !r->batch)) return 0;
            extent[rank++] = r ? r->extent : tmp->e->model->batch;
        }
    }
    return rank;
}

static Type declared_type(const Param *p)
{
    for (int i = 0; i < p->type.count; i++) {
        if (p->type.at[i].subs.count < 0) continue;
        if (!strcmp(p->type.at[i].name, "int")) return TYPE_INT;
        if (!strcmp(p->type.at[i].name, "bool")) return TYPE_BOOL;
    }
    return TYPE_FLOAT;
}

static int shape_of(const Whole *w, bool drop, int *extent)
{
    int rank = w->rank;
    if (drop && rank >= 2 && w->axis[rank - 1]->extent == 1) rank--;
    for (int k = 0; k < rank; k++) extent[k] = w->axis[k]->extent;
    return rank;
}

/* The tensor of the data field that was given for parameter k of d. */
static Value field_value(Scope *s, const Definition *d, int k, NamedValues *args, const NamedValue *field)
{
    Elaboration *e = s->e;
    const char *name = field->value.text;
    Tensor *known = target_find(e->model, name);
    if (known) return value_tensor(known);
    const Param *p = &d->params.at[k];
    const Whole *first = first_tensor(args);
    int extent[MAX_RANK], rank = 0;
    bool like_output = k > 0 && d->params.count && same_axes(p, &d->params.at[0]);
    if (first && (like_output || !p->has_axes))
        rank = shape_of(first, true, extent);
    else if (p->has_axes) {
        Scope *tmp = scope_new(e, d, s, field->at, "");
        for (int i = 0; i < d->params.count; i++) {
            const NamedValue *a = named_find(args, d->params.at[i].name);
            if (a && a->value.kind == VALUE_TENSOR && d->params.at[i].has_axes)
                header_axes(tmp, args, &d->params.at[i], a->value, a->at);
        }
        rank = shape_by_header(tmp, p, extent);
    }
    if (!rank) {
        scope_error(s, field->at, "%s is no tensor of the model, and as a data field its shape does not follow from %s",
                    name, d->name ? d->name : "what every loss takes");
        LIST(const char *) names = { 0 };
        for (int i = 0; i < s->entries.count; i++) PUSH(names, s->entries.at[i].name);
        const char *near = nearest(name, names.at, names.count);
        if (near) help("did you mean %s?", near);
        return value_poison();
    }
    return value_tensor(target_new(e, name, rank, extent, declared_type(p), field->at));
}

/* y[.., 0] of an axis of length 1; so are the arguments of an elementwise call that made it. */
static Value last_axis_dropped(Value v)
{
    Whole *w = arena_copy(v.whole, sizeof *v.whole);
    Substitution sub = { 0 };
    w->rank--;
    substitution_set(&sub, w->axis[w->rank], sum_constant(0));
    w->node = node_substitute(w->node, &sub);
    w->origin = NULL;
    const Origin *o = v.whole->origin;
    if (o && o->definition->params.count && !o->definition->params.at[0].has_axes) {
        Origin *dropped = NEW(Origin);
        *dropped = (Origin){ .definition = o->definition, .count = o->count };
        dropped->args = arena_copy(o->args, sizeof *o->args * (size_t)o->count);
        for (int i = 0; i < o->count; i++)
            if (o->args[i].value.kind == VALUE_TENSOR && o->args[i].value.whole->rank == v.whole->rank)
                dropped->args[i].value = last_axis_dropped(o->args[i].value);
        w->origin = dropped;
    } else if (o && o->inner) {
        Whole inner = *v.whole;
        inner.origin = o->inner;
        w->origin = last_axis_dropped(value_whole(&inner)).whole->origin;
    }
    return value_whole(w);
}

/* If output and target do not meet and the output's last axis has length 1, it is dropped. */
static void meet(const Definition *d, NamedValues *args)
{
    if (d->params.count < 2 || !same_axes(&d->params.at[0], &d->params.at[1])) return;
    NamedValue *y = named_find(args, d->params.at[0].name), *t = named_find(args, d->params.at[1].name);
    if (!y || !t || y->value.kind != VALUE_TENSOR || t->value.kind != VALUE_TENSOR) return;
    const Whole *a = y->value.whole, *b = t->value.whole;
    if (a->rank == b->rank + 1 && b->rank && a->axis[a->rank - 1]->extent == 1) y->value = last_axis_dropped(y->value);
}

static void resolve_fields(Scope *s, const Definition *d, NamedValues *args)
{
    const Definition *every = s->e->symbols->every[d->kind];
    for (int i = 0; i < args->count; i++) {
        if (args->at[i].value.kind != VALUE_FIELD) continue;
        int k = param_find(d, args->at[i].name);
        int w = every && k < 0 ? param_find(every, args->at[i].name) : -1;
        if (k >= 0)
            args->at[i].value = field_value(s, d, k, args, &args->at[i]);
        else if (w >= 0)
            args->at[i].value = field_value(s, every, w, args, &args->at[i]);
    }
    meet(d, args);
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */
static Value averaged(Scope *s, Value v)
{
    if (v.kind != VALUE_TENSOR) return v;
    const Whole *w = v.whole;
    Scope *loss = scope_new(s->e, NULL, s, s->e->at, "loss");
    const Node *sum = emit_reduction(loss, RED_SUM, w->rank, w->axis, node_to_float(w->node));
    if (!sum) return value_poison();
    double count = 1;
    bool batch = false;
    for (int k = 0; k < w->rank; k++) {
        if (w->axis[k]->batch)
            batch = true;
        else
            count *= w->axis[k]->extent;
    }
    return value_node(node2(OP_DIV, sum, batch ? node_to_float(node_count(count)) : node_float(count)));
}

/* A loss inside `every loss`. */
static Value loss_wrapped(Scope *s, const Definition *d, NamedValues *args, Place at)
{
    const Definition *every = s->e->symbols->every[KIND_LOSS];
    if (!every) return call_plain(s, d, args, NULL, at);
    Part *inner = NEW(Part);
    inner->definition = d;
    inner->at = at;
    NamedValues outer = { 0 };
    for (int i = 0; i < args->count; i++) {
        const NamedValue *a = &args->at[i];
        int k = param_find(d, a->name);
        if (k < 0)
            named_set(&outer, *a);
        else if (k >= 2)
            named_set(&inner->args, *a);
        else if (k < every->params.count) {
            NamedValue renamed = *a;
            renamed.name = every->params.at[k].name;
            named_set(&outer, renamed);
        }
    }
    named_set(&outer, (NamedValue){ .name = intern("inner"), .value = value_part(inner), .at = at });
    return call_plain(s, every, &outer, NULL, at);
}

Value measure_call(Scope *s, const Definition *d, NamedValues *args, const Part *part, Place at)
{
    (void)part;
    for (int k = 0; k < 2 && k < d->params.count; k++) {
        const Param *p = &d->params.at[k];
        if (named_find(args, p->name) || p->fallback || s->example) continue;
        Value v = k ? value_text_of(VALUE_FIELD, only_target(s->e)) : only_output(s, at);
        if (v.kind == VALUE_POISON) return v;
        named_set(args, (NamedValue){ .name = p->name, .value = v, .at = at });
    }
    resolve_fields(s, d, args);
    for (int i = 0; i < args->count; i++)
        if (args->at[i].value.kind == VALUE_POISON) return value_poison();
    Value v;
    if (d->kind == KIND_LOSS)
        v = loss_wrapped(s, d, args, at);
    else if (!rewrite_apply(s, d, args, at, &v))
        v = call_plain(s, d, args, part, at);
    if (d->kind == KIND_LOSS && s->e->averaging) v = averaged(s, v);
    return v;
}

static Value measure_express(Scope *s, const Expr *flow)
{
    s->e->at = flow->at;
    s->e->layer = "";
    if (!ranges_infer(s, flow)) return value_poison();
    Value v = express(s, flow);
    if (v.kind != VALUE_PART || !v.part->definition) return v;
    const Definition *d = v.part->definition;
    if (d->kind != KIND_LOSS && d->kind != KIND_METRIC) {
        scope_error(s, flow->at, "%s is %s, expected a loss or metric", d->name,
                    d->kind == KIND_DEF ? "a layer" : def_kind_name[d->kind]);
        return value_poison();
    }
    NamedValues args = { 0 };
    for (int i = 0; i < v.part->args.count; i++) named_set(&args, v.part->args.at[i]);
    return measure_call(s, d, &args, v.part, flow->at);
}

static bool is_measure_name(const Expr *e)
{
    return e->kind == EXPR_NAME || e->kind == EXPR_CALL || e->kind == EXPR_PIPE;
}

/* A field that is no argument of a loss: an unknown name. */
static void unknown_name(Scope *s, const Expr *flow, Value v)
{
    scope_error(s, flow->at, "%s is no loss, metric or tensor of the model", v.text);
    help_definition(s, v.text);
}

static bool measured_set(Scope *s, const Expr *flow, Value v, Measured *out)
{
    memset(out, 0, sizeof *out);
    if (v.kind == VALUE_FIELD)
        unknown_name(s, flow, v);
    else if (v.kind != VALUE_POISON && !value_is_run_time(v) && v.kind != VALUE_NUMBER)
        scope_error(s, flow->at, "expected a number for each sample, this is %s", value_kind_text(v));
    if (!value_is_run_time(v) && v.kind != VALUE_NUMBER) return false;
    out->name = is_measure_name(flow) ? flow->name : intern("metric");
    bool one_number = v.kind == VALUE_NODE && !v.node->indices;
    if (value_is_run_time(v) && !one_number) v = name_it(s, out->name, v);
    if (v.kind == VALUE_POISON) return false;
    out->value = v.kind == VALUE_TENSOR ? v.whole->node : value_to_node(v);
    if (v.kind == VALUE_TENSOR) {
        out->indices = v.whole->rank;
        memcpy(out->index, v.whole->axis, sizeof out->index);
    }
    return true;
}

bool elaborate_loss(Elaboration *e, const Expr *flow, Measured *out)
{
    Scope *s = train_scope(e);
    e->averaging = true;
    Value v = averaged(s, measure_express(s, flow));
    e->averaging = false;
    if (!measured_set(s, flow, v, out)) return false;
    out->name = intern("loss");
    return true;
}

/* ---- of totals? -------------------------------------------------------------------------------------------------- */
typedef struct Looking {
    const PointerMap *of_totals;
    bool found;
} Looking;

static void look(const Node *e, void *data)
{
    Looking *l = data;
    if (e->op == OP_READ && (e->tensor->role == ROLE_TOTAL || map_get(l->of_totals, e->tensor))) l->found = true;
}

static bool reads_totals(const Node *e, const PointerMap *of_totals)
{
    Looking l = { of_totals, false };
    node_visit(e, look, &l);
    return l.found;
}

bool elaborate_metric(Elaboration *e, const Expr *flow, Measured *out)
{
    Scope *s = train_scope(e);
    int begin = e->program->equations.count;
    if (!measured_set(s, flow, measure_express(s, flow), out)) return false;
    PointerMap of_totals = { 0 };
    for (int i = begin; i < e->program->equations.count; i++) {
        const Equation *q = e->program->equations.at[i];
        if (reads_totals(q->value, &of_totals)) map_set(&of_totals, q->out, q->out);
    }
    out->of_totals = reads_totals(out->value, &of_totals);
    return true;
}
