/* needs.c: what a gradient flows through, and the results that are to be stored for it.
 *
 * A tensor needs a gradient if it wants one, or if an equation that makes it reads one that does, not through what has
 * none: ints, comparisons, stop, sign, floor, conditions. Nothing is computed for any other. */
#include "tensor/differentiate.h"
#include "base/text.h"
#include <string.h>

bool needs_tensor(const Needs *n, const Tensor *t) { return t->id < n->tensor.count && n->tensor.at[t->id]; }

static void needs_add(Needs *n, const Tensor *t)
{
    while (n->tensor.count <= t->id)
        PUSH(n->tensor, false);
    n->tensor.at[t->id] = true;
}

static bool has_no_gradient(const Node *e)
{
    return e->type != TYPE_FLOAT || e->op == OP_STOP || e->op == OP_SIGN || e->op == OP_FLOOR || e->op == OP_TO_FLOAT ||
           e->op == OP_RAND || e->op == OP_NUM;
}

bool needs_node(const Needs *n, const Node *e)
{
    if (has_no_gradient(e))
        return false;
    if (e->op == OP_READ)
        return needs_tensor(n, e->tensor);
    const Node *known = memo_get(n->memo, e);
    if (known)
        return node_is_true(known);
    bool needs = false;
    for (int i = e->op == OP_SELECT ? 1 : 0; i < 3 && e->arg[i] && !needs; i++)
        needs = needs_node(n, e->arg[i]);
    memo_set(n->memo, e, node_bool(needs));
    return needs;
}

static bool is_differentiable(const Equation *e)
{
    return e->out->type == TYPE_FLOAT && e->reduction != RED_ARGMAX && e->reduction != RED_ARGMIN;
}

static bool gradient_flows(const Needs *n, const Equation *e)
{
    if (!e->out->derivative)
        return needs_node(n, e->value);
    for (const struct Derivative *d = e->out->derivative; d; d = d->next)
        if (needs_node(n, d->by))
            return true;
    return false;
}

/* A scan reads what comes later in the list, so once over the equations is not enough. */
Needs *needs_of(const Program *p, const Gradient *wanted, int count)
{
    Needs *n = NEW(Needs);
    for (int i = 0; i < count; i++)
        needs_add(n, wanted[i].of);
    for (bool grew = true; grew;) {
        grew = false;
        n->memo = memo_begin();                  /* what was not needed may be so now */
        for (int i = 0; i < p->equations.count; i++) {
            const Equation *e = p->equations.at[i];
            if (needs_tensor(n, e->out) || !is_differentiable(e) || !gradient_flows(n, e))
                continue;
            needs_add(n, e->out);
            memo_end(n->memo);
            n->memo = memo_begin();
            grew = true;
        }
        memo_end(n->memo);
    }
    n->memo = memo_begin();
    return n;
}

/* ---- helpers of the backward passes ---- */
IndexList indices_in(const Equation *equation, const Node *e)
{
    IndexList list = {0};
    for (int batch = 1; batch >= 0; batch--)
        for (int i = 0; i < equation->indices + equation->reduced_count; i++) {
            const Index *index = i < equation->indices ? equation->index[i]
                                                       : equation->reduced[i - equation->indices];
            if (index->batch == batch && node_uses(e, index))
                PUSH(list, index);
        }
    return list;
}

Tensor *tensor_over(const char *name, const IndexList *indices, Type type)
{
    int extent[MAX_RANK];
    if (indices->count > MAX_RANK)
        bug("%s would have %d axes", name, indices->count);
    for (int i = 0; i < indices->count; i++)
        extent[i] = indices->at[i]->extent;
    return tensor_new(name, indices->count, extent, indices->count && indices->at[0]->batch, type, ROLE_TEMP);
}

Equation *equation_fresh(const Equation *e)
{
    Equation *made = equation_copy(e);
    Substitution s = {0};
    for (int i = 0; i < e->indices + e->reduced_count; i++) {
        const Index **at = i < e->indices ? &made->index[i] : &made->reduced[i - e->indices];
        const Index *old = *at;
        *at = index_new(old->name, old->extent, old->batch);
        substitution_set(&s, old, sum_index(*at));
        if (e->step == old)
            made->step = *at;
    }
    made->value = node_substitute(e->value, &s);
    made->test = e->test ? node_substitute(e->test, &s) : NULL;
    for (int a = 0; a < e->out->rank; a++)
        made->left[a] = sum_substitute(e->left[a], &s);
    return made;
}

/* ---- stored results ----
 * exp, expm1, sqrt, tanh, probit are differentiated by their result, and a / b by b. Inside an expression such a result
 * becomes an equation. From under a choice it takes the test along (as far as the test is over its own indices), and so
 * does its derivative: x > 0 ? sqrt(x) : 0 has no NaN at -1. */
typedef struct Lift {
    Program *p;
    Needs *needs;
    const Equation *e;
    LIST(const Node *) path;                     /* the conditions round the place that is looked at */
    Memo *memo;                                  /* of the walk below the innermost of them */
    LIST(Equation *) made;
} Lift;

static bool by_result(const Lift *l, const Node *e)
{
    switch (e->op) {
    case OP_EXP: case OP_EXPM1: case OP_SQRT: case OP_TANH: case OP_PROBIT: return true;
    case OP_DIV: return needs_node(l->needs, e->arg[1]);
    default: return false;
    }
}

static bool uses_only(const Node *e, const IndexList *indices)
{
    for (int i = 0; i < e->indices; i++) {
        bool found = false;
        for (int k = 0; k < indices->count; k++)
            found = found || indices->at[k] == e->index[i];
        if (!found)
            return false;
    }
    return true;
}

/* The parts of the conditions round it that are over these indices. */
static const Node *path_test(const Lift *l, const IndexList *indices)
{
    enum { PARTS = 32 };
    const Node *test = NULL, *part[PARTS];
    for (int i = 0; i < l->path.count; i++) {
        int parts = node_conjuncts(l->path.at[i], part, PARTS);
        for (int k = 0; k < parts && k < PARTS; k++)
            if (uses_only(part[k], indices))
                test = node_and(test, part[k]);
    }
    return test && test->op != OP_NUM ? test : NULL;
}

/* y as an equation of its own; gives the read of it. */
static const Node *lift_out(Lift *l, const Node *y)
{
    const Equation *e = l->e;
    IndexList over = indices_in(e, y);
    const char *what = y->op == OP_DIV ? "q" : op_info[y->op].text;
    Tensor *t = tensor_over(format("%s.%s", e->out->name, what), &over, TYPE_FLOAT);
    Equation *q = equation_map(t, over.at, y);
    t->at = q->at = e->at;
    q->layer = e->layer;
    q->test = path_test(l, &over);
    for (int i = 0; i < over.count; i++)
        if (over.at[i] == e->step) {
            q->loop = e->loop;
            q->step = e->step;
        }
    needs_add(l->needs, t);
    PUSH(l->made, equation_fresh(q));
    return node_read_at(t, over.at);
}

static const Node *lift(Lift *l, const Node *e, bool root);

static const Node *lift_branch(Lift *l, const Node *condition, const Node *e)
{
    Memo *outer = l->memo;
    PUSH(l->path, condition);
    l->memo = memo_begin();
    const Node *result = lift(l, e, false);
    memo_end(l->memo);
    l->memo = outer;
    l->path.count--;
    return result;
}

static const Node *lift(Lift *l, const Node *e, bool root)
{
    if (e->op == OP_READ || !needs_node(l->needs, e))
        return e;
    const Node *known = root ? NULL : memo_get(l->memo, e);
    if (known)
        return known;
    const Node *arg[3] = { e->arg[0], e->arg[1], e->arg[2] };
    if (e->op == OP_SELECT) {
        arg[1] = lift_branch(l, arg[0], arg[1]);
        arg[2] = lift_branch(l, node1(OP_NOT, arg[0]), arg[2]);
    } else
        for (int i = 0; i < 3 && arg[i]; i++)
            arg[i] = lift(l, arg[i], false);
    const Node *y = node_like(e, arg, e->sum);
    if (!root && by_result(l, y))
        y = lift_out(l, y);
    memo_set(l->memo, e, y);
    return y;
}

typedef LIST(Equation *) EquationList;

/* What was lifted out of a loop's equation and does not depend on the step is computed before the loop. */
static void append_lifted(EquationList *out, const Lift *l, const Equation *e)
{
    int first = out->count;
    while (e->loop && first > 0 && out->at[first - 1]->loop == e->loop)
        first--;
    for (int i = 0; i < l->made.count; i++) {
        Equation *q = l->made.at[i];
        PUSH(*out, q);
        if (q->loop == e->loop)
            continue;
        for (int k = out->count - 1; k > first; k--)
            out->at[k] = out->at[k - 1];
        out->at[first++] = q;
    }
}

void store_results(Program *p, Needs *n)
{
    EquationList out = {0};
    for (int i = 0; i < p->equations.count; i++) {
        Equation *e = p->equations.at[i];
        if (!e->out->derivative && is_differentiable(e) && needs_tensor(n, e->out)) {
            Lift l = { .p = p, .needs = n, .e = e, .memo = memo_begin() };
            if (e->test)
                PUSH(l.path, e->test);
            e->value = lift(&l, e->value, e->reduction == RED_NONE);
            memo_end(l.memo);
            append_lifted(&out, &l, e);
        }
        PUSH(out, e);
    }
    p->equations.at = out.at;
    p->equations.count = out.count;
    p->equations.room = out.room;
}
