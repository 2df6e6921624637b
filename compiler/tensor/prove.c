/* prove.c: is a read inside its axis? By the ranges of indices; or because what stands in its subscript is a multiple
 * of a sum that a test holds in 0 .. extent - 1, plus a rest. Tests are the equation's own, those of the choices on the
 * way down to the read, and the left sides of `and`. A gather is held within its axis anyway. */
#include "tensor/cons.h"

enum { TESTS = 48, DEPTH = 2 };                  /* tests known at once; tests used for one proof */
typedef struct Tests { int count; struct { const Sum *sum; int extent; bool used; } at[TESTS]; } Tests;

/* Adds the parts of c that hold a sum in a range: in(a, k), a == b. Returns how many there were before. */
static int tests_add(Tests *t, const Node *c)
{
    const Node *part[TESTS];
    int before = t->count, parts = node_conjuncts(c, part, TESTS);
    for (int i = 0; i < parts && i < TESTS && t->count < TESTS; i++) {
        const Node *q = part[i];
        const Sum *sum = NULL;
        int extent = 1;
        if (q->op == OP_IN) {
            sum = q->sum[0];
            extent = q->extent;
        } else if (q->op == OP_EQ && q->arg[0]->type == TYPE_INT)
            sum = sum_sub(sum_node(q->arg[0]), sum_node(q->arg[1]));
        if (sum) {
            t->at[t->count].sum = sum;
            t->at[t->count].extent = extent;
            t->at[t->count++].used = false;
        }
    }
    return before;
}

/* a + (a number in extra) lies in 0 .. extent - 1, given the tests that are not used yet. */
static bool lies_inside(const Sum *a, Range extra, int extent, Tests *tests, int depth)
{
    Range r = sum_range(a);
    if (r.low + extra.low >= 0 && r.high + extra.high < extent)
        return true;
    for (int i = 0; depth > 0 && i < tests->count; i++) {
        if (tests->at[i].used)
            continue;
        const Sum *s = tests->at[i].sum;
        for (int k = 0; k < s->count; k++) {
            int own = 0, factor = s->term[k].factor;
            for (int m = 0; m < a->count; m++)
                if (a->term[m].index == s->term[k].index && a->term[m].atom == s->term[k].atom)
                    own = a->term[m].factor;
            if (own == 0 || own % factor != 0)
                continue;
            int f = own / factor;                /* f s lies between 0 and width */
            int64_t width = (int64_t)f * (tests->at[i].extent - 1);
            Range wider = { extra.low + (width < 0 ? width : 0), extra.high + (width > 0 ? width : 0) };
            tests->at[i].used = true;
            bool inside = lies_inside(sum_sub(a, sum_scale(s, f)), wider, extent, tests, depth - 1);
            tests->at[i].used = false;
            if (inside)
                return true;
        }
    }
    return false;
}

static bool in_range(const Sum *a, int extent)
{
    Range r = sum_range(a);
    return (r.low >= 0 && r.high < extent) || sum_is_gather(a);
}

typedef struct Prover { Tests tests; UnprovedRead *found; void *data; Memo *plain; } Prover;

/* Is there a read in e that only a test could prove? (So that the walk with tests need not look at the rest.) */
static bool needs_tests(Prover *p, const Node *e)
{
    const Node *known = memo_get(p->plain, e);
    if (known)
        return node_is_true(known);
    bool needs = false;
    for (int i = 0; i < 3 && e->arg[i]; i++)
        needs = needs_tests(p, e->arg[i]) || needs;
    for (int i = 0; i < e->sums; i++) {
        needs = needs || (e->op == OP_READ && !in_range(e->sum[i], e->tensor->extent[i]));
        for (int k = 0; k < e->sum[i]->count; k++)
            if (e->sum[i]->term[k].atom)
                needs = needs_tests(p, e->sum[i]->term[k].atom) || needs;
    }
    memo_set(p->plain, e, node_bool(needs));
    return needs;
}

static void prove(Prover *p, const Node *e)
{
    if (!needs_tests(p, e))
        return;
    if (e->op == OP_SELECT || e->op == OP_AND) {
        prove(p, e->arg[0]);
        int before = tests_add(&p->tests, e->arg[0]);
        prove(p, e->arg[1]);
        p->tests.count = before;
        if (e->op == OP_SELECT)
            prove(p, e->arg[2]);
        return;
    }
    for (int i = 0; i < 3 && e->arg[i]; i++)
        prove(p, e->arg[i]);
    for (int i = 0; i < e->sums; i++) {
        for (int k = 0; k < e->sum[i]->count; k++)
            if (e->sum[i]->term[k].atom)
                prove(p, e->sum[i]->term[k].atom);
        if (e->op == OP_READ && !in_range(e->sum[i], e->tensor->extent[i]) &&
            !lies_inside(e->sum[i], (Range){ 0, 0 }, e->tensor->extent[i], &p->tests, DEPTH))
            p->found(e, i, p->data);
    }
}

void equation_unproved(const Equation *e, UnprovedRead *found, void *data)
{
    Prover p = { .found = found, .data = data, .plain = memo_begin() };
    if (e->test)
        prove(&p, e->test);
    tests_add(&p.tests, e->test);
    prove(&p, e->value);
    for (int a = 0; a < e->out->rank; a++)
        for (int k = 0; k < e->left[a]->count; k++)
            if (e->left[a]->term[k].atom)
                prove(&p, e->left[a]->term[k].atom);
    memo_end(p.plain);
}

static void count_one(const Node *read, int axis, void *data)
{
    (void)read, (void)axis;
    ++*(int *)data;
}

int program_unproved(const Program *p)
{
    int count = 0;
    for (int i = 0; i < p->equations.count; i++)
        equation_unproved(p->equations.at[i], count_one, &count);
    return count;
}
