/* calls.c: calls of definitions. A call has a scope of its own; its tensors and weights are named by the path of
 * calls. */
#include "tensor/elaborate.h"
#include <string.h>

enum { DEEPEST_CALL = 60, MOST_CALLS = 50000 };

/* ---- arguments of a call ----------------------------------------------------------------------------------------- */
static bool is_option(const char *name)
{
    return !strcmp(name, "name") || !strcmp(name, "trainable") || !strcmp(name, "weights") || !strcmp(name, "penalty");
}

static void unknown_argument(Scope *s, const Definition *d, const Argument *a)
{
    scope_error(s, a->at, "%s takes no %s", d->name ? d->name : def_kind_name[d->kind], a->name);
    LIST(const char *) names = { 0 };
    for (int i = 0; i < d->params.count; i++) PUSH(names, d->params.at[i].name);
    const Definition *every = s->e->symbols->every[d->kind];
    for (int i = 0; every && i < every->params.count; i++) PUSH(names, every->params.at[i].name);
    if (d->kind == KIND_DEF) {
        PUSH(names, "name");
        PUSH(names, "trainable");
        PUSH(names, "weights");
        PUSH(names, "penalty");
    }
    const char *near = nearest(a->name, names.at, names.count);
    if (near)
        help("did you mean %s?", near);
    else if (d->params.count) {
        Text t = { 0 };
        for (int i = 0; i < d->params.count; i++) text_addf(&t, "%s%s", i ? ", " : "", d->params.at[i].name);
        help("it takes %s", text_string(&t));
    }
}

/* name = value: of a parameter, of `every`, or what every layer call takes. */
static void bind_named(Scope *s, const Definition *d, const Argument *a, Part *p)
{
    int k = param_find(d, a->name);
    const Definition *every = s->e->symbols->every[d->kind];
    int w = every ? param_find(every, a->name) : -1;
    NamedValue v = { .name = a->name, .at = a->value->at };
    if (d->kind == KIND_INIT && (!strcmp(a->name, "fan_in") || !strcmp(a->name, "fan_out")))
        v.value = express_outside(s, a->value);  /* fan_in = i: the length of i, though i is an index of the parameter */
    else if (k >= 0)
        v.value = argument_value(s, &d->params.at[k], a->value);
    else if (w >= 0)
        v.value = argument_value(s, &every->params.at[w], a->value);
    else if (d->kind == KIND_DEF && !strcmp(a->name, "weights")) {
        p->weights = tree_of(s, a->value);
        p->weights_at = a->value->at;
        return;
    } else if (d->kind == KIND_DEF && !strcmp(a->name, "penalty"))
        v.value = part_express(s, a->value);
    else if (d->kind == KIND_DEF && is_option(a->name))
        v.value = express(s, a->value);
    else {
        unknown_argument(s, d, a);
        return;
    }
    named_set(&p->args, v);
}

static void too_many(Scope *s, const Definition *d, const Argument *a, int first)
{
    int most = d->params.count - first;
    scope_error(s, a->at, "%s takes %d argument%s%s", d->name, most, most == 1 ? "" : "s",
                first ? " after the piped value" : "");
    note_at(d->at, "%s is defined here", d->name);
}

static bool gives_tensor(Scope *s, const Expr *e);

/* Is a name given twice, or both by its place and by name? */
static void args_check(Scope *s, const Definition *d, const Arguments *args, int first, bool skip_tensors)
{
    int k = first;
    for (int i = 0; i < args->count; i++) {
        const char *name = args->at[i].name;
        if (!name && args->at[i].value) {
            while (skip_tensors && k < d->params.count && param_is_tensor(d, k)) k++;
            name = k < d->params.count ? d->params.at[k++].name : NULL;
        }
        for (int j = i + 1; name && j < args->count; j++)
            if (args->at[j].name == name) scope_error(s, args->at[j].at, "%s is given twice", name);
        if (first && name == d->params.at[0].name)
            scope_error(s, args->at[i].at, "%s is given twice: it is the value that was piped", name);
    }
}

/* Positional and named arguments into p; what a definition with `...` takes beyond its parameters into rest. */
static void bind_arguments(Scope *s, const Arguments *args, int first, bool skip_tensors, Part *p, NamedValues *rest)
{
    const Definition *d = p->definition;
    int k = first;
    args_check(s, d, args, first, skip_tensors);
    for (int i = 0; i < args->count; i++) {
        const Argument *a = &args->at[i];
        if (!a->value) {
            scope_error(s, a->at, "... has no meaning here: it belongs to rewrites and headers");
            continue;
        }
        if (a->name) {
            bind_named(s, d, a, p);
            continue;
        }
        while (skip_tensors && k < d->params.count && param_is_tensor(d, k)) k++;
        bool folded = d->folds && rest && k >= 2 && gives_tensor(s, a->value); /* concat(a, b, c) */
        if (k < d->params.count && !folded) {
            const Param *q = &d->params.at[k++];
            NamedValue v = { .name = q->name, .at = a->value->at, .value = argument_value(s, q, a->value) };
            const Entry *entry = a->value->kind == EXPR_NAME ? scope_find(s, a->value->name) : NULL;
            if (entry) v.holder = entry->holder;
            named_set(&p->args, v);
        } else if (d->folds && rest)
            PUSH(*rest, ((NamedValue){ .value = express(s, a->value), .at = a->value->at }));
        else {
            too_many(s, d, a, first);
            break;
        }
    }
}

static Part *part_copy(const Part *p)
{
    Part *q = arena_copy(p, sizeof *p);
    memset(&q->args, 0, sizeof q->args);
    for (int i = 0; i < p->args.count; i++) PUSH(q->args, p->args.at[i]);
    return q;
}

/* ---- layers and other definitions as values ---------------------------------------------------------------------- */
/* The definition or part that a name before ( stands for; NULL if it is something else. */
static Part *part_named(Scope *s, const char *name)
{
    const Entry *entry = scope_find(s, name); /* dropout(dropout): the number is no layer, the definition is meant */
    if (entry && entry->value.kind == VALUE_PART) return entry->value.part;
    Value v = part_of_name(s, name);
    return v.kind == VALUE_PART ? v.part : NULL;
}

static Value part_unknown(Scope *s, const char *name, Place at)
{
    const Entry *entry = scope_find(s, name);
    if (entry && entry->value.kind == VALUE_POISON) return value_poison();
    if (entry)
        scope_error(s, at, "%s is %s, not a layer", name, value_kind_text(entry->value));
    else {
        scope_error(s, at, "there is no definition %s", name);
        help_definition(s, name);
    }
    return value_poison();
}

Value part_express(Scope *s, const Expr *e)
{
    if (e->kind == EXPR_CHOICE) {
        bool yes;
        if (!express_truth(s, e->cond, "the choice of a definition", &yes)) return value_poison();
        return part_express(s, yes ? e->left : e->right);
    }
    if (e->kind == EXPR_NAME) {
        bool found;
        Value v = name_lookup(s, e->name, &found);
        return found ? v : part_unknown(s, e->name, e->at);
    }
    if (e->kind != EXPR_CALL) return express(s, e);
    const Part *base = part_named(s, e->name);
    if (!base) return part_unknown(s, e->name, e->at);
    Part *p = part_copy(base);
    p->at = e->at;
    if (p->definition)
        bind_arguments(s, &e->args, 0, true, p, NULL);
    else if (e->args.count)
        scope_error(s, e->at, "the function %s takes no arguments as a layer", e->name);
    return value_part(p);
}

/* ---- a call ------------------------------------------------------------------------------------------------------ */
static const char *option_text(Scope *s, const NamedValues *args, const Definition *d)
{
    if (d->kind != KIND_DEF || param_find(d, intern("name")) >= 0) return NULL;
    const NamedValue *v = named_find(args, intern("name"));
    if (!v || v->value.kind == VALUE_POISON) return NULL;
    if (v->value.kind == VALUE_STRING || v->value.kind == VALUE_WORD) return v->value.text;
    scope_error(s, v->at, "name must be a string, this is %s", value_kind_text(v->value));
    return NULL;
}

static const char *call_path(Scope *s, const Definition *d, const NamedValues *args, const Part *part)
{
    if (part && part->shared) return part->shared->path;
    if (d->kind == KIND_OPTIMIZER && s->e->variable) return s->e->variable;
    const char *name = option_text(s, args, d);
    const NamedValue *inner =
        d->every && d->kind == KIND_LOSS && !s->e->averaging ? named_find(args, intern("inner")) : NULL;
    if (inner && inner->value.kind == VALUE_PART) name = inner->value.part->definition->name; /* a loss as a metric */
    if (!name) name = d->name ? d->name : d->kind == KIND_SCHEDULE ? "schedule" : def_kind_name[d->kind];
    return path_count(s->e, path_join(s->prefix, name));
}

static bool too_deep(Scope *s, const Definition *d, Place at)
{
    Elaboration *e = s->e;
    if (++e->calls > MOST_CALLS) {
        if (!e->too_large) scope_error(s, at, "the model is too large: more than %d calls", MOST_CALLS);
        e->too_large = true;
        return true;
    }
    if (s->depth < DEEPEST_CALL) return false;
    int same = 0;
    for (const Scope *c = s; c; c = c->caller) same += c->definition == d;
    while (s->caller && s->definition == d) s = s->caller;
    if (same > 1)
        scope_error(s, at, "%s calls itself: a definition cannot be recursive", d->name ? d->name : "it");
    else
        scope_error(s, at, "calls are nested deeper than %d", DEEPEST_CALL);
    return true;
}

static void call_options(Scope *s, Scope *callee, const NamedValues *args, const Part *part)
{
    const Definition *d = callee->definition;
    if (d->kind != KIND_DEF) return;
    const NamedValue *t = named_find(args, intern("trainable")), *p = named_find(args, intern("penalty"));
    if (t && param_find(d, t->name) < 0) {
        if (t->value.kind == VALUE_NUMBER && t->value.type == TYPE_BOOL)
            callee->trainable = callee->trainable && t->value.number != 0;
        else if (t->value.kind != VALUE_POISON)
            scope_error(s, t->at, "trainable must be true or false, this is %s", value_kind_text(t->value));
    }
    if (p && param_find(d, p->name) < 0) {
        if (p->value.kind == VALUE_PART && p->value.part->definition)
            callee->penalty = p->value.part;
        else if (p->value.kind != VALUE_POISON && p->value.kind != VALUE_NONE)
            scope_error(s, p->at, "penalty must be a definition of a parameter, this is %s", value_kind_text(p->value));
    }
    if (part && part->weights && s->e->first)
        PUSH(s->e->model->weights,
             ((Weights){ .path = callee->path, .source = part->weights, .at = part->weights_at }));
}

static int layer_begin(Scope *callee)
{
    Elaboration *e = callee->e;
    const Definition *d = callee->definition;
    if (!e->first || !e->in_block || e->in_init || d->kind != KIND_DEF || callee->last.kind != VALUE_TENSOR) return -1;
    int depth = 0;
    for (const Scope *c = callee->caller; c && c->definition; c = c->caller) depth++;
    PUSH(e->model->layers,
         ((Layer){ .path = callee->path, .definition = d->name, .depth = depth, .at = callee->call_at }));
    return callee->layer = e->model->layers.count - 1;
}

/* What the call hands on: named after it, and remembered as its value for rewrites. */
static Value call_value(Scope *callee, const NamedValues *args)
{
    Value v = callee->last;
    if (v.kind != VALUE_TENSOR || callee->definition->kind != KIND_DEF) return v;
    Whole *w = arena_copy(v.whole, sizeof *v.whole);
    Origin *o = NEW(Origin);
    *o = (Origin){ .definition = callee->definition, .args = args->at, .count = args->count, .inner = w->origin };
    w->origin = o;
    if (!w->name) w->name = callee->path;
    if (whole_is_leaf(w)) map_set(&callee->e->origins, w->node->tensor, w);
    return value_whole(w);
}

/* The arguments as the body saw them: computed once. */
static NamedValues bound_arguments(Scope *callee, const NamedValues *args)
{
    NamedValues out = { 0 };
    for (int i = 0; i < args->count; i++) {
        NamedValue a = args->at[i];
        if (param_find(callee->definition, a.name) >= 0 && scope_find(callee, a.name))
            a.value = scope_find(callee, a.name)->value;
        PUSH(out, a);
    }
    return out;
}

/* An optimizer refines its w: so does the caller, whose w it is. */
static void hand_back(Scope *s, const Scope *callee)
{
    if (callee->definition->kind != KIND_OPTIMIZER) return;
    for (int i = 0; i < callee->entries.count; i++)
        for (int k = 0; callee->entries.at[i].holder && k < s->entries.count; k++)
            if (s->entries.at[k].holder == callee->entries.at[i].holder)
                s->entries.at[k].value = callee->entries.at[i].value;
}

static Value call_body(Scope *s, Scope *callee, NamedValues *args, const Part *part)
{
    int errors = error_count();
    bind_header(callee, args);
    for (int i = 0; i < callee->entries.count; i++)
        if (callee->entries.at[i].value.kind == VALUE_POISON) return value_poison();
    if (error_count() != errors) return value_poison();
    NamedValues seen = bound_arguments(callee, args);
    int layer = layer_begin(callee);
    Elaboration *e = s->e;
    const char *before = e->layer;
    e->layer = callee->path;
    body_run(callee);
    e->layer = before;
    if (part && part->shared) part->shared->last = callee;
    hand_back(s, callee);
    Value v = call_value(callee, &seen);
    if (layer >= 0) {
        v = name_it(s, callee->path, v);
        e->model->layers.at[layer].out = value_leaf(v);
    }
    return v;
}

/* An init that computes the whole tensor, init f(w[i, j]) { .. }, not an element where it stands. */
static bool fills_a_tensor(const Definition *d)
{
    for (int i = 0; d->kind == KIND_INIT && i < d->params.count; i++)
        if (d->params.at[i].has_axes) return true;
    return false;
}

Value call_plain(Scope *s, const Definition *d, NamedValues *args, const Part *part, Place at)
{
    if (too_deep(s, d, at)) return value_poison();
    Scope *callee = scope_new(s->e, d, s, at, call_path(s, d, args, part));
    if (d->kind == KIND_INIT) {
        callee->fan_in = s->fan_in;
        callee->fan_out = s->fan_out;
        callee->fill = s->fill;
    }
    call_options(s, callee, args, part);
    Elaboration *e = s->e;
    Elaboration kept = *e;
    if (fills_a_tensor(d)) memset(&e->context, 0, sizeof e->context);
    Value v = call_body(s, callee, args, part);
    if (fills_a_tensor(d)) e->context = kept.context;
    return v;
}

Value call_definition(Scope *s, const Definition *d, NamedValues *args, const Part *part, Place at)
{
    if (s->in_train && (d->kind == KIND_LOSS || d->kind == KIND_METRIC)) return measure_call(s, d, args, part, at);
    if (d->kind == KIND_OPTIMIZER) return optimizer_call(s, d, args, part, at);
    Value v;
    bool loaded = part && part->weights; /* what a rewrite calls instead would begin with weights of its own */
    if (!loaded && rewrite_apply(s, d, args, at, &v)) return v;
    return call_plain(s, d, args, part, at);
}

/* concat(a, b, c): folded from the left. */
static Value call_folded(Scope *s, const Part *p, NamedValues *rest, Place at)
{
    const Definition *d = p->definition;
    NamedValues args = p->args;
    Value v = call_definition(s, d, &args, p, at);
    for (int i = 0; i < rest->count; i++) {
        NamedValues next = part_copy(p)->args;
        named_set(&next, (NamedValue){ .name = d->params.at[0].name, .value = v, .at = at });
        named_set(&next,
                  (NamedValue){ .name = d->params.at[1].name, .value = rest->at[i].value, .at = rest->at[i].at });
        v = call_definition(s, d, &next, p, at);
    }
    return v;
}

static Value function_call(Scope *s, const Part *p, const Expr *e, Value piped, bool has_piped)
{
    int want = has_piped ? 0 : 1;
    if (e->args.count != want || (want && (e->args.at[0].name || !e->args.at[0].value))) {
        scope_error(s, e->at, "%s takes one argument", op_info[p->function].text);
        return value_poison();
    }
    Value v = has_piped ? piped : express(s, e->args.at[0].value);
    if (v.kind == VALUE_FIELD || v.kind == VALUE_PART || v.kind == VALUE_NONE || v.kind == VALUE_WORD ||
        v.kind == VALUE_STRING) {
        scope_error(s, e->at, "%s acts on numbers, this is %s", op_info[p->function].text, value_kind_text(v));
        return value_poison();
    }
    return value_unary(s, p->function, v, e->at);
}

/* A definition of these kinds, called where its own tensors cannot be given, is a value: lr = cosine(1e-3). */
static bool is_partial(const Scope *s, const Definition *d)
{
    DefKind here = s->definition ? s->definition->kind : KIND_DEF;
    if (d->kind == KIND_SCHEDULE) return here != KIND_SCHEDULE;
    if (d->kind == KIND_OPTIMIZER) return here != KIND_OPTIMIZER;
    return d->kind == KIND_INIT && !s->fill;
}

/* The stage of a pipe, not all that is piped into it. */
static Place call_place(const Expr *e) { return e->kind == EXPR_PIPE && e->op_at.source ? e->op_at : e->at; }

/* e: a NAME, CALL or PIPE whose name and args are those of the call. */
static Value call_named(Scope *s, const Expr *e, Value piped, bool has_piped)
{
    Place at = call_place(e);
    const Part *base = part_named(s, e->name);
    if (!base && builtin_is(e->name)) return builtin_call(s, e, e->name, piped, has_piped);
    if (!base) return part_unknown(s, e->name, at);
    if (!base->definition) return function_call(s, base, e, piped, has_piped);
    if (!has_piped && is_partial(s, base->definition)) return part_express(s, e);
    Part *p = part_copy(base);
    NamedValues rest = { 0 };
    const Definition *d = p->definition;
    if (has_piped && !d->params.count) {
        scope_error(s, at, "%s takes no value: nothing can be piped into it", d->name);
        return value_poison();
    }
    if (has_piped) named_set(&p->args, (NamedValue){ .name = d->params.at[0].name, .value = piped, .at = at });
    int errors = error_count();
    bind_arguments(s, &e->args, has_piped, false, p, &rest);
    if (error_count() != errors || piped.kind == VALUE_POISON) return value_poison();
    return call_folded(s, p, &rest, at);
}

Value express_call(Scope *s, const Expr *e) { return call_named(s, e, value_none(), false); }

static Value pipe_into(Scope *s, const Expr *e, Value v)
{
    if (v.kind == VALUE_PART || v.kind == VALUE_NONE || v.kind == VALUE_WORD || v.kind == VALUE_STRING) {
        scope_error(s, e->left ? e->left->at : e->at, "%s cannot be piped: expected a tensor before ->",
                    value_kind_text(v));
        return value_poison();
    }
    return call_named(s, e, v, true);
}

Value express_pipe(Scope *s, const Expr *e) { return pipe_into(s, e, express(s, e->left)); }

/* ---- statements that begin with a layer -------------------------------------------------------------------------- */
static const Expr *flow_head(const Expr *e)
{
    while (e->kind == EXPR_PIPE) e = e->left;
    return e;
}

/* Will the value of e be a tensor or a number known at run time? Decided without computing it. */
static bool gives_tensor(Scope *s, const Expr *e)
{
    if (!e) return false;
    switch (e->kind) {
    case EXPR_NAME: {
        if (bound_find(s, e->name)) return true;
        const Entry *entry = scope_find(s, e->name);
        return entry && (value_is_run_time(entry->value) || entry->value.kind == VALUE_FIELD ||
                         entry->value.kind == VALUE_POISON);
    }
    case EXPR_FIELD:
    case EXPR_READ:
    case EXPR_REDUCE:
    case EXPR_PIPE:
    case EXPR_ELSE: return true;
    case EXPR_CALL: {
        const Part *p = part_named(s, e->name);
        const Expr *first = e->args.count && !e->args.at[0].name ? e->args.at[0].value : NULL;
        if (!p || !p->definition)
            return builtin_is(e->name) ? !strcmp(e->name, "rand") || gives_tensor(s, first) : gives_tensor(s, first);
        const Definition *d = p->definition;
        return d->params.count && param_is_tensor(d, 0) ? gives_tensor(s, first) : d->kind == KIND_DEF;
    }
    case EXPR_UNARY:
    case EXPR_BINARY:
    case EXPR_CHOICE: return gives_tensor(s, e->left) || gives_tensor(s, e->right);
    default: return false;
    }
}

/* A misspelt layer: it is reported as one. */
static bool is_unknown(Scope *s, const Expr *head)
{
    bool found;
    if (builtin_is(head->name)) return false;
    name_lookup(s, head->name, &found);
    return !found;
}

bool flow_is_piped(Scope *s, const Expr *e)
{
    const Expr *head = flow_head(e);
    if (head->parenthesised && head != e && head->kind != EXPR_CALL && head->kind != EXPR_NAME) return false;
    if (head->kind != EXPR_NAME && head->kind != EXPR_CALL) return false;
    if (!value_is_run_time(s->last) && s->last.kind != VALUE_POISON) return false;
    const Entry *entry = head->kind == EXPR_NAME ? scope_find(s, head->name) : NULL;
    const Part *p = entry && entry->value.kind != VALUE_PART ? NULL : part_named(s, head->name);
    if (!p) return !entry && is_unknown(s, head);
    if (p->definition && p->definition->kind != KIND_DEF) return false;
    if (p->definition && (!p->definition->params.count || !param_is_tensor(p->definition, 0))) return false;
    if (head->kind == EXPR_NAME) return true;
    if (!p->definition) return !head->args.count;
    int positional = 0;
    for (int i = 0; i < head->args.count; i++) { /* f(x = a): the first parameter is given by name */
        if (head->args.at[i].name && head->args.at[i].name == p->definition->params.at[0].name) return false;
        positional += !head->args.at[i].name;
    }
    if (positional >= p->definition->params.count && !p->definition->folds) return false;
    return !positional || head->args.at[0].name || !gives_tensor(s, head->args.at[0].value);
}

Value flow_express(Scope *s, const Expr *e, Value before)
{
    if (e->kind == EXPR_PIPE) return pipe_into(s, e, flow_express(s, e->left, before));
    return pipe_into(s, e, before);
}

/* ---- initializers ------------------------------------------------------------------------------------------------ */
Value init_value(Scope *s, Value v)
{
    if (v.kind == VALUE_PART && v.part->definition && v.part->definition->kind == KIND_INIT) {
        NamedValues args = part_copy(v.part)->args;
        v = call_definition(s, v.part->definition, &args, v.part, v.part->at.source ? v.part->at : s->call_at);
    }
    if (v.kind != VALUE_TENSOR || !s->fill) return v;
    const Left *fill = s->fill;
    Substitution sub = { 0 };
    bool same = v.whole->rank == fill->rank;
    for (int k = 0; same && k < fill->rank; k++) {
        same = v.whole->axis[k]->extent == fill->extent[k];
        substitution_set(&sub, v.whole->axis[k], fill->at[k]);
    }
    return same ? value_node(node_substitute(v.whole->node, &sub)) : v;
}
