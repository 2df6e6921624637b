/* panel.c: which tensors lie in panels. The vector operand of a long sum is read down a column of vectors; row by row
 * these lie a whole row apart, in few sets of the cache. In panels of PANEL columns they lie one after another:
 *
 *     t[.., i, j]  at  j / PANEL * rows * PANEL + i * PANEL + j % PANEL
 *
 * What is read and written beside such a tensor in an epilogue (the state of the optimizer) follows it. A tensor that
 * some tile broadcasts keeps its rows. */
#include "kernel/winners.h"

enum { LONG_SUM = 16 };

typedef struct Panels {
    PlanOf *p;
    LIST(char) use;              /* by tensor id of the home: bits */
} Panels;
enum { IS_VECTOR = 1, IS_REFUSED = 2, IS_PANEL = 4 };

static char *use_of(Panels *c, const Tensor *t)
{
    t = plan_home(&c->p->plan, t);
    while (c->use.count <= t->id) PUSH(c->use, 0);
    return &c->use.at[t->id];
}

static bool may_be_panel(const Panels *c, const Tensor *t)
{
    const Storage *s = plan_storage(&c->p->plan, t);
    return s->place == PLACE_MEMORY && !s->sequence && t->type == TYPE_FLOAT && t->role != ROLE_TOTAL && t->rank >= 2
        && t->extent[t->rank - 1] % PANEL == 0 && t->extent[t->rank - 1] > PANEL;
}

static bool plain_last(const Sum *const *subs, int rank)
{
    return rank && (sum_plain(subs[rank - 1]) || sum_is_constant(subs[rank - 1]));
}

static void look_at_read(const Node *e, void *data)
{
    if (e->op == OP_READ && e->sums && !plain_last(e->sum, e->sums)) *use_of(data, e->tensor) |= IS_REFUSED;
}

static double sum_length(const Tile *t)
{
    double length = 1;
    for (int i = 0; i < t->reduced_count; i++) length *= t->reduced[i]->extent;
    return length;
}

static void look_at_kernel(Panels *c, const Kernel *k)
{
    for (int j = 0; j < k->equations.count; j++) {
        const Equation *e = k->equations.at[j];
        equation_visit(e, look_at_read, c);
        if (!plain_last(e->left, e->out->rank)) *use_of(c, e->out) |= IS_REFUSED;
        /* a row of a rows kernel is vectors from 0 on only along the last axis */
        if (k->schedule == SCHEDULE_SCALAR && equation_is_scatter(e)) *use_of(c, e->out) |= IS_REFUSED;
    }
    if (k->schedule == SCHEDULE_PRODUCT) {
        *use_of(c, k->product.a->tensor) |= IS_REFUSED;
        *use_of(c, k->product.b->tensor) |= IS_REFUSED;
        *use_of(c, k->equations.at[0]->out) |= IS_REFUSED;
    }
    if (k->winners) {                            /* rows as they are */
        *use_of(c, k->winners->amount->tensor) |= IS_REFUSED;
        *use_of(c, k->winners->operand->tensor) |= IS_REFUSED;
        *use_of(c, k->equations.at[0]->out) |= IS_REFUSED;
    }
    if (k->schedule != SCHEDULE_TILE) return;
    *use_of(c, k->tile.broadcast->tensor) |= IS_REFUSED;
    const Node *v = k->tile.vector;
    if (!k->tile.row || sum_plain(v->sum[v->sums - 1]) != k->tile.col) *use_of(c, v->tensor) |= IS_REFUSED;
    else if (sum_length(&k->tile) >= LONG_SUM) *use_of(c, v->tensor) |= IS_VECTOR;
}

typedef struct Follow { Panels *c; bool panel, grew; int columns; } Follow;

static void see_panel(const Node *e, void *data)
{
    Follow *f = data;
    if (e->op == OP_READ && (*use_of(f->c, e->tensor) & IS_PANEL) && e->tensor->extent[e->tensor->rank - 1] == f->columns) f->panel = true;
}

static void follow(Follow *f, const Tensor *t)
{
    const Tensor *home = plan_home(&f->c->p->plan, t);
    char *use = use_of(f->c, t);
    if (home->role != ROLE_STATE || *use & (IS_PANEL | IS_REFUSED) || !may_be_panel(f->c, home)) return;
    if (home->extent[home->rank - 1] != f->columns) return;
    *use |= IS_PANEL;
    f->grew = true;
}

static void follow_read(const Node *e, void *data)
{
    if (e->op == OP_READ && e->tensor->rank >= 2) follow(data, e->tensor);
}

/* States that are updated in the tile that updates a panel. */
static bool follow_kernel(Panels *c, const Kernel *k)
{
    Follow f = { .c = c, .columns = k->tile.col->extent };
    for (int j = 1; j < k->equations.count; j++) {
        const Equation *e = k->equations.at[j];
        equation_visit(e, see_panel, &f);
        if (*use_of(c, e->out) & IS_PANEL) f.panel = true;
    }
    for (int j = 1; j < k->equations.count && f.panel; j++) {
        equation_visit(k->equations.at[j], follow_read, &f);
        follow(&f, k->equations.at[j]->out);
    }
    return f.grew;
}

static void lay_out(Storage *s)
{
    const Tensor *t = s->tensor;
    s->panel = PANEL;
    int stride = PANEL;
    for (int a = t->rank - 2; a >= 0; a--) {
        s->stride[a] = stride;
        stride *= t->extent[a];
    }
}

void choose_panels(PlanOf *p)
{
    Panels c = { .p = p };
    for (int i = 0; i < p->plan.programs.count; i++)
        for (int k = 0; k < p->plan.programs.at[i].kernels.count; k++)
            look_at_kernel(&c, p->plan.programs.at[i].kernels.at[k]);
    for (int i = 0; i < p->plan.storage.count; i++) {
        const Tensor *t = p->plan.storage.at[i].tensor;
        char *use = use_of(&c, t);
        if (plan_home(&p->plan, t) == t && (*use & IS_VECTOR) && !(*use & IS_REFUSED) && may_be_panel(&c, t)) *use |= IS_PANEL;
    }
    for (bool grew = true; grew;) {
        grew = false;
        for (int i = 0; i < p->plan.programs.count; i++)
            for (int k = 0; k < p->plan.programs.at[i].kernels.count; k++) {
                const Kernel *kernel = p->plan.programs.at[i].kernels.at[k];
                if (kernel->schedule == SCHEDULE_TILE) grew |= follow_kernel(&c, kernel);
            }
    }
    for (int i = 0; i < p->plan.storage.count; i++) {
        Storage *s = &p->plan.storage.at[i];
        if (plan_home(&p->plan, s->tensor) == s->tensor && (*use_of(&c, s->tensor) & IS_PANEL)) lay_out(s);
    }
}
