/* rules_sums.c: what leaves a sum, or leaves an equation: a test or a factor without the summed index, a costly
 * expression with fewer indices; and sums that have one hit. */
#include "tensor/rules.h"
#include <string.h>

/* ---- sum[k] (k == a ? e : 0) has one hit: e at k = a, where a lies inside k's range (section 8, number 8) ----
 * requires: nothing.  keeps: values.  breaks: nothing. */

/* test says k == value, k not hidden in an atom: gives value. */
static const Sum *hit_of(const Node *test, const Index *k)
{
    if (test->op != OP_EQ || test->arg[0]->type != TYPE_INT || test->arg[1]->type != TYPE_INT) return NULL;
    const Sum *d = sum_sub(sum_node(test->arg[0]), sum_node(test->arg[1]));
    int factor = sum_factor(d, k);
    if (factor != 1 && factor != -1) return NULL;
    const Sum *value = sum_scale(sum_sub(sum_scale(sum_index(k), factor), d), factor); /* d = factor k + rest */
    if (sum_uses(value, k)) return NULL;
    for (int i = 0; i < value->count; i++) { /* the batch is no number: it meets only itself */
        const Term *t = &value->term[i];
        bool batch = t->index && t->index->batch;
        for (int a = 0; t->atom && a < t->atom->indices; a++) batch = batch || (t->atom->index[a]->batch && k->batch);
        if (batch && !(k->batch && sum_plain(value))) return NULL;
    }
    return k->batch && !sum_plain(value) ? NULL : value;
}

/* part[at] says k == value: what is left of the test. value may read tensors, under the parts before it that do not
 * use k; those that do are behind it now. */
static const Node *delta_test(const Node *const *part, int count, int at, const Index *k, const Sum *value)
{
    Substitution sub = { 0 };
    const Node *test = NULL;
    substitution_set(&sub, k, value);
    for (int i = 0; i < at; i++)
        if (!node_uses(part[i], k)) test = node_and(test, part[i]);
    test = k->batch ? test : node_and(test, node_in(value, k->extent));
    for (int i = 0; i < count; i++)
        if (i > at || (i < at && node_uses(part[i], k))) test = node_and(test, node_substitute(part[i], &sub));
    return test;
}

static bool delta_of(Equation *e)
{
    const Node *part[MAX_CONJUNCTS];
    int count = node_conjuncts(e->value->arg[0], part, MAX_CONJUNCTS);
    if (count > MAX_CONJUNCTS) return false;
    for (int i = 0; i < count; i++)
        for (int r = 0; r < e->reduced_count; r++) {
            const Index *k = e->reduced[r];
            const Sum *value = hit_of(part[i], k);
            if (!value) continue;
            Substitution sub = { 0 };
            substitution_set(&sub, k, value);
            e->value = node_guard(delta_test(part, count, i, k, value), node_substitute(e->value->arg[1], &sub));
            memmove(&e->reduced[r], &e->reduced[r + 1], sizeof e->reduced[0] * (size_t)(e->reduced_count - r - 1));
            e->reduced_count--;
            equation_settle(e);
            return true;
        }
    return false;
}

void rule_deltas(Simplifier *s)
{
    for (int i = 0; i < s->lines.count; i++) {
        Equation *e = s->lines.at[i].e;
        while (e->reduction == RED_SUM && node_is_guard(e->value) && delta_of(e))
            ;
    }
}

/* ---- R2: a factor, divisor or test without the summed index leaves the sum ----
 *     sum[k] a[i] b[i, k] = a[i] (sum[k] b[i, k])      sum[k] (c[i] ? e : 0) f = c[i] ? sum[k] e f : 0
 * It looks through a map that is such a product. The sum becomes an equation of its own, the old one a map.
 * requires: nothing.  keeps: values up to rounding, order (a loop may be torn: rule_order).  breaks: nothing. */
static bool reads_nothing(const Node *test) { return root_facts(test)->reads->count == 0; }

/* Takes out of guard = c ? x : 0 what of c may leave the sum of e; gives what is left of the guard. A part that reads
 * may lean on the parts before it: it leaves only if they do. */
static const Node *hoist_test(Equation *e, const Node *guard)
{
    const Node *part[MAX_CONJUNCTS], *leave = NULL, *stay = NULL;
    int count = node_conjuncts(guard->arg[0], part, MAX_CONJUNCTS);
    if (count > MAX_CONJUNCTS) return guard;
    for (int i = 0; i < count; i++)
        if (!node_uses_any(part[i], e->reduced_count, e->reduced) && (!stay || reads_nothing(part[i])))
            leave = node_and(leave, part[i]);
        else
            stay = node_and(stay, part[i]);
    if (!leave) return guard;
    e->test = node_and(e->test, leave);
    return node_guard(stay, guard->arg[1]);
}

static void hoist_tests(Equation *e)
{
    if (node_is_guard(e->value)) e->value = hoist_test(e, e->value);
    Product p = { 0 };
    bool changed = false;
    product_add(&p, e->value, false);
    for (int i = 0; i < p.factors.count; i++) {
        Factor *f = &p.factors.at[i];
        const Node *left = node_is_guard(f->node) && !f->divides ? hoist_test(e, f->node) : f->node;
        changed = changed || left != f->node;
        f->node = left;
    }
    if (changed) e->value = product_node(&p);
}

/* Is it worth to open a map with this product? Something leaves the sum, and the sum has no more factors than before:
 * a contraction of two tensors stays one. */
static bool product_opens(const Product *p, const Equation *e)
{
    int stay = 0, leave = 0;
    for (int i = 0; i < p->factors.count; i++)
        if (node_uses_any(p->factors.at[i].node, e->reduced_count, e->reduced))
            stay++;
        else
            leave += p->factors.at[i].node->op != OP_NUM;
    return stay <= 1 && leave > 0 && p->factors.count > 1;
}

/* The value as a product, maps that are products with a factor to leave being opened. */
static Product product_wide(Simplifier *s, const Equation *e)
{
    Product p = { 0 }, wide = { 0 };
    product_add(&p, e->value, false);
    wide.negative = p.negative;
    for (int i = 0; i < p.factors.count; i++) {
        const Factor *f = &p.factors.at[i];
        const Equation *map = f->node->op == OP_READ && !f->divides ? tensor_map(s, f->node->tensor) : NULL;
        if (map && map != e && reads_same_step(e, map, f->node->sum) && map->value->type == TYPE_FLOAT) {
            Substitution sub = map_substitution(map, f->node->sum);
            Product inner = { 0 };
            product_add(&inner, node_substitute(map->value, &sub), false);
            if (product_opens(&inner, e)) {
                wide.negative = wide.negative != inner.negative;
                for (int k = 0; k < inner.factors.count; k++) PUSH(wide.factors, inner.factors.at[k]);
                continue;
            }
        }
        PUSH(wide.factors, *f);
    }
    return wide;
}

/* The sum that e is a multiple of, e being changed to that multiple; NULL if nothing leaves. */
static Equation *hoist_factors(Simplifier *s, Equation *e)
{
    Product p = product_wide(s, e), rest = { 0 }, out = { .negative = p.negative };
    bool leaves = p.negative;
    const Node *sum;
    PUSH(out.factors, ((Factor){ 0 })); /* the sum's place */
    for (int i = 0; i < p.factors.count; i++) {
        const Factor *f = &p.factors.at[i];
        if (node_uses_any(f->node, e->reduced_count, e->reduced)) {
            PUSH(rest.factors, *f);
        } else {
            PUSH(out.factors, *f);
            leaves = leaves || !node_is_number(f->node, 1);
        }
    }
    if (!leaves || rest.factors.count == 0) return NULL;
    Equation *q = equation_own(s, e, product_node(&rest), e->test, RED_SUM, "f", &sum);
    if (!q) return NULL;
    out.factors.at[0].node = sum;
    e->value = node_guard(e->test, product_node(&out));
    e->test = NULL;
    e->reduction = RED_NONE;
    e->reduced_count = 0;
    return q;
}

void rule_hoist(Simplifier *s)
{
    survey(s);
    Lines out = { 0 };
    for (int i = 0; i < s->lines.count; i++) {
        Line line = s->lines.at[i];
        Equation *e = line.e;
        if (e->reduction == RED_SUM && !equation_is_scatter(e)) {
            hoist_tests(e);
            Equation *sum = hoist_factors(s, e);
            if (sum) PUSH(out, ((Line){ sum, line.backward }));
        }
        PUSH(out, line);
    }
    s->lines = out;
}

/* ---- R1, R3: a costly expression that lacks an index of its equation is an equation of its own ----
 *     y[n, c] = x[n, c] / sqrt(v[c])  ->  s[c] = sqrt(v[c]);  r[c] = 1 / s[c];  y[n, c] = x[n, c] r[c]
 * What is lifted from under a test takes along what of the test it can: else it would be computed where it must not.
 * requires: nothing.  keeps: values up to rounding (R3), order (a loop may be torn).  breaks: nothing. */
typedef struct Lifting {
    Simplifier *s;
    const Equation *e;
    bool backward;
    Lines *out;
    int tests;
    const Node *test[MAX_CONJUNCTS]; /* what holds round the place that is looked at */
} Lifting;

static bool lacks_index(const Equation *e, const Node *x) { return x->indices < e->indices + e->reduced_count; }

static const char *suffix_of(const Node *x)
{
    return x->op == OP_DIV ? "inv" : op_info[x->op].text[0] >= 'a' ? op_info[x->op].text : "f";
}

static const Node *lift(Lifting *l, const Node *x)
{
    const Node *test = NULL, *read;
    for (int i = 0; i < l->tests; i++)
        if (node_within(l->test[i], x->indices, x->index)) test = node_and(test, l->test[i]);
    Equation *q = equation_own(l->s, l->e, x, test, RED_NONE, suffix_of(x), &read);
    if (!q) return NULL;
    PUSH(*l->out, ((Line){ q, l->backward }));
    return read;
}

static const Node *lifted(const Node *x, void *data);

static const Node *lifted_where(Lifting *l, const Node *test, const Node *x)
{
    int before = l->tests, count = node_conjuncts(test, l->test + before, MAX_CONJUNCTS - before);
    l->tests += count <= MAX_CONJUNCTS - before ? count : 0;
    x = lifted(x, l);
    l->tests = before;
    return x;
}

/* Of a choice only one side counts, and b of `a and b` only where a is true. */
static const Node *lifted_choice(const Node *x, Lifting *l)
{
    const Node *first = lifted(x->arg[0], l), *not = node1(OP_NOT, x->arg[0]);
    const Node *second = lifted_where(l, x->op == OP_OR ? not : x->arg[0], x->arg[1]);
    if (x->op != OP_SELECT) return node2(x->op, first, second);
    return node_select(first, second, lifted_where(l, not, x->arg[2]));
}

static bool more_indices(const Node *a, const Node *b) { return !node_within(a, b->indices, b->index); }

static const Node *lifted(const Node *x, void *data)
{
    Lifting *l = data;
    if (x->op == OP_READ || x->op == OP_NUM) return x;
    if (x->type == TYPE_FLOAT && lacks_index(l->e, x) && node_is_costly(x)) {
        const Node *read = lift(l, x);
        if (read) return read;
    }
    if (x->op == OP_DIV && x->arg[1]->op != OP_NUM && !node_is_number(x->arg[0], 1) &&
        ((lacks_index(l->e, x->arg[1]) && more_indices(x->arg[0], x->arg[1])) || node_is_constant(x->arg[1])))
        return lifted(node2(OP_MUL, x->arg[0], node2(OP_DIV, node_float(1), x->arg[1])), data);
    bool choice = x->op == OP_SELECT || x->op == OP_AND || x->op == OP_OR;
    return choice ? lifted_choice(x, l) : node_rebuild(x, lifted, data);
}

void rule_invariant(Simplifier *s)
{
    survey(s);
    Lines out = { 0 };
    for (int i = 0; i < s->lines.count; i++) {
        Line line = s->lines.at[i];
        Equation *e = line.e;
        if (!e->test && !equation_is_scatter(e)) {
            Lifting l = { .s = s, .e = e, .backward = line.backward, .out = &out };
            e->value = lifted(e->value, &l);
        }
        PUSH(out, line);
    }
    s->lines = out;
}
