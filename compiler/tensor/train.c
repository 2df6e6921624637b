/* train.c: the optimizer of the train block, run once for each parameter; its numbers become settings of the run, its
 * schedules are made once for all parameters. */
#include "tensor/elaborate.h"
#include <math.h>
#include <string.h>

/* ---- settings ---------------------------------------------------------------------------------------------------- */
static bool is_fixed(const Model *m, const Tensor *t)
{
    for (int i = 0; i < m->fixed_settings.count; i++)
        if (m->fixed_settings.at[i] == t) return true;
    return false;
}

static void setting_fix(Model *m, Tensor *t)
{
    if (is_fixed(m, t)) return;
    int kept = 0;
    for (int i = 0; i < m->settings.count; i++)
        if (m->settings.at[i] != t) m->settings.at[kept++] = m->settings.at[i];
    m->settings.count = kept;
    PUSH(m->fixed_settings, t);
}

static bool setting_named(const Model *m, const char *name)
{
    for (int i = 0; i < m->settings.count; i++)
        if (m->settings.at[i]->name == name) return true;
    for (int i = 0; i < m->fixed_settings.count; i++)
        if (m->fixed_settings.at[i]->name == name) return true;
    return false;
}

/* "adamw.adam.eps", the same for each parameter of the model. */
static const char *setting_key(const Scope *s, const char *name)
{
    const char *key = name;
    for (; s; s = s->caller)
        if (s->definition)
            key = path_join(s->definition->name ? s->definition->name : def_kind_name[s->definition->kind], key);
    return key;
}

static Value setting_new(Scope *s, const char *key, const Param *p, double number)
{
    Model *m = s->e->model;
    Tensor *t = map_get(&s->e->settings, key);
    if (!isfinite(number)) {
        scope_error(s, s->call_at, "%s must be a finite number, got %g", p->name, number);
        return value_poison();
    }
    if (!t) {
        const char *definition = s->definition->name ? s->definition->name : def_kind_name[s->definition->kind];
        const char *name = p->name;
        if (setting_named(m, name)) name = intern(format("%s.%s", definition, p->name));
        if (setting_named(m, name)) name = key;
        t = tensor_new(name, 0, NULL, false, TYPE_FLOAT, ROLE_SETTING);
        t->name = name;
        t->at = p->at;
        t->data = arena_copy(&number, sizeof number);
        PUSH(m->settings, t);
        map_set(&s->e->settings, key, t);
    }
    return is_fixed(m, t) ? value_float(t->data[0]) : value_node(node_read(t, NULL));
}

/* ---- folding ----------------------------------------------------------------------------------------------------- */
static const Node *produced_by(const Program *p, const Tensor *t)
{
    for (int i = p->equations.count - 1; i >= 0; i--) {
        const Equation *q = p->equations.at[i];
        if (q->out == t) return q->reduction == RED_NONE && !q->loop && q->indices == 0 ? q->value : NULL;
    }
    return NULL;
}

typedef struct Folding {
    Elaboration *e;
    bool ok;
    LIST(Tensor *) settings;
} Folding;

static const Node *fold_node(const Node *e, void *data)
{
    Folding *f = data;
    if (e->op == OP_COUNT || e->op == OP_RAND) f->ok = false;
    if (e->op != OP_READ) return e;
    if (e->tensor->role == ROLE_SETTING) {
        PUSH(f->settings, e->tensor);
        return node_float(e->tensor->data[0]);
    }
    const Node *value =
        e->tensor->role == ROLE_TEMP && e->tensor->rank == 0 ? produced_by(f->e->program, e->tensor) : NULL;
    if (value) return node_walk(value, fold_node, f);
    f->ok = false;
    return e;
}

static bool folds(Folding *f, const Node *node, double *out)
{
    if (node->indices) return false;
    const Node *r = node_walk(node, fold_node, f);
    if (!f->ok || r->op != OP_NUM) return false;
    *out = r->number;
    return true;
}

bool settings_look(Elaboration *e, const Node *node, double *out)
{
    Folding f = { .e = e, .ok = true };
    return folds(&f, node, out);
}

bool settings_fold(Elaboration *e, const Node *node, double *out)
{
    Folding f = { .e = e, .ok = true };
    if (!folds(&f, node, out)) return false;
    for (int i = 0; i < f.settings.count; i++) setting_fix(e->model, f.settings.at[i]);
    return true;
}

/* ---- what `every` offers ----------------------------------------------------------------------------------------- */
/* Splits the arguments of a part between the definition and `every` of its kind; what `every` needs and has no default
 * for (lr) is the definition's own. */
static Value own_default(Scope *s, const Definition *d, const Part *inner, const char *name, Place at)
{
    int k = param_find(d, name);
    if (k < 0 || !d->params.at[k].fallback) {
        scope_error(s, at, "%s: %s is missing", d->name, name);
        return value_poison();
    }
    Scope *tmp = scope_new(s->e, d, s, at, "");
    for (int i = 0; i < inner->args.count; i++) scope_set(tmp, inner->args.at[i].name, inner->args.at[i].value, at);
    return argument_value(tmp, &d->params.at[k], d->params.at[k].fallback);
}

static NamedValues every_arguments(Scope *s, const Definition *every, const Part *p, Part *inner)
{
    const Definition *d = p->definition;
    NamedValues outer = { 0 };
    *inner = (Part){ .definition = d, .function = OP_OPERATIONS, .at = p->at };
    for (int i = 0; i < p->args.count; i++) {
        const NamedValue *a = &p->args.at[i];
        if (param_find(d, a->name) >= 0)
            named_set(&inner->args, *a);
        else
            named_set(&outer, *a);
    }
    Scope *own = scope_new(s->e, d, s, p->at, "");
    for (int k = 2; k < every->params.count; k++) {
        const Param *q = &every->params.at[k];
        if (q->fallback || param_is_part(q)) continue;
        const NamedValue *given = named_find(&inner->args, q->name);
        Value v = given ? given->value : own_default(s, d, inner, q->name, p->at);
        int mine = param_find(d, q->name);
        if (mine >= 0 && v.kind != VALUE_POISON) v = setting_value(own, &d->params.at[mine], v);
        NamedValue one = { .name = q->name, .value = v, .at = given ? given->at : p->at };
        named_set(&inner->args, one);
        named_set(&outer, one);
    }
    named_set(&outer, (NamedValue){ .name = intern("inner"), .value = value_part(inner), .at = p->at });
    return outer;
}

/* ---- schedules --------------------------------------------------------------------------------------------------- */
static Value schedule_run(Scope *s, const Part *p, const char *name)
{
    Elaboration *e = s->e;
    const Definition *every = e->symbols->every[KIND_SCHEDULE];
    Scope *top = scope_new(e, NULL, NULL, p->at, "");
    top->in_train = true;
    const Node *t = node2(OP_SUB, node_read(clock_named(e, "iteration", TYPE_INT), NULL), node_int(1));
    const Node *steps = node_read(clock_named(e, "steps", TYPE_INT), NULL);
    Part *inner = NEW(Part);
    const Definition *d = every ? every : p->definition;
    NamedValues args = { 0 };
    if (every)
        args = every_arguments(top, every, p, inner);
    else
        for (int i = 0; i < p->args.count; i++) named_set(&args, p->args.at[i]);
    if (d->params.count < 2) {
        scope_error(s, p->at, "a schedule takes t and steps first");
        return value_poison();
    }
    named_set(&args, (NamedValue){ .name = d->params.at[0].name, .value = value_node(t), .at = p->at });
    named_set(&args, (NamedValue){ .name = d->params.at[1].name, .value = value_node(steps), .at = p->at });
    const char *variable = e->variable, *layer = e->layer;
    e->variable = NULL;
    e->layer = "";
    Value v = call_plain(top, d, &args, NULL, p->at);
    e->variable = variable;
    e->layer = layer;
    if (v.kind == VALUE_TENSOR) {
        scope_error(s, p->at, "a schedule gives one number, this is %s", value_kind_text(v));
        return value_poison();
    }
    return value_is_run_time(v) ? name_it(top, format("schedule.%s", name), v) : v;
}

Value schedule_of_part(Scope *s, const Part *p) { return schedule_run(s, p, p->definition->name); }

static Value schedule_value(Scope *s, const char *key, const Part *p, const char *name)
{
    Value *known = map_get(&s->e->schedules, key);
    if (known) return *known;
    known = NEW(Value);
    Part *placed = arena_copy(p, sizeof *p);
    if (!p->at.source) placed->at = s->call_at;      /* a bare name */
    if (p->definition && p->definition->kind == KIND_SCHEDULE)
        *known = schedule_run(s, placed, name);
    else {
        scope_error(s, placed->at, "%s must be a number or a schedule, this is %s", name,
                    value_kind_text(value_part(placed)));
        *known = value_poison();
    }
    map_set(&s->e->schedules, key, known);
    return *known;
}

Value setting_value(Scope *s, const Param *p, Value v)
{
    if (!param_admits(p, "float") || !s->e->in_optimizer) return v;
    const Entry *inner = s->definition->every && p->fallback ? scope_find(s, intern("inner")) : NULL;
    bool shadowed = inner && inner->value.kind == VALUE_PART && param_find(inner->value.part->definition, p->name) >= 0;
    if (shadowed) return v; /* the definition's own, of the same name, is the setting */
    const char *key = setting_key(s, p->name);
    if (v.kind == VALUE_PART) return schedule_value(s, key, v.part, p->name);
    if (v.kind == VALUE_NUMBER && v.type != TYPE_BOOL) return setting_new(s, key, p, v.number);
    return v;
}

/* ---- optimizers -------------------------------------------------------------------------------------------------- */
Value optimizer_call(Scope *s, const Definition *d, NamedValues *args, const Part *part, Place at)
{
    if (!s->e->in_optimizer) {
        scope_error(s, at, "%s is an optimizer: it stands in the train block", d->name);
        return value_poison();
    }
    return call_plain(s, d, args, part, at);
}

Value every_variable(Scope *s, const Expr *arg, Place at)
{
    Elaboration *e = s->e;
    if (!e->in_optimizer) {
        scope_error(s, at, "every_variable belongs to optimizers");
        return value_poison();
    }
    Value v = express(s, arg);
    if (v.kind == VALUE_POISON) return v;
    if ((v.kind != VALUE_NODE && v.kind != VALUE_NUMBER) || value_to_node(v)->indices) {
        scope_error(s, arg->at, "every_variable adds up one number of each variable, this is %s", value_kind_text(v));
        return value_poison();
    }
    int k = 0;
    while (k < e->every.count && e->every.at[k].key != (const void *)arg) k++;
    if (k == e->every.count) {
        PUSH(e->every, ((EveryVariable){ .key = (const void *)arg }));
        e->every.at[k].sum = tensor_new("every_variable", 0, NULL, false, TYPE_FLOAT, ROLE_TEMP);
        e->every.at[k].sum->at = at;
    }
    v = name_it(s, full_name(s, "part"), v);
    PUSH(e->every.at[k].parts, node_to_float(value_to_node(v)));
    return value_node(node_read(e->every.at[k].sum, NULL));
}

void elaborate_optimizer(Elaboration *e, const Expr *flow, Tensor *w, Tensor *gradient)
{
    Scope *s = train_scope(e);
    e->in_optimizer = true;
    e->at = flow->at;
    e->layer = w->name;
    e->variable = w->name;
    if (e->optimizer_begin < 0) e->optimizer_begin = e->program->equations.count;
    Value v = part_express(s, flow);
    const Definition *every = e->symbols->every[KIND_OPTIMIZER];
    if (v.kind == VALUE_PART && v.part->definition && v.part->definition->kind == KIND_OPTIMIZER) {
        Part *inner = NEW(Part);
        const Definition *d = every ? every : v.part->definition;
        NamedValues args = { 0 };
        if (every)
            args = every_arguments(s, every, v.part, inner);
        else
            for (int i = 0; i < v.part->args.count; i++) named_set(&args, v.part->args.at[i]);
        named_set(&args,
                  (NamedValue){ .name = d->params.at[0].name, .value = value_tensor(w), .at = flow->at, .holder = w });
        named_set(&args, (NamedValue){ .name = d->params.at[1].name, .value = value_tensor(gradient), .at = flow->at });
        call_plain(s, d, &args, NULL, flow->at);
    } else if (v.kind != VALUE_POISON)
        scope_error(s, flow->at, "expected an optimizer, this is %s", value_kind_text(v));
    e->in_optimizer = false;
    e->variable = NULL;
    e->layer = "";
}

/* ---- the end of the last parameter ------------------------------------------------------------------------------- */
const Node *sum_of(const Node *const *part, int count)
{
    if (count == 1) return part[0];
    return node2(OP_ADD, sum_of(part, count / 2), sum_of(part + count / 2, count - count / 2));
}

static const Node *fixed_node(const Node *e, void *data)
{
    const Model *m = data;
    return e->op == OP_READ && e->tensor->role == ROLE_SETTING && is_fixed(m, e->tensor)
               ? node_float(e->tensor->data[0])
               : e;
}

/* The sums over all variables come last, but are read before: each equation after those that it reads. */
typedef struct Order {
    Program *p;
    int begin, count;
    Equation **at;
    PointerMap place;
    bool *done;
} Order;
static void order_equation(Order *o, int i);

static void order_read(const Node *e, void *data)
{
    Order *o = data;
    intptr_t k = e->op == OP_READ ? (intptr_t)map_get(&o->place, e->tensor) : 0;
    if (k) order_equation(o, (int)k - 1);
}

static void order_equation(Order *o, int i)
{
    if (o->done[i]) return;
    o->done[i] = true;
    node_visit(o->at[i]->value, order_read, o);
    PUSH(o->p->equations, o->at[i]);
}

static void reorder(Program *p, int begin)
{
    Order o = { .p = p, .begin = begin, .count = p->equations.count - begin };
    o.at = arena_copy(p->equations.at + begin, sizeof *o.at * (size_t)o.count);
    o.done = NEW_ARRAY(bool, o.count + 1);
    for (int i = 0; i < o.count; i++)
        if (!map_get(&o.place, o.at[i]->out)) map_set(&o.place, o.at[i]->out, (void *)(intptr_t)(i + 1));
    p->equations.count = begin;
    for (int i = 0; i < o.count; i++) order_equation(&o, i);
}

void optimizer_again(Elaboration *e, const Elaboration *first) { e->settings = first->settings; }

void optimizer_end(Elaboration *e)
{
    if (e->optimizer_begin < 0) return;
    Program *p = e->program;
    for (int i = 0; i < e->every.count; i++) {
        EveryVariable *v = &e->every.at[i];
        equation_add(e, equation_map(v->sum, NULL, sum_of(v->parts.at, v->parts.count)));
    }
    for (int i = e->optimizer_begin; i < p->equations.count; i++)
        p->equations.at[i]->value = node_walk(p->equations.at[i]->value, fixed_node, e->model);
    if (e->every.count) reorder(p, e->optimizer_begin);
    e->optimizer_begin = -1;
}
