/* scan.c: scan t { .. }: equations that read each other, and themselves at one earlier (or one later) place of t.
 * The body is elaborated once; then the equations that are in no cycle leave the loop, before it or after it. */
#include "tensor/elaborate.h"
#include <string.h>

/* ---- the statements of the body ---------------------------------------------------------------------------------- */
typedef LIST(const Statement *) Body;

static void body_collect(Scope *s, const Block *b, Body *out)
{
    for (int i = 0; i < b->count; i++) {
        const Statement *st = b->at[i];
        bool yes;
        if (st->kind == ST_IF) {
            if (!express_truth(s, st->value, "the condition of if", &yes)) continue;
            if (yes)
                body_collect(s, &st->body, out);
            else if (st->has_otherwise)
                body_collect(s, &st->otherwise, out);
        } else if (st->kind == ST_EQUATION && st->target->kind == EXPR_READ)
            PUSH(*out, st);
        else
            scope_error(s, st->at, "a scan holds equations and if only");
    }
}

/* Makes the tensor of an equation before it is computed, so that the others can read it. False: not yet, a range is not
 * known. */
static bool tensor_prepare(Scope *s, const Statement *st, const char *name)
{
    SubList subs = { 0 };
    s->locals.count = 0;
    if (!subs_expand(s, &st->target->subs, -1, true, &subs) || !ranges_infer(s, st->value)) return false;
    int extent[MAX_RANK], rank = 0;
    bool batch = false;
    for (int i = 0; i < subs.count; i++) {
        const Sub *x = &subs.at[i];
        int64_t n = 1;
        for (int k = 0; k < (x->fused ? x->fused : 1); k++) {
            const Sub *y = x->fused ? &x->part[k] : x;
            const AxisRange *r = y->index && !local_find(s, y->name) ? range_find(s, y->name) : NULL;
            if (!r) return false;
            n *= r->extent;
            if (i == 0) batch = r->batch;
        }
        if (rank == MAX_RANK || n > 1 << 30) return false;
        extent[rank++] = (int)n;
    }
    if (!equation_fits(s, st->at, rank, extent)) return false;
    Tensor *t = tensor_new(full_name(s, name), rank, extent, batch, TYPE_FLOAT, ROLE_TEMP);
    t->at = st->at;
    Entry *e = scope_set(s, name, value_tensor(t), st->at);
    e->pieces = NULL;
    e->holder = NULL;
    return true;
}

static bool prepare(Scope *s, const Body *body, Tensor **tensor)
{
    for (int i = 0; i < body->count; i++)
        for (int k = 0; k < i; k++)
            if (target_name(s, body->at[i]->target) == target_name(s, body->at[k]->target)) {
                scope_error(s, body->at[i]->at, "a tensor of a scan has one equation");
                note_at(body->at[k]->at, "the first one");
                return false;
            }
    int done = 0, before;
    do {
        before = done;
        for (int i = 0; i < body->count; i++) {
            const char *name = target_name(s, body->at[i]->target);
            if (tensor[i] || !name || !tensor_prepare(s, body->at[i], name)) continue;
            tensor[i] = value_leaf(scope_find(s, name)->value);
            done++;
        }
    } while (done != before && done < body->count);
    return true;
}

/* ---- one equation ------------------------------------------------------------------------------------------------ */
static void scan_equation(Scope *s, const Statement *st, const char *step, Tensor *t)
{
    Elaboration *e = s->e;
    const char *name = target_name(s, st->target);
    Left l;
    int begin = e->program->equations.count;
    e->at = st->at;
    if (!name || !left_read(s, st->target, st->value, &l)) {
        if (name) scope_set(s, name, value_poison(), st->at);
        return;
    }
    const Index *index = NULL;
    for (int k = 0; k < l.rank; k++)
        for (int i = 0; i < l.indices; i++)
            if (l.name[i] == step && sum_plain(l.at[k]) == l.index[i]) index = l.index[i];
    s->target = name;
    const Node *value = equation_value(s, st->value, &l);
    s->target = NULL;
    if (value && !index)
        scope_error(s, st->target->at, "the left side lacks an axis %s of its own: the scan runs over it", step);
    if (!value || !index || !t || l.pieces) {
        if (value && index && l.pieces)
            scope_error(s, st->target->at, "an equation of a scan gives all places, not pieces");
        scope_set(s, name, value_poison(), st->at);
        return;
    }
    emit(s, t, l.at, l.indices, l.index, node_to_float(value));
    s->last = scope_find(s, name)->value;
    for (int i = begin; i < e->program->equations.count; i++) {
        Equation *q = e->program->equations.at[i];
        for (int k = 0; k < q->indices; k++)
            if (q->index[k] == index) q->step = index;
    }
}

/* ---- which equations the loop needs ------------------------------------------------------------------------------ */
typedef struct Graph {
    int count;
    Equation **at;
    bool *reads;
    bool *reach;
    int *order;
} Graph; /* reads[i * count + k]: i reads k */
typedef struct Looking {
    Graph *g;
    int me;
} Looking;

static int equation_of(const Graph *g, const Tensor *t)
{
    for (int i = 0; i < g->count; i++)
        if (g->at[i]->out == t) return i;
    return -1;
}

static void look(const Node *e, void *data)
{
    Looking *l = data;
    if (e->op != OP_READ) return;
    int k = equation_of(l->g, e->tensor);
    if (k >= 0) l->g->reads[l->me * l->g->count + k] = true;
}

static void graph_close(Graph *g)
{
    int n = g->count;
    memcpy(g->reach, g->reads, sizeof(bool) * (size_t)(n * n));
    for (int k = 0; k < n; k++)
        for (int i = 0; i < n; i++)
            for (int j = 0; g->reach[i * n + k] && j < n; j++)
                if (g->reach[k * n + j]) g->reach[i * n + j] = true;
}

static Graph graph_of(Equation **at, int count)
{
    Graph g = { .count = count, .at = at };
    g.reads = NEW_ARRAY(bool, count *count + 1);
    g.reach = NEW_ARRAY(bool, count *count + 1);
    for (int i = 0; i < count; i++) {
        Looking l = { &g, i };
        node_visit(at[i]->value, look, &l);
    }
    graph_close(&g);
    return g;
}

static bool in_cycle(const Graph *g, int i) { return g->reach[i * g->count + i]; }

/* 0: before the loop, 1: in it, 2: after it. */
static int when(const Graph *g, int i)
{
    bool reads_cycle = false, feeds_cycle = false;
    for (int k = 0; k < g->count; k++) {
        if (!in_cycle(g, k)) continue;
        reads_cycle = reads_cycle || g->reach[i * g->count + k];
        feeds_cycle = feeds_cycle || g->reach[k * g->count + i];
    }
    if (in_cycle(g, i)) return 1;
    return !reads_cycle ? 0 : feeds_cycle ? 1 : 2;
}

/* ---- direction and order ----------------------------------------------------------------------------------------- */
typedef struct Steps {
    Scope *s;
    Graph *g;
    const Equation *me;
    int step;
    bool *same;
    bool ok;
} Steps;

static int step_axis(const Equation *q)
{
    for (int k = 0; k < q->out->rank; k++)
        if (sum_plain(q->left[k]) == q->step) return k;
    return -1;
}

static void look_step(const Node *e, void *data)
{
    Steps *t = data;
    int k = e->op == OP_READ ? equation_of(t->g, e->tensor) : -1;
    if (k < 0 || !t->ok) return;
    const Equation *other = t->g->at[k];
    int axis = step_axis(other);
    if (axis < 0) {
        scope_error(t->s, other->at, "%s takes part in the scan, but does not run over its index", other->out->name);
        t->ok = false;
        return;
    }
    const Sum *d = sum_sub(e->sum[axis], sum_index(t->me->step));
    if (!sum_is_constant(d) || d->constant < -1 || d->constant > 1) {
        scope_error(t->s, t->me->at, "a scan reads its own tensors at the same place or one place before or after");
        t->ok = false;
    } else if (d->constant == 0)
        t->same[k] = true;
    else if (t->step && t->step != -d->constant) {
        scope_error(t->s, t->me->at, "a scan runs in one direction: it reads both an earlier and a later place");
        t->ok = false;
    } else
        t->step = -d->constant;
}

/* Appends the equations of the loop in an order in which each step can be computed. */
static bool order_inner(Scope *s, Graph *g, int extent, Program *p)
{
    Elaboration *e = s->e;
    Steps t = { .s = s, .g = g, .ok = true };
    bool *same = NEW_ARRAY(bool, g->count * g->count + 1), *placed = NEW_ARRAY(bool, g->count + 1);
    for (int i = 0; i < g->count; i++) {
        t.me = g->at[i];
        t.same = same + i * g->count;
        if (!t.me->step) {
            scope_error(s, t.me->at, "%s takes part in the scan, but does not run over its index", t.me->out->name);
            return false;
        }
        node_visit(t.me->value, look_step, &t);
        if (!t.ok) return false;
    }
    Loop *loop = NEW(Loop);
    *loop = (Loop){ .id = e->loops++, .extent = extent, .step = t.step ? t.step : 1 };
    for (int done = 0; done < g->count;) {
        int before = done;
        for (int i = 0; i < g->count; i++) {
            bool ready = !placed[i];
            for (int k = 0; ready && k < g->count; k++) ready = !same[i * g->count + k] || placed[k];
            if (!ready) continue;
            placed[i] = true;
            g->at[i]->loop = loop;
            PUSH(p->equations, g->at[i]);
            done++;
        }
        if (done == before) {
            scope_error(
                s, g->at[0]->at,
                "equations of the scan read each other at the same place: one of them must read an earlier one");
            return false;
        }
    }
    return true;
}

static void leave_loop(Program *p, Equation *q)
{
    q->step = NULL;
    q->loop = NULL;
    PUSH(p->equations, q);
}

/* Splits the equations from `begin` on: what is in no cycle leaves the loop. */
static void split(Scope *s, int begin, int extent)
{
    Program *p = s->e->program;
    int count = p->equations.count - begin, inner = 0;
    Equation **at = arena_copy(p->equations.at + begin, sizeof *at * (size_t)count);
    Equation **loop = NEW_ARRAY(Equation *, count + 1);
    Graph g = graph_of(at, count);
    p->equations.count = begin;
    for (int i = 0; i < count; i++)
        if (when(&g, i) == 0) leave_loop(p, at[i]);
    for (int i = 0; i < count; i++)
        if (when(&g, i) == 1) loop[inner++] = at[i];
    if (inner) {
        Graph in = graph_of(loop, inner);
        if (!order_inner(s, &in, extent, p)) return;
    }
    for (int i = 0; i < count; i++)
        if (when(&g, i) == 2) leave_loop(p, at[i]);
}

void scan_run(Scope *s, const Statement *st)
{
    int extent;
    if (st->value) {
        if (!express_int(s, st->value, format("the range of %s", st->name), 1, 1 << 30, &extent)) return;
        range_set(s, st->name, extent, false, st->at, "given by `in`")->given = true;
    }
    const AxisRange *r = range_find(s, st->name);
    if (!r || r->batch) {
        if (r)
            scope_error(s, st->at, "a scan cannot run over the batch: samples do not see each other");
        else
            scope_error(s, st->at, "the range of the index %s is not known: scan %s in ..", st->name, st->name);
        return;
    }
    extent = r->extent;
    Body body = { 0 };
    int begin = s->e->program->equations.count, errors = error_count();
    body_collect(s, &st->body, &body);
    Tensor **tensor = NEW_ARRAY(Tensor *, body.count + 1);
    if (!prepare(s, &body, tensor)) return;
    for (int i = 0; i < body.count; i++) scan_equation(s, body.at[i], st->name, tensor[i]);
    s->locals.count = 0;
    if (error_count() == errors) split(s, begin, extent);
}
