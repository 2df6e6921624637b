/* fuse.c: which equations are one kernel. The rules look at the shapes of accesses only:
 *
 *   pieces     equations that make pieces of one tensor in loops of the same extents
 *   epilogue   a map joins the tile whose result it reads at its own places: bias, activation, dropout, the optimizer
 *   rows       two kernels with loops over the same outer indices join if all that passes between them passes at the
 *              same outer place: softmax, its loss and its gradient, maps of one another
 *   serial     small equations are done by one thread, one after another, whatever they read
 *
 * Two kernels never join when a third must stand between them. */
#include "kernel/graph.h"
#include "kernel/winners.h"
#include <string.h>

enum { SERIAL_WORK = 1 << 11, SERIAL_TOTAL = 1 << 14 };

/* ---- joining ---- */
static void swap_equations(Kernel *k, int a, int b)
{
    Equation *e = k->equations.at[a];
    Form f = k->forms.at[a];
    int place = k->places.at[a];
    k->equations.at[a] = k->equations.at[b];
    k->forms.at[a] = k->forms.at[b];
    k->places.at[a] = k->places.at[b];
    k->equations.at[b] = e;
    k->forms.at[b] = f;
    k->places.at[b] = place;
}

/* a takes the equations of b, in the program's order. */
static void join(Graph *g, Kernel *a, Kernel *b)
{
    int keep = a->schedule == SCHEDULE_TILE;     /* the tile's own equation stays first */
    for (int i = 0; i < b->equations.count; i++) {
        PUSH(a->equations, b->equations.at[i]);
        PUSH(a->forms, b->forms.at[i]);
        PUSH(a->places, b->places.at[i]);
        for (int k = a->equations.count - 1; k > keep && a->places.at[k - 1] > a->places.at[k]; k--) swap_equations(a, k - 1, k);
    }
    graph_join(g, a, b);
}

static bool may_join(Graph *g, Kernel *a, Kernel *b)
{
    return a != b && a->loop == b->loop && !a->add && !b->add && !reaches_round(g, a, b) && !reaches_round(g, b, a);
}

/* Does one of a's equations read a state that b writes over? */
static bool has_order_edge(Graph *g, const Kernel *a, const Kernel *b)
{
    for (int j = 0; j < b->equations.count; j++) {
        Tensor *home = plan_home(&g->plan->plan, b->equations.at[j]->out);
        if (home->role == ROLE_TEMP) continue;
        for (int i = 0; i < a->equations.count; i++)
            if (a->equations.at[i] != b->equations.at[j] && equation_needs(a->equations.at[i], home)) return true;
    }
    return false;
}

/* ---- epilogues ---- */
static bool same_places(const Equation *a, const Equation *b)
{
    if (a->out->rank != b->out->rank || a->indices != b->indices) return false;
    for (int i = 0; i < a->out->rank; i++) {
        const Index *x = sum_plain(a->left[i]), *y = sum_plain(b->left[i]);
        if (x && y ? x->extent != y->extent || x->batch != y->batch || (x == a->step) != (y == b->step) : a->left[i] != b->left[i])
            return false;
        if (!x && !sum_is_constant(a->left[i])) return false;
    }
    return true;
}

typedef struct ReadsOf { const Kernel *kernel; const Equation *e; bool fine; } ReadsOf;

static void check_identity(const Node *e, void *data)
{
    ReadsOf *c = data;
    if (e->op != OP_READ) return;
    for (int i = 0; i < c->kernel->equations.count; i++)
        if (c->kernel->equations.at[i]->out == e->tensor)
            for (int a = 0; a < e->sums; a++) c->fine &= e->sum[a] == c->e->left[a];
}

/* Every read of what the kernel makes is at e's own place. */
static bool reads_at_own_place(const Kernel *k, const Equation *e)
{
    ReadsOf c = { k, e, true };
    equation_visit(e, check_identity, &c);
    return c.fine;
}

static bool can_be_epilogue(Graph *g, Kernel *host, Kernel *map)
{
    const Equation *h = host->equations.at[0], *e = map->equations.at[0];
    if (map->equations.count != 1 || e->reduction != RED_NONE || equation_is_scatter(e) || map->add) return false;
    if (!same_places(h, e) || !reads_at_own_place(host, e) || e->out->role == ROLE_TOTAL) return false;
    const Index *col = counterpart(h, host->tile.col, e);
    int unit, apart;
    if (!col || !node_lanes(e->value, col, &unit, &apart) || apart || (e->test && node_uses(e->test, col))) return false;
    for (int i = 0; i < host->equations.count; i++)              /* one makes what another reads elsewhere */
        if (!reads_at_own_place(map, host->equations.at[i])) return false;
    return !has_order_edge(g, host, map) && !has_order_edge(g, map, host);
}

static Kernel *last_host(Graph *g, Kernel *map)
{
    Kernel *best = NULL;
    Tensors *reads = &g->reads.at[map->id];
    for (int i = 0; i < reads->list.count; i++) {
        Kernels *makers = of_tensor(&g->makers, reads->list.at[i]);
        for (int j = 0; j < makers->list.count; j++) {
            Kernel *k = makers->list.at[j];
            if (k->schedule != SCHEDULE_TILE || k == map || (best && best->id >= k->id)) continue;
            if (can_be_epilogue(g, k, map) && may_join(g, k, map)) best = k;
        }
    }
    return best;
}

static void join_epilogues(Graph *g)
{
    for (int i = 0; i < g->program->kernels.count;) {
        Kernel *map = g->program->kernels.at[i];
        Kernel *host = map->schedule == SCHEDULE_TILE ? NULL : last_host(g, map);
        if (host) join(g, host, map);
        else i++;
    }
}

/* ---- rows ---- */
/* The place of the axis of t that lies along outer index k of its maker; -1. */
static int axis_along(const Equation *maker, const Index *outer)
{
    for (int a = 0; a < maker->out->rank; a++)
        if (sum_plain(maker->left[a]) == outer) return a;
    return -1;
}

typedef struct Passing { const Kernel *from; const Form *reader; int outer; bool fine; } Passing;

static void check_passing(const Node *e, void *data)
{
    Passing *c = data;
    if (e->op != OP_READ || !c->fine) return;
    for (int i = 0; i < c->from->equations.count; i++) {
        if (c->from->equations.at[i]->out != e->tensor) continue;
        for (int k = 0; k < c->outer; k++) {
            int a = axis_along(c->from->equations.at[i], c->from->forms.at[i].loop[k]);
            if (a < 0 || sum_plain(e->sum[a]) != c->reader->loop[k]) c->fine = false;
        }
    }
}

static bool passes_at_same_place(const Kernel *from, const Kernel *to, int outer)
{
    Passing c = { .from = from, .outer = outer, .fine = true };
    for (int i = 0; i < to->equations.count; i++) {
        c.reader = &to->forms.at[i];
        equation_visit(to->equations.at[i], check_passing, &c);
    }
    return c.fine;
}

static bool same_outer(const Kernel *a, const Kernel *b)
{
    if (a->outer != b->outer || a->outer == 0) return false;
    for (int k = 0; k < a->outer; k++) {
        const Index *x = a->forms.at[0].loop[k], *y = b->forms.at[0].loop[k];
        if (x->extent != y->extent || x->batch != y->batch) return false;
    }
    return true;
}

static bool can_share_rows(Graph *g, Kernel *a, Kernel *b)
{
    return a->schedule == SCHEDULE_ROWS && b->schedule == SCHEDULE_ROWS && same_outer(a, b)
        && passes_at_same_place(a, b, a->outer) && passes_at_same_place(b, a, a->outer)
        && !has_order_edge(g, a, b) && !has_order_edge(g, b, a);
}

static int64_t kernel_work(const Kernel *k)
{
    int64_t work = 0;
    for (int i = 0; i < k->equations.count; i++) work += equation_work(k->equations.at[i]);
    return work;
}

/* Does one of a's equations read a state after one of b's has written over it? */
static bool reads_too_late(Graph *g, const Kernel *a, const Kernel *b)
{
    for (int j = 0; j < b->equations.count; j++) {
        Tensor *home = plan_home(&g->plan->plan, b->equations.at[j]->out);
        for (int i = 0; home->role != ROLE_TEMP && i < a->equations.count; i++)
            if (a->places.at[i] > b->places.at[j] && equation_needs(a->equations.at[i], home)) return true;
    }
    return false;
}

static bool can_be_serial(Graph *g, const Kernel *a, const Kernel *b)
{
    if (reads_too_late(g, a, b) || reads_too_late(g, b, a)) return false;
    return a->schedule == SCHEDULE_SERIAL && b->schedule == SCHEDULE_SERIAL && kernel_work(a) + kernel_work(b) <= SERIAL_TOTAL;
}

typedef struct Candidate { Graph *g; Kernel *from, *found; } Candidate;

static void consider(Kernel *next, void *data)
{
    Candidate *c = data;
    if (c->found || next == c->from) return;
    if ((can_share_rows(c->g, c->from, next) || can_be_serial(c->g, c->from, next)) && may_join(c->g, c->from, next)) c->found = next;
}

static void join_rows(Graph *g)
{
    for (int i = 0; i < g->program->kernels.count;) {
        Candidate c = { .g = g, .from = g->program->kernels.at[i] };
        bool fits = c.from->schedule == SCHEDULE_ROWS || c.from->schedule == SCHEDULE_SERIAL;
        if (fits) each_next(g, c.from, consider, &c);
        if (c.found) join(g, c.from, c.found);
        else i++;
    }
}

/* ---- schedules ---- */
/* So little that one thread does it; but never what has a batch: that goes with the rows of its sample. */
static bool is_small(const Equation *e)
{
    for (int i = 0; i < e->indices; i++)
        if (e->index[i]->batch) return false;
    return equation_work(e) <= SERIAL_WORK && !e->loop && !equation_is_scatter(e);
}

static void choose_schedule(Graph *g, Kernel *k, const Tiles *tiles)
{
    const Equation *e = k->equations.at[0];
    Form f = form_of(e, g->program->program->wide);
    k->schedule = f.outer ? SCHEDULE_ROWS : f.kind == FORM_PLAIN ? SCHEDULE_SCALAR : SCHEDULE_ROWS;
    k->outer = f.outer;
    for (int i = 0; i < tiles->list.count; i++)
        if (tiles->list.at[i].e == e) {
            k->winners = tiles->list.at[i].winners;
            k->schedule = k->winners ? SCHEDULE_WINNERS : SCHEDULE_TILE;
            k->tile = tiles->list.at[i].tile;
        }
    if (g->plan->plan.options->blas == BLAS_ALWAYS && !g->program->program->wide && find_product(e, &k->product))
        k->schedule = SCHEDULE_PRODUCT;
    if (is_small(e) && k->schedule != SCHEDULE_TILE && !k->winners) k->schedule = SCHEDULE_SERIAL;
    if (equation_is_scatter(e) && !k->winners) k->schedule = SCHEDULE_SCALAR;
    if (k->schedule != SCHEDULE_ROWS) k->outer = 0;
    k->forms.at[0] = f;
}

/* ---- pieces ---- */
/* Equations that make pieces of one tensor in loops of the same extents. */
static bool are_pieces(const Kernel *a, const Kernel *b)
{
    const Form *f = &a->forms.at[0], *h = &b->forms.at[0];
    bool serial = a->schedule == SCHEDULE_SERIAL && kernel_work(a) + kernel_work(b) <= SERIAL_TOTAL;
    if (a->schedule != b->schedule || !(a->schedule == SCHEDULE_ROWS || serial)) return false;
    if (a->equations.at[0]->out != b->equations.at[0]->out) return false;
    if (f->kind != FORM_LANES || h->kind != FORM_LANES || f->loops != h->loops) return false;
    for (int i = 0; i < f->loops; i++)
        if (f->loop[i]->extent != h->loop[i]->extent || f->loop[i]->batch != h->loop[i]->batch) return false;
    return true;
}

static void join_pieces(Graph *g)
{
    for (int i = 0; i + 1 < g->program->kernels.count;) {
        Kernel *a = g->program->kernels.at[i], *b = g->program->kernels.at[i + 1];
        if (are_pieces(a, b) && may_join(g, a, b)) {
            if (b->outer < a->outer) a->outer = b->outer;
            join(g, a, b);
        }
        else i++;
    }
}

void join_kernels(Graph *g, const Tiles *tiles)
{
    for (int i = 0; i < g->program->kernels.count; i++) choose_schedule(g, g->program->kernels.at[i], tiles);
    join_pieces(g);
    join_epilogues(g);
    join_rows(g);
}

/* ---- the whole ---- */
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
    const Program *p = program->program;
    const EmitOptions *options = plan->plan.options;
    bool fuse = options->fuse, tiled = fuse && !p->wide && options->force != FORCE_ROWS, always = options->force == FORCE_ALL;
    Equations all = {0};
    Tiles tiles = {0};
    for (int i = 0; i < p->equations.count; i++) PUSH(all.list, p->equations.at[i]);
    if (tiled) find_winners(p, options, &all, &tiles);
    if (fuse && !p->wide) split_sums(&all);
    if (tiled && !options->direct) find_windows(&all, always);
    if (tiled) find_tiles(&all, options, &tiles);
    for (int i = 0; i < all.list.count; i++) kernel_new(program, all.list.at[i]);
    graph_build(&g);
    place_updates(&g);
    if (fuse) join_kernels(&g, &tiles);
    if (fuse && options->force != FORCE_ROWS) find_sequences(&g);
    graph_phases(&g);
    sequences_order(program);
    name_kernels(&g);
}
