/* graph.c: what must come before what. Between kernels there are two kinds of edges: data (who makes a tensor -> who
 * reads it) and order (who reads the old value of a state -> who writes over it). The kernels of a scan, and those of a
 * sequence, are one node of this graph; inside one step, or for one sample, they have an order of their own. */
#include "kernel/graph.h"
#include <string.h>

/* ---- what an equation reads ---- */
/* The tensors that each equation reads, found once: equations do not change any more. Open addressing by the pointer. */
typedef struct ReadsOf { const Equation *e; Tensors reads; } ReadsOf;

static void tensors_add(Tensors *to, Tensor *t)
{
    for (int i = 0; i < to->list.count; i++)
        if (to->list.at[i] == t) return;
    PUSH(to->list, t);
}

static void collect_reads(const Node *e, void *data)
{
    if (e->op == OP_READ) tensors_add(data, e->tensor);
}

static ReadsOf *reads_slot(ReadsOf *table, int room, const Equation *e)
{
    size_t h = (size_t)(((uint64_t)(uintptr_t)e >> 4) * 0x9E3779B97F4A7C15u >> 20);
    while (table[h & (size_t)(room - 1)].e && table[h & (size_t)(room - 1)].e != e) h++;
    return &table[h & (size_t)(room - 1)];
}

static const Tensors *reads_of(const Equation *e)
{
    static ReadsOf *table;
    static int room, count;
    static unsigned generation = ~0u;
    if (generation != arena_generation()) {
        table = NULL;
        room = count = 0;
        generation = arena_generation();
    }
    if (2 * (count + 1) > room) {
        int larger = room ? 2 * room : 1024;
        ReadsOf *grown = NEW_ARRAY(ReadsOf, larger);
        for (int i = 0; i < room; i++)
            if (table[i].e) *reads_slot(grown, larger, table[i].e) = table[i];
        table = grown;
        room = larger;
    }
    ReadsOf *slot = reads_slot(table, room, e);
    if (!slot->e) {
        slot->e = e;
        equation_visit(e, collect_reads, &slot->reads);
        count++;
    }
    return &slot->reads;
}

bool equation_needs(const Equation *e, const Tensor *t)
{
    const Tensors *reads = reads_of(e);
    for (int i = 0; i < reads->list.count; i++)
        if (reads->list.at[i] == t) return true;
    return false;
}

void each_touched(const ProgramPlan *program, Touched *f, void *data)
{
    for (int i = 0; i < program->kernels.count; i++) {
        Kernel *k = program->kernels.at[i];
        for (int j = 0; j < k->equations.count; j++) {
            const Equation *e = k->equations.at[j];
            const Tensors *reads = reads_of(e);
            f(k, e, e->out, data);
            for (int r = 0; r < reads->list.count; r++) f(k, e, reads->list.at[r], data);
        }
    }
}

typedef struct ReadSearch { const Tensor *tensor; const Equation *e; bool elsewhere; } ReadSearch;

static void read_search(const Node *e, void *data)
{
    ReadSearch *s = data;
    if (e->op != OP_READ || e->tensor != s->tensor) return;
    for (int a = 0; a < e->sums; a++)
        if (s->e->out->rank != e->sums || e->sum[a] != s->e->left[a]) s->elsewhere = true;
}

bool equation_needs_in_place(const Equation *e, const Tensor *t)
{
    ReadSearch s = { .tensor = t, .e = e };
    equation_visit(e, read_search, &s);
    return !s.elsewhere;
}

static void kernels_add(Kernels *to, Kernel *k)
{
    for (int i = 0; i < to->list.count; i++)
        if (to->list.at[i] == k) return;
    PUSH(to->list, k);
}

Kernels *of_tensor(void *list, const Tensor *t)
{
    LIST(Kernels) *l = list;
    while (l->count <= t->id) PUSH(*l, ((Kernels){0}));
    return &l->at[t->id];
}

void graph_build(Graph *g)
{
    g->reads.count = g->makers.count = g->readers.count = g->writers.count = 0;
    for (int i = 0; i < g->program->kernels.count; i++) {
        Kernel *k = g->program->kernels.at[i];
        Tensors reads = {0};
        k->id = i;
        for (int j = 0; j < k->equations.count; j++) {
            const Tensors *own = reads_of(k->equations.at[j]);
            for (int r = 0; r < own->list.count; r++) tensors_add(&reads, own->list.at[r]);
            Tensor *out = k->equations.at[j]->out, *home = plan_home(&g->plan->plan, out);
            kernels_add(of_tensor(&g->makers, out), k);
            if (home->role != ROLE_TEMP) kernels_add(of_tensor(&g->writers, home), k);
        }
        for (int j = 0; j < reads.list.count; j++)
            kernels_add(of_tensor(&g->readers, reads.list.at[j]), k);
        PUSH(g->reads, reads);
    }
}

static void kernels_replace(Kernels *in, Kernel *b, Kernel *a)
{
    int n = 0;
    bool known = false;
    for (int i = 0; i < in->list.count; i++) known |= in->list.at[i] == a;
    for (int i = 0; i < in->list.count; i++) {
        Kernel *k = in->list.at[i];
        if (k != b) in->list.at[n++] = k;
        else if (!known) { in->list.at[n++] = a; known = true; }
    }
    in->list.count = n;
}

void graph_join(Graph *g, Kernel *a, Kernel *b)
{
    Tensors *reads = &g->reads.at[b->id];
    for (int i = 0; i < reads->list.count; i++) {
        kernels_replace(of_tensor(&g->readers, reads->list.at[i]), b, a);
        tensors_add(&g->reads.at[a->id], reads->list.at[i]);
    }
    for (int i = 0; i < b->equations.count; i++) {
        Tensor *out = b->equations.at[i]->out, *home = plan_home(&g->plan->plan, out);
        kernels_replace(of_tensor(&g->makers, out), b, a);
        if (home->role != ROLE_TEMP) kernels_replace(of_tensor(&g->writers, home), b, a);
    }
    int at = 0;
    while (g->program->kernels.at[at] != b) at++;
    for (; at + 1 < g->program->kernels.count; at++) g->program->kernels.at[at] = g->program->kernels.at[at + 1];
    g->program->kernels.count--;
}

/* Calls f for every kernel that must come after k. */
void each_next(Graph *g, Kernel *k, Visit *f, void *data)
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
        Kernels *writers = of_tensor(&g->writers, t);
        for (int i = 0; i < writers->list.count; i++)
            if (writers->list.at[i] != k) f(writers->list.at[i], data);
    }
}

bool same_unit(const Kernel *a, const Kernel *b)
{
    return a == b || (a->loop && a->loop == b->loop) || (a->sequence && a->sequence == b->sequence);
}

/* ---- paths ---- */
typedef struct Search { Graph *g; bool *seen; Kernel *target; bool found; } Search;

static bool *nothing_seen(Graph *g)
{
    int n = g->reads.count + 1;
    if (n > g->seen_room) {
        g->seen = NEW_ARRAY(bool, n);
        g->seen_room = n;
    }
    memset(g->seen, 0, (size_t)n * sizeof *g->seen);
    return g->seen;
}

static void search_from(Kernel *k, void *data)
{
    Search *s = data;
    if (s->found || s->seen[k->id]) return;
    s->seen[k->id] = true;
    if (same_unit(k, s->target)) { s->found = true; return; }
    each_next(s->g, k, search_from, s);
    for (int i = 0; k->loop && i < s->g->program->kernels.count; i++)
        if (s->g->program->kernels.at[i]->loop == k->loop) search_from(s->g->program->kernels.at[i], s);
    for (int i = 0; k->sequence && i < k->sequence->kernels.count; i++) search_from(k->sequence->kernels.at[i], s);
}

static void search_round(Kernel *k, void *data)
{
    if (!same_unit(k, ((Search *)data)->target)) search_from(k, data);
}

/* ---- within one step of a scan ---- */
typedef struct StepRead { const Tensor *tensor; const Equation *e; bool found; } StepRead;

static void find_step_read(const Node *e, void *data)
{
    StepRead *c = data;
    if (e->op != OP_READ || e->tensor != c->tensor) return;
    bool other_step = false;
    for (int a = 0; a < e->sums; a++)
        if (sum_uses(e->sum[a], c->e->step) && sum_plain(e->sum[a]) != c->e->step) other_step = true;
    c->found |= !other_step;
}

/* Does k read what the same step makes of t? (What it reads of another step was there before.) */
static bool reads_same_step(const Kernel *k, const Tensor *t)
{
    bool found = false;
    for (int i = 0; i < k->equations.count && !found; i++) {
        StepRead c = { t, k->equations.at[i], false };
        equation_visit(k->equations.at[i], find_step_read, &c);
        found = c.found;
    }
    return found;
}

static void each_in_step(Graph *g, Kernel *k, Visit *f, void *data)
{
    for (int j = 0; j < k->equations.count; j++) {
        Kernels *readers = of_tensor(&g->readers, k->equations.at[j]->out);
        for (int i = 0; i < readers->list.count; i++) {
            Kernel *r = readers->list.at[i];
            if (r != k && r->loop == k->loop && reads_same_step(r, k->equations.at[j]->out)) f(r, data);
        }
    }
}

static void search_in_step(Kernel *k, void *data)
{
    Search *s = data;
    if (s->found || s->seen[k->id]) return;
    if (k == s->target) { s->found = true; return; }
    s->seen[k->id] = true;
    each_in_step(s->g, k, search_in_step, s);
}

static void search_round_in_step(Kernel *k, void *data)
{
    if (k != ((Search *)data)->target) search_in_step(k, data);
}

bool reaches_round(Graph *g, Kernel *from, Kernel *to)
{
    Search s = { .g = g, .seen = nothing_seen(g), .target = to };
    for (int i = 0; from->sequence && i < from->sequence->kernels.count; i++) s.seen[from->sequence->kernels.at[i]->id] = true;
    s.seen[from->id] = true;
    if (from->loop && from->loop == to->loop) each_in_step(g, from, search_round_in_step, &s);
    else each_next(g, from, search_round, &s);
    return s.found;
}

/* Whether `to` must come after `from`. */
bool reaches(Graph *g, Kernel *from, Kernel *to)
{
    Search s = { .g = g, .seen = nothing_seen(g), .target = to };
    s.seen[from->id] = true;
    each_next(g, from, search_from, &s);
    return s.found;
}

/* ---- phases ---- */
typedef struct Raise { Kernel *from; bool grew, inside; } Raise;

static void raise_next(Kernel *next, void *data)
{
    Raise *r = data;
    if (r->inside) {
        if (same_unit(next, r->from) && next->inner <= r->from->inner) {
            next->inner = r->from->inner + 1;
            r->grew = true;
        }
    } else if (!same_unit(next, r->from) && next->phase <= r->from->phase) {
        next->phase = r->from->phase + 1;
        r->grew = true;
    }
}

void graph_phases(Graph *g)
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
            for (int j = 0; k->sequence && j < k->sequence->kernels.count; j++)
                if (k->sequence->kernels.at[j]->phase > k->phase) { k->phase = k->sequence->kernels.at[j]->phase; r.grew = true; }
            r.from = k;
            r.inside = false;
            each_next(g, k, raise_next, &r);
            r.inside = k->loop || k->sequence;
            if (k->loop) each_in_step(g, k, raise_next, &r);
            else if (k->sequence) each_next(g, k, raise_next, &r);
        }
        if (!r.grew) break;
    }
    for (int i = 0; i < p->kernels.count; i++)
        if (p->kernels.at[i]->phase >= p->phases) p->phases = p->kernels.at[i]->phase + 1;
}

