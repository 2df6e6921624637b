/* partials.c: the derivatives of an expression: one rule for each operation (section 7 of the language reference).
 *
 * Adjoints go down the expression from its root. An expression is a DAG, so a node waits until all that use it have
 * handed their part down: arguments are older than what uses them, so the newest waiting node comes next. With an
 * adjoint goes the condition under which it counts. The condition guards the contribution at the end, not the adjoint
 * on the way: nothing infinite is multiplied by 0. */
#include "tensor/differentiate.h"
#include <math.h>

typedef struct Waiting { const Node *e, *test, *adjoint; } Waiting;
typedef struct Walk { const Needs *needs; LIST(Waiting) list; } Walk;

static void hand(Walk *w, const Node *e, const Node *test, const Node *adjoint)
{
    if (!needs_node(w->needs, e))
        return;
    for (int i = 0; i < w->list.count; i++)
        if (w->list.at[i].e == e && w->list.at[i].test == test) {
            w->list.at[i].adjoint = node2(OP_ADD, w->list.at[i].adjoint, adjoint);
            return;
        }
    PUSH(w->list, ((Waiting){ e, test, adjoint }));
}

static Waiting take_newest(Walk *w)
{
    int newest = 0;
    for (int i = 1; i < w->list.count; i++)
        if (w->list.at[i].e->id > w->list.at[newest].e->id)
            newest = i;
    Waiting next = w->list.at[newest];
    for (int i = newest + 1; i < w->list.count; i++)
        w->list.at[i - 1] = w->list.at[i];
    w->list.count--;
    return next;
}

static const Node *mul(const Node *a, const Node *b) { return node2(OP_MUL, a, b); }
static const Node *sub(const Node *a, const Node *b) { return node2(OP_SUB, a, b); }
static const Node *divide(const Node *a, const Node *b) { return node2(OP_DIV, a, b); }
static const Node *neg(const Node *a) { return node1(OP_NEG, a); }
static const Node *square(const Node *a) { return node2(OP_POW, a, node_float(2)); }

/* Of a function of one number x with the value y: d times its derivative. */
static const Node *function_partial(Op op, const Node *x, const Node *y, const Node *d)
{
    const Node *one = node_float(1);
    switch (op) {
    case OP_EXP: return mul(d, y);
    case OP_LOG: return divide(d, x);
    case OP_LOG1P: return divide(d, node2(OP_ADD, one, x));
    case OP_EXPM1: return mul(d, node2(OP_ADD, y, one));
    case OP_SQRT: return divide(d, mul(node_float(2), y));
    case OP_TANH: return mul(d, sub(one, square(y)));
    case OP_ERF: return mul(mul(d, node_float(M_2_SQRTPI)), node1(OP_EXP, neg(square(x))));
    case OP_SIN: return mul(d, node1(OP_COS, x));
    case OP_COS: return neg(mul(d, node1(OP_SIN, x)));
    case OP_ABS: return mul(d, node1(OP_SIGN, x));
    case OP_PROBIT:
        return mul(mul(d, node_float(sqrt(2 * M_PI))), node1(OP_EXP, mul(node_float(0.5), square(y))));
    default: bug("partials: no derivative of %s", op_info[op].name);
    }
}

static void power_partials(Walk *w, const Node *e, const Node *y, const Node *test, const Node *d)
{
    const Node *a = e->arg[0], *b = e->arg[1];
    const Node *lower = node_is_number(b, 2) ? a : node2(OP_POW, a, sub(b, node_float(1)));
    hand(w, a, test, mul(mul(d, b), lower));
    if (b->op != OP_NUM)
        hand(w, b, test, mul(mul(d, y), node1(OP_LOG, a)));
}

static void hand_down(Walk *w, const Node *e, const Node *y, const Node *test, const Node *d)
{
    const Node *a = e->arg[0], *b = e->arg[1];
    switch (e->op) {
    case OP_ADD:
        hand(w, a, test, d);
        hand(w, b, test, d);
        break;
    case OP_SUB:
        hand(w, a, test, d);
        hand(w, b, test, neg(d));
        break;
    case OP_NEG:
        hand(w, a, test, neg(d));
        break;
    case OP_MUL:
        hand(w, a, test, mul(d, b));
        hand(w, b, test, mul(d, a));
        break;
    case OP_DIV:
        hand(w, a, test, divide(d, b));
        hand(w, b, test, neg(divide(mul(d, y), b)));
        break;
    case OP_POW:
        power_partials(w, e, y, test, d);
        break;
    case OP_MAX: case OP_MIN: {
        const Node *first = node2(e->op == OP_MAX ? OP_GT : OP_LT, a, b);
        hand(w, a, node_and(test, first), d);
        hand(w, b, node_and(test, node1(OP_NOT, first)), d);
        break;
    }
    case OP_SELECT:
        hand(w, b, node_and(test, a), d);
        hand(w, e->arg[2], node_and(test, node1(OP_NOT, a)), d);
        break;
    default:
        hand(w, a, test, function_partial(e->op, a, y, d));
    }
}

static void contribute(Contributions *out, const Node *read, const Node *test, const Node *value)
{
    int i = 0;
    while (i < out->count && out->at[i].read != read)
        i++;
    if (i == out->count)
        PUSH(*out, ((Contribution){ .read = read }));
    PUSH(out->at[i].part, ((Guarded){ test, value }));
}

void partials(const Node *e, const Node *result, const Node *adjoint, const Node *test, const Needs *needs,
              Contributions *out)
{
    Walk w = { .needs = needs };
    hand(&w, e, test, adjoint);
    while (w.list.count) {
        Waiting next = take_newest(&w);
        if (next.e->op == OP_READ)
            contribute(out, next.e, next.test, next.adjoint);
        else
            hand_down(&w, next.e, next.e == e && result ? result : next.e, next.test, next.adjoint);
    }
}
