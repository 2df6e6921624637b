/* update.c: where the new values of states go. A value is computed in the state's own place if its one equation reads the
 * old value at its own place only and every other reader of the old value can come before it; else it has a place of its
 * own and is copied when the program ends. So a cycle (tied weights, a norm over all gradients) costs a copy, no more. */
#include "kernel/graph.h"

static int updates_by(const Program *p, const Tensor *value)
{
    int n = 0;
    for (int i = 0; i < p->updates.count; i++) n += p->updates.at[i].value == value;
    return n;
}

/* May u's value be computed in the state's own place? Its one equation must read the old value at its own place only,
 * and every other reader of the old value must be able to come before it. */
static bool can_be_in_place(Graph *g, const Update *u)
{
    const Program *p = g->program->program;
    Tensor *v = u->value;
    Kernels *makers = of_tensor(&g->makers, v), *readers = of_tensor(&g->readers, u->state);
    if (u->add || v->role != ROLE_TEMP || makers->list.count != 1 || updates_by(p, v) != 1 || program_outputs(p, v)) return false;
    if (v->type != u->state->type || (p->wide && !g->plan->plan.options->wide_real && v->type == TYPE_FLOAT)) return false;
    Kernel *maker = makers->list.at[0];
    const Equation *e = maker->equations.at[0];
    if (maker->loop || e->reduction != RED_NONE || equation_is_scatter(e)) return false;
    if (!equation_needs_in_place(e, u->state)) return false;
    for (int i = 0; i < readers->list.count; i++)
        if (readers->list.at[i] != maker && reaches(g, maker, readers->list.at[i])) return false;
    return true;
}

Kernel *kernel_new(ProgramPlan *to, Equation *e)
{
    Kernel *k = NEW(Kernel);
    PUSH(k->equations, e);
    PUSH(k->forms, ((Form){0}));
    PUSH(k->places, to->kernels.count);
    k->loop = e->loop;
    k->id = to->kernels.count;
    PUSH(to->kernels, k);
    return k;
}

/* to[i, ..] = from[i, ..] */
static Equation *copy_equation(Tensor *to, Tensor *from)
{
    const Index *index[MAX_RANK];
    for (int a = 0; a < to->rank; a++) index[a] = index_new(axis_letter(a), to->extent[a], a == 0 && to->batch);
    Equation *e = equation_map(to, index, node_read_at(from, index));
    e->at = from->at;
    e->layer = "";
    return e;
}

void place_updates(Graph *g)
{
    const Program *p = g->program->program;
    LIST(Update) copies = {0};
    for (int i = 0; i < p->updates.count; i++) {
        Update u = p->updates.at[i];
        if (u.state == u.value && !u.add) continue;
        if (can_be_in_place(g, &u)) {
            while (g->plan->instead.count <= u.value->id) PUSH(g->plan->instead, NULL);
            g->plan->instead.at[u.value->id] = u.state;
            PUSH(of_tensor(&g->writers, u.state)->list, of_tensor(&g->makers, u.value)->list.at[0]);
            continue;
        }
        if (u.value->role != ROLE_TEMP) {                        /* another state's old value: taken aside first */
            Tensor *aside = tensor_new(format("old.%s", u.value->name), u.value->rank, u.value->extent, u.value->batch,
                                       u.value->type, ROLE_TEMP);
            kernel_new(g->program, copy_equation(aside, u.value));
            u.value = aside;
        }
        PUSH(copies, u);
    }
    for (int i = 0; i < copies.count; i++) {
        Kernel *k = kernel_new(g->program, copy_equation(copies.at[i].state, copies.at[i].value));
        k->add = copies.at[i].add;
    }
    graph_build(g);
}

