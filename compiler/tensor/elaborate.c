/* elaborate.c: the elaborator's interface (model.h): one run of the model block, and the examples of definitions. */
#include "tensor/elaborate.h"
#include <string.h>

Elaboration *elaboration_new(const Symbols *s, Model *m, Program *p, bool training)
{
    Elaboration *e = NEW(Elaboration);
    e->symbols = s;
    e->model = m;
    e->program = p;
    e->training = training;
    e->layer = "";
    e->optimizer_begin = -1;
    if (!m->initialize) {
        m->initialize = NEW(Program);
        m->initialize->name = "initialize";
        m->initialize->first_backward = -1;
    }
    return e;
}

/* ---- inputs ------------------------------------------------------------------------------------------------------ */
Tensor *input_new(Elaboration *e, const char *name, int rank, const int *extent, Type type, Place at)
{
    Model *m = e->model;
    for (int i = 0; i < m->inputs.count; i++)
        if (!e->first && m->inputs.at[i]->name == name) return m->inputs.at[i];
    Tensor *t = tensor_new(name, rank, extent, rank && extent[0] == m->batch, type, ROLE_INPUT);
    if (!e->example) t->name = name;
    t->at = at;
    PUSH(m->inputs, t);
    return t;
}

Value example_input(Scope *s, const Expr *e, Type type)
{
    int extent[MAX_RANK], rank = 0;
    for (int i = 0; i < e->subs.count; i++) {
        if (rank == MAX_RANK || e->subs.at[i].kind != SUB_EXPR ||
            !express_int(s, e->subs.at[i].expr, "an axis", 1, 1 << 20, &extent[rank]))
            return value_poison();
        rank++;
    }
    if (rank && !s->e->model->batch) s->e->model->batch = extent[0];
    return value_tensor(input_new(s->e, type == TYPE_INT ? "int" : "float", rank, extent, type, e->at));
}

/* ---- the model block --------------------------------------------------------------------------------------------- */
void elaborate_model(Elaboration *e, const Item *model)
{
    e->first = !e->model->inputs.count && !e->model->kept.count;
    Scope *s = e->block = scope_new(e, NULL, NULL, model->at, "");
    int errors = error_count();
    if (e->first) rewrites_check(s);
    e->in_block = true;
    block_run(s, &model->body);
    e->in_block = false;
    for (int i = 0; i < s->entries.count; i++)
        if (s->entries.at[i].pieces && !s->entries.at[i].pieces->closed) pieces_close(s, &s->entries.at[i]);
    if (error_count() != errors) return;
    for (int i = 0; !e->first && i < e->model->kept.count; i++) {
        const Tensor *t = e->model->kept.at[i];
        if (t->role == ROLE_PARAM && !map_get(&e->used, t)) {
            error_at(t->at, "%s is made in training or in inference only: parameters may not depend on `training`",
                     t->name);
            return;
        }
    }
    if (!e->model->inputs.count)
        error_at(model->at, "the model %s has no input: input x: float[28, 28]", model->name);
    else if (e->outputs.count && s->last_unused)
        error_at(s->last_at, "the value of this statement is not used: it is neither named nor an output");
    else if (!e->outputs.count && !value_is_run_time(s->last))
        error_at(model->at, "the model %s has no value", model->name);
}

static Tensor *value_as_tensor(Elaboration *e, Value v, const char *name)
{
    Scope *s = e->block;
    if (v.kind == VALUE_POISON) return NULL;
    if (value_is_run_time(v)) v = name_it(s, name, v);
    Tensor *t = value_leaf(v);
    if (t) return t;
    if (v.kind != VALUE_NODE && v.kind != VALUE_NUMBER) return NULL;
    t = tensor_new(name, 0, NULL, false, TYPE_FLOAT, ROLE_TEMP);
    equation_add(e, equation_map(t, NULL, node_to_float(value_to_node(v))));
    return t;
}

Tensor *elaborated_value(Elaboration *e)
{
    return e->block ? value_as_tensor(e, e->block->last, e->model->name ? e->model->name : "value") : NULL;
}

int elaborated_outputs(Elaboration *e, Output *out, int room)
{
    int n = 0;
    for (int i = 0; i < e->outputs.count && n < room; i++) {
        const NamedOutput *o = &e->outputs.at[i];
        Tensor *t = value_as_tensor(e, o->value, o->name);
        if (t)
            out[n++] = (Output){ .name = o->name, .value = t };
        else if (o->value.kind != VALUE_POISON)
            error_at(o->at, "the output %s is no tensor, it is %s", o->name, value_kind_text(o->value));
    }
    if (e->outputs.count || !room) return n;
    Tensor *t = elaborated_value(e);
    if (t) out[n++] = (Output){ .name = e->model->name ? e->model->name : "output", .value = t };
    return n;
}

Tensor *elaborated_penalty(Elaboration *e)
{
    if (!e->penalties.count) return NULL;
    Tensor *t = tensor_new("penalty", 0, NULL, false, TYPE_FLOAT, ROLE_TEMP);
    equation_add(e, equation_map(t, NULL, sum_of(e->penalties.at, e->penalties.count)));
    return t;
}

bool elaborate_number(Elaboration *e, const Expr *value, double *out)
{
    Scope *s = scope_new(e, NULL, NULL, value->at, "");
    Value v = express(s, value);
    if (v.kind == VALUE_NUMBER)
        *out = v.number;
    else if (v.kind != VALUE_POISON)
        error_at(value->at, "expected a number, this is %s", value_kind_text(v));
    return v.kind == VALUE_NUMBER;
}

/* ---- examples ---------------------------------------------------------------------------------------------------- */
static const Expr *example_call(const Expr *flow)
{
    return flow->kind == EXPR_BINARY && flow->op == AST_EQ ? flow->left : flow;
}

static Left example_shape(int rows, int columns)
{
    Left l = { .rank = 2, .indices = 2, .extent = { rows, columns }, .name = { "i", "j" } };
    for (int k = 0; k < 2; k++) {
        l.index[k] = index_new(l.name[k], l.extent[k], false);
        l.at[k] = sum_index(l.index[k]);
        l.value[k] = node_sum(l.at[k]);
    }
    return l;
}

static Tensor *example_optimizer(Elaboration *e, const Expr *flow)
{
    int extent[] = { 2, 3 };
    Tensor *w = tensor_new("w", 2, extent, false, TYPE_FLOAT, ROLE_PARAM);
    Tensor *g = tensor_new("g", 2, extent, false, TYPE_FLOAT, ROLE_INPUT);
    PUSH(e->model->kept, w);
    PUSH(e->model->inputs, g);
    elaborate_optimizer(e, flow, w, g);
    optimizer_end(e);
    for (int i = 0; i < e->program->updates.count; i++)
        if (e->program->updates.at[i].state == w) return e->program->updates.at[i].value;
    return NULL;
}

static Tensor *example_init(Elaboration *e, Scope *s, const Expr *flow)
{
    Left l = example_shape(4, 3);
    s->fill = &l;
    s->fan_in = value_float(4);
    s->fan_out = value_float(3);
    left_bind(s, &l);
    Value v = init_value(s, express(s, flow));
    left_release(s, &l);
    if (v.kind != VALUE_NODE && v.kind != VALUE_NUMBER) return NULL;
    Tensor *t = tensor_new("init", 2, l.extent, false, TYPE_FLOAT, ROLE_TEMP);
    emit(s, t, l.at, 2, l.index, node_to_float(value_to_node(v)));
    (void)e;
    return t;
}

static Tensor *example_schedule(Elaboration *e, Scope *s, const Expr *flow)
{
    e->in_optimizer = true;
    Value v = part_express(s, flow);
    if (v.kind == VALUE_PART) v = schedule_of_part(s, v.part);
    e->in_optimizer = false;
    optimizer_end(e);
    return value_as_tensor(e, v, "schedule");
}

Tensor *elaborate_example(const Symbols *symbols, Model *m, Program *p, const Item *example, bool training,
                          bool inputs_from_lists)
{
    Elaboration *e = elaboration_new(symbols, m, p, training);
    e->first = e->example = true;
    e->lists_are_inputs = inputs_from_lists;
    const Expr *flow = example_call(example->left);
    Scope *s = e->block = scope_new(e, NULL, NULL, example->at, "");
    s->example = true;
    e->at = example->at;
    const Definition *d = symbols_find(symbols, flow->name ? flow->name : "", false);
    DefKind kind = d ? d->kind : KIND_DEF;
    int errors = error_count();
    Tensor *t;
    if (kind == KIND_OPTIMIZER)
        t = example_optimizer(e, flow);
    else if (kind == KIND_SCHEDULE)
        t = example_schedule(e, s, flow);
    else if (kind == KIND_INIT)
        t = example_init(e, s, flow);
    else {
        s->in_train = kind == KIND_LOSS || kind == KIND_METRIC;
        t = ranges_infer(s, flow) ? value_as_tensor(e, express(s, flow), "value") : NULL;
    }
    return error_count() == errors ? t : NULL;
}
