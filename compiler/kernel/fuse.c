/* fuse.c: equations -> kernels, and the order in which kernels may run.
 *
 * Between kernels there are two kinds of edges: data (who makes a tensor -> who reads it) and order (who reads the old
 * value of a state -> who writes over it). A kernel's phase is the longest path to it; kernels of one phase need nothing
 * of each other. The equations of a scan are one node of this graph; inside one step they have phases of their own. */
#include "kernel/group.h"
#include <string.h>

/* ---- what an equation reads ---- */
void visit_equation(const Equation *e, NodeVisit *f, void *data)
{
    node_visit(e->value, f, data);
    if (e->test) node_visit(e->test, f, data);
    for (int a = 0; a < e->out->rank; a++)
        for (int k = 0; k < e->left[a]->count; k++)
            if (e->left[a]->term[k].atom) node_visit(e->left[a]->term[k].atom, f, data);
}

typedef struct ReadSearch { const Tensor *tensor; const Equation *e; bool found, elsewhere; } ReadSearch;

static void read_search(const Node *e, void *data)
{
    ReadSearch *s = data;
    if (e->op != OP_READ || e->tensor != s->tensor) return;
    s->found = true;
    for (int a = 0; a < e->sums; a++)
        if (s->e->out->rank != e->sums || e->sum[a] != s->e->left[a]) s->elsewhere = true;
}

bool equation_needs(const Equation *e, const Tensor *t)
{
    ReadSearch s = { .tensor = t, .e = e };
    visit_equation(e, read_search, &s);
    return s.found;
}

bool equation_needs_in_place(const Equation *e, const Tensor *t)
{
    ReadSearch s = { .tensor = t, .e = e };
    visit_equation(e, read_search, &s);
    return !s.elsewhere;
}

/* ---- the graph ---- */
typedef struct Tensors { LIST(Tensor *) list; } Tensors;
typedef struct Kernels { LIST(Kernel *) list; } Kernels;

typedef struct Graph {
    PlanOf *plan;
    ProgramPlan *program;
    LIST(Tensors) reads;                         /* by kernel */
    LIST(Kernels) makers, readers;               /* by tensor id */
} Graph;

static void tensors_add(Tensors *to, Tensor *t)
{
    for (int i = 0; i < to->list.count; i++)
        if (to->list.at[i] == t) return;
    PUSH(to->list, t);
}

static void kernels_add(Kernels *to, Kernel *k)
{
    for (int i = 0; i < to->list.count; i++)
        if (to->list.at[i] == k) return;
    PUSH(to->list, k);
}

static void collect_reads(const Node *e, void *data)
{
    if (e->op == OP_READ) tensors_add(data, e->tensor);
}

static Kernels *of_tensor(void *list, const Tensor *t)
{
    LIST(Kernels) *l = list;
    while (l->count <= t->id) PUSH(*l, ((Kernels){0}));
    return &l->at[t->id];
}

static void graph_build(Graph *g)
{
    g->reads.count = g->makers.count = g->readers.count = 0;
    for (int i = 0; i < g->program->kernels.count; i++) {
        Kernel *k = g->program->kernels.at[i];
        Tensors reads = {0};
        k->id = i;
        for (int j = 0; j < k->equations.count; j++) {
            visit_equation(k->equations.at[j], collect_reads, &reads);
            kernels_add(of_tensor(&g->makers, k->equations.at[j]->out), k);
        }
        for (int j = 0; j < reads.list.count; j++)
            kernels_add(of_tensor(&g->readers, reads.list.at[j]), k);
        PUSH(g->reads, reads);
    }
}

typedef void Visit(Kernel *next, void *data);

/* Calls f for every kernel that must come after k. */
static void each_next(Graph *g, Kernel *k, Visit *f, void *data)
{
    for (int j = 0; j < k->equations.count; j++) {
        Kernels *readers = of_tensor(&g->readers, k->equations.at[j]->out);
        for (int i = 0; i < readers->list.count; i++)
            if (readers->list.at[i] != k && k->equations.at[j]->out->role == ROLE_TEMP) f(readers->list.at[i], data);
    }
    Tensors *reads = &g->reads.at[k->id];
    for (int j = 0; j < reads->list.count; j++) {                /* order: who writes over what k reads */
        Tensor *t = reads->list.at[j];
        if (t->role != ROLE_PARAM && t->role != ROLE_STATE && t->role != ROLE_TOTAL) continue;
        for (int i = 0; i < g->program->kernels.count; i++) {
            Kernel *w = g->program->kernels.at[i];
            for (int q = 0; w != k && q < w->equations.count; q++)
                if (w->equations.at[q]->out == t || plan_home(&g->plan->plan, w->equations.at[q]->out) == t) {
                    f(w, data);
                    break;
                }
        }
    }
}

static bool same_unit(const Kernel *a, const Kernel *b) { return a == b || (a->loop && a->loop == b->loop); }

/* ---- paths ---- */
typedef struct Search { Graph *g; bool *seen; Kernel *target; bool found; } Search;

static void search_from(Kernel *k, void *data)
{
    Search *s = data;
    if (s->found || s->seen[k->id]) return;
    s->seen[k->id] = true;
    if (same_unit(k, s->target)) { s->found = true; return; }
    each_next(s->g, k, search_from, s);
    for (int i = 0; k->loop && i < s->g->program->kernels.count; i++)
        if (s->g->program->kernels.at[i]->loop == k->loop) search_from(s->g->program->kernels.at[i], s);
}

/* Whether `to` must come after `from`. */
static bool reaches(Graph *g, Kernel *from, Kernel *to)
{
    Search s = { .g = g, .seen = NEW_ARRAY(bool, g->program->kernels.count + 1), .target = to };
    s.seen[from->id] = true;
    each_next(g, from, search_from, &s);
    return s.found;
}

/* ---- updates ---- */
static bool is_output(const Program *p, const Tensor *t)
{
    for (int i = 0; i < p->outputs.count; i++)
        if (p->outputs.at[i].value == t) return true;
    return false;
}

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
    if (u->add || v->role != ROLE_TEMP || makers->list.count != 1 || updates_by(p, v) != 1 || is_output(p, v)) return false;
    if (v->type != u->state->type || (p->wide && !g->plan->plan.options->wide_real && v->type == TYPE_FLOAT)) return false;
    Kernel *maker = makers->list.at[0];
    const Equation *e = maker->equations.at[0];
    if (maker->loop || e->reduction != RED_NONE || equation_is_scatter(e)) return false;
    if (!equation_needs_in_place(e, u->state)) return false;
    for (int i = 0; i < readers->list.count; i++)
        if (readers->list.at[i] != maker && reaches(g, maker, readers->list.at[i])) return false;
    return true;
}

static Kernel *kernel_new(ProgramPlan *to, Equation *e)
{
    Kernel *k = NEW(Kernel);
    PUSH(k->equations, e);
    k->loop = e->loop;
    k->id = to->kernels.count;
    PUSH(to->kernels, k);
    return k;
}

/* to[i, ..] = from[i, ..] */
static Equation *copy_equation(Tensor *to, Tensor *from)
{
    const Index *index[MAX_RANK];
    static const char *const names[MAX_RANK] = { "i", "j", "k", "l", "o", "p", "q", "r", "s", "t", "u", "v" };
    for (int a = 0; a < to->rank; a++) index[a] = index_new(names[a], to->extent[a], a == 0 && to->batch);
    Equation *e = equation_map(to, index, node_read_at(from, index));
    e->at = from->at;
    e->layer = "";
    return e;
}

static void updates_place(Graph *g)
{
    const Program *p = g->program->program;
    LIST(Update) copies = {0};
    for (int i = 0; i < p->updates.count; i++) {
        Update u = p->updates.at[i];
        if (u.state == u.value && !u.add) continue;
        if (can_be_in_place(g, &u)) {
            while (g->plan->instead.count <= u.value->id) PUSH(g->plan->instead, NULL);
            g->plan->instead.at[u.value->id] = u.state;
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

/* ---- phases ---- */
typedef struct Raise { Kernel *from; bool grew, inside; } Raise;

static void raise_next(Kernel *next, void *data)
{
    Raise *r = data;
    if (r->inside) {
        /* within a step what stands later comes later; what stands earlier is read of the step before */
        if (next->loop == r->from->loop && next->id > r->from->id && next->inner <= r->from->inner) {
            next->inner = r->from->inner + 1;
            r->grew = true;
        }
    } else if (!same_unit(next, r->from) && next->phase <= r->from->phase) {
        next->phase = r->from->phase + 1;
        r->grew = true;
    }
}

static void phases(Graph *g)
{
    ProgramPlan *p = g->program;
    for (int round = 0;; round++) {
        Raise r = {0};
        if (round > 2 * p->kernels.count + 2) bug("kernels of %s wait for each other", p->program->name);
        for (int i = 0; i < p->kernels.count; i++) {
            Kernel *k = p->kernels.at[i];
            for (int j = 0; k->loop && j < p->kernels.count; j++) {      /* a loop has one phase */
                Kernel *other = p->kernels.at[j];
                if (other->loop != k->loop) continue;
                if (other->phase > k->phase) { k->phase = other->phase; r.grew = true; }
            }
            r.from = k;
            r.inside = false;
            each_next(g, k, raise_next, &r);
            r.inside = k->loop != NULL;
            if (r.inside) each_next(g, k, raise_next, &r);
        }
        if (!r.grew) break;
    }
    for (int i = 0; i < p->kernels.count; i++)
        if (p->kernels.at[i]->phase >= p->phases) p->phases = p->kernels.at[i]->phase + 1;
}

/* ---- names ---- */
static void name_kernels(Graph *g)
{
    ProgramPlan *p = g->program;
    for (int i = 0; i < p->kernels.count; i++) {
        Kernel *k = p->kernels.at[i];
        const char *base = c_name(&g->plan->plan, plan_home(&g->plan->plan, k->equations.at[0]->out)), *name = base;
        for (int n = 2, clash = 1; clash; n++) {
            clash = 0;
            for (int j = 0; j < i; j++) clash |= !strcmp(p->kernels.at[j]->name, name);
            if (clash) name = format("%s_%d", base, n);
        }
        k->name = intern(name);
    }
}

void fuse_program(PlanOf *plan, ProgramPlan *program)
{
    Graph g = { .plan = plan, .program = program };
    for (int i = 0; i < program->program->equations.count; i++)
        kernel_new(program, program->program->equations.at[i]);
    graph_build(&g);
    updates_place(&g);
    phases(&g);
    name_kernels(&g);
}
