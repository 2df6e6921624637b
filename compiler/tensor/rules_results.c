/* rules_results.c: R5, tests on a stored result instead of what it was made from, so that only the result is stored.
 *
 *     y = max(x, b):              x > b  is  y > b        (min, < likewise; also inside min(max(x, b), c) for b < c)
 *     y = c ? k x : 0, k > 0, x = max(.., 0):   c and x > 0  is  y > 0
 *
 * relu, dropout after relu and their gradients become: one stored tensor, no mask, no second draw. */
#include "tensor/rules.h"

/* ---- y = max(x, b) ---- */
typedef struct Bound {
    Op op;
    double at;
    const Equation *e;
    struct Bound *next;
} Bound; /* e: y = max(x, at), or min */
typedef struct Bounds {
    Simplifier *s;
    int room, position;
    Bound **of;
} Bounds; /* by the id of x */

static void bound_add(Bounds *b, const Node *x, Op op, double at, const Equation *e)
{
    if (x->op != OP_READ || x->tensor->id >= b->room || x->tensor == e->out) return;
    int plain = 0;
    for (int a = 0; a < x->sums; a++) { /* x is read at the equation's own indices, each once */
        if (sum_is_constant(x->sum[a]) && x->tensor->extent[a] == 1) continue;
        if (!sum_plain(x->sum[a])) return;
        plain++;
        for (int i = 0; i < a; i++)
            if (x->sum[a] == x->sum[i]) return;
    }
    if (plain != e->indices) return;
    Bound *bound = NEW(Bound);
    *bound = (Bound){ op, at, e, b->of[x->tensor->id] };
    b->of[x->tensor->id] = bound;
}

static bool is_extremum(const Node *e) { return (e->op == OP_MAX || e->op == OP_MIN) && e->type == TYPE_FLOAT; }

/* The read inside max(x, b), or inside min(max(x, b), c). */
static const Node *bounded_read(const Node *e)
{
    while (is_extremum(e) && e->arg[1]->op == OP_NUM) e = e->arg[0];
    return e;
}

static void bounds_of(Bounds *b, const Equation *e)
{
    const Node *outer = e->value, *x = bounded_read(outer);
    if (!is_extremum(outer) || outer->arg[1]->op != OP_NUM) return;
    const Node *inner = outer->arg[0];
    if (inner == x) {
        bound_add(b, x, outer->op, outer->arg[1]->number, e);
    } else if (inner->arg[0] == x && inner->op != outer->op) {
        double low = outer->op == OP_MIN ? inner->arg[1]->number : outer->arg[1]->number;
        double high = outer->op == OP_MIN ? outer->arg[1]->number : inner->arg[1]->number;
        if (low < high) {
            bound_add(b, x, OP_MAX, low, e);
            bound_add(b, x, OP_MIN, high, e);
        }
    }
}

/* max(x, b) < c, with b < c, is x < c; min(x, c) > b is x > b. */
static const Node *test_unbounded(const Node *test)
{
    const Node *m = test->arg[0];
    if (!is_extremum(m) || m->arg[1]->op != OP_NUM || test->arg[1]->op != OP_NUM) return test;
    double bound = m->arg[1]->number, c = test->arg[1]->number;
    bool clear = m->op == OP_MAX ? test->op == OP_LT && bound < c : test->op == OP_GT && bound > c;
    return clear ? node2(test->op, m->arg[0], test->arg[1]) : test;
}

static const Node *on_result(const Node *test, void *data)
{
    Bounds *b = data;
    if (test->op != OP_GT && test->op != OP_LT) return test;
    const Node *x = bounded_read(test->arg[0]);
    if (x->op != OP_READ || x->tensor->id >= b->room || !b->of[x->tensor->id] || test->arg[1]->op != OP_NUM)
        return test;
    test = test_unbounded(test);
    x = test->arg[0];
    if (x->op != OP_READ) return test;
    for (const Bound *bound = b->of[x->tensor->id]; bound; bound = bound->next) {
        const Equation *e = bound->e;
        if (bound->op != (test->op == OP_GT ? OP_MAX : OP_MIN) || bound->at != test->arg[1]->number ||
            tensor_facts(b->s, e->out)->position >= b->position)
            continue;
        Substitution sub = { 0 }; /* the equation's indices at the place where x is tested */
        const Node *read = bounded_read(e->value);
        for (int a = 0; a < read->sums; a++)
            if (sum_plain(read->sum[a])) substitution_set(&sub, sum_plain(read->sum[a]), x->sum[a]);
        const Sum *subs[MAX_RANK];
        for (int a = 0; a < e->out->rank; a++) subs[a] = sum_substitute(e->left[a], &sub);
        return node2(test->op, node_read(e->out, subs), test->arg[1]);
    }
    return test;
}

/* requires: nothing.  keeps: values, order: only results that stand before the test are used.  breaks: nothing. */
void rule_results(Simplifier *s)
{
    survey(s);
    Bounds b = { s, s->facts, 0, NEW_ARRAY(Bound *, s->facts ? s->facts : 1) };
    bool any = false;
    for (int i = 0; i < s->lines.count; i++) {
        const Equation *e = s->lines.at[i].e;
        if (is_extremum(e->value) && tensor_map(s, e->out)) {
            bounds_of(&b, e);
            any = true;
        }
    }
    for (int i = 0; any && i < s->lines.count; i++) {
        Equation *e = s->lines.at[i].e;
        const Reads *reads = equation_reads(e);
        bool tests = false;
        for (int k = 0; k < reads->count && !tests; k++) {
            const Tensor *t = reads->at[k].node->tensor;
            tests = t->id < b.room && b.of[t->id];
        }
        b.position = i;
        if (tests) equation_walk(e, on_result, &b);
    }
}

/* ---- y = c ? k x : 0 ---- */
typedef struct Drop {
    const Equation *e;
    const Node *x;
    struct Drop *next;
} Drop; /* x: the read in e */
typedef struct Drops {
    Simplifier *s;
    int room;
    Drop **of;
} Drops; /* by the id of x's tensor */

static bool is_relu(const Equation *e)
{
    return e && equation_is_map(e) && e->value->op == OP_MAX && node_is_number(e->value->arg[1], 0);
}

/* The x of k x, k > 0 a number and x = max(.., 0); or NULL. */
static const Node *scaled_relu(Simplifier *s, const Node *e)
{
    Product p = { 0 };
    const Node *x = NULL;
    product_add(&p, e, false);
    if (p.negative) return NULL;
    for (int i = 0; i < p.factors.count; i++) {
        const Factor *f = &p.factors.at[i];
        if (f->node->op == OP_NUM && f->node->number > 0) continue;
        if (f->node->op != OP_READ || f->divides || x || !is_relu(tensor_map(s, f->node->tensor))) return NULL;
        x = f->node;
    }
    return x;
}

static void drop_add(Drops *d, const Equation *e)
{
    if (!node_is_guard(e->value) || !tensor_map(d->s, e->out)) return;
    const Node *x = scaled_relu(d->s, e->value->arg[1]);
    if (!x || x->tensor->id >= d->room) return;
    Drop *drop = NEW(Drop);
    *drop = (Drop){ e, x, d->of[x->tensor->id] };
    d->of[x->tensor->id] = drop;
}

static int find(const Node *const *part, int count, const Node *wanted)
{
    for (int i = 0; i < count; i++)
        if (part[i] == wanted) return i;
    return -1;
}

static bool same_shape(const Tensor *a, const Tensor *b)
{
    bool same = a->rank == b->rank;
    for (int i = 0; i < a->rank && same; i++) same = a->extent[i] == b->extent[i];
    return same;
}

/* part[at] is x > 0. If the test of the drop stands among the parts too, both are y > 0: gives what is left of them. */
static bool drop_applies(const Equation *q, const Drop *drop, const Node **part, int *count, int at)
{
    const Equation *e = drop->e;
    if (!same_shape(e->out, q->out)) return false;
    Substitution sub = map_substitution(e, q->left);
    if (node_substitute(drop->x, &sub) != part[at]->arg[0]) return false;
    const Node *test[MAX_CONJUNCTS];
    int tests = node_conjuncts(node_substitute(e->value->arg[0], &sub), test, MAX_CONJUNCTS);
    if (tests > MAX_CONJUNCTS) return false;
    for (int i = 0; i < tests; i++)
        if (find(part, *count, test[i]) < 0) return false;
    part[at] = node2(OP_GT, node_read(e->out, q->left), node_float(0));
    int left = 0;
    for (int i = 0; i < *count; i++)
        if (i == at || find(test, tests, part[i]) < 0) part[left++] = part[i];
    *count = left;
    return true;
}

static void drops_in(Drops *d, Equation *q, int position)
{
    const Node *part[MAX_CONJUNCTS * 2], *value = q->value;
    int count = 0;
    for (; node_is_guard(value); value = value->arg[1]) {
        int more = node_conjuncts(value->arg[0], part + count, MAX_CONJUNCTS * 2 - count);
        if (more > MAX_CONJUNCTS * 2 - count) return;
        count += more;
    }
    for (int i = 0; i < count; i++) {
        const Node *x = part[i]->op == OP_GT && node_is_number(part[i]->arg[1], 0) ? part[i]->arg[0] : NULL;
        if (!x || x->op != OP_READ || x->tensor->id >= d->room) continue;
        for (const Drop *drop = d->of[x->tensor->id]; drop; drop = drop->next)
            if (tensor_facts(d->s, drop->e->out)->position < position && drop_applies(q, drop, part, &count, i)) {
                q->value = node_guard(conjunction(part, count), value);
                return;
            }
    }
}

/* requires: rule_results.  keeps: values, order.  breaks: nothing. */
void rule_drops(Simplifier *s)
{
    survey(s);
    Drops d = { s, s->facts, NEW_ARRAY(Drop *, s->facts ? s->facts : 1) };
    for (int i = 0; i < s->lines.count; i++) drop_add(&d, s->lines.at[i].e);
    for (int i = 0; i < s->lines.count; i++) {
        Equation *q = s->lines.at[i].e;
        if (node_is_guard(q->value) && equation_is_map(q)) drops_in(&d, q, i);
    }
}
