/* nodes.c: expressions. Every constructor folds what it can, brings its arguments to one type, and looks the result up:
 * equal expressions are the same pointer, so an expression is a DAG.
 *
 * Types: float if any argument is float (bool and int become float, a literal int a literal float); `/` and the
 * functions are float; arithmetic of ints is done in sums where it is linear; comparisons are bool. A condition that is
 * no bool means "is not 0". */
#include "tensor/cons.h"
#include <math.h>
#include <string.h>

const struct OpInfo op_info[OP_OPERATIONS] = {
#define X(name, args, text) { #name, args, text },
    OPERATIONS(X)
#undef X
};

static ConsTable table;
static int node_count_made;

void nodes_reset(void)
{
    table = (ConsTable){0};
    node_count_made = 0;
}

/* ---- hash-consing ---- */
static uint64_t number_bits(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static bool node_same(const void *item, const void *key)
{
    const Node *a = item, *b = key;
    if (a->op != b->op || a->type != b->type || a->tensor != b->tensor || a->extent != b->extent ||
        a->sums != b->sums || number_bits(a->number) != number_bits(b->number))
        return false;
    for (int i = 0; i < 3; i++)
        if (a->arg[i] != b->arg[i])
            return false;
    for (int i = 0; i < a->sums; i++)
        if (a->sum[i] != b->sum[i])
            return false;
    return true;
}

static uint64_t node_hash(const Node *e)
{
    uint64_t hash = hash_add((uint64_t)e->op * 4 + (uint64_t)e->type, number_bits(e->number));
    for (int i = 0; i < 3 && e->arg[i]; i++)
        hash = hash_add(hash, (uint64_t)e->arg[i]->id);
    hash = hash_add(hash, e->tensor ? (uint64_t)e->tensor->id + 1 : 0);
    hash = hash_add(hash, (uint64_t)e->extent);
    for (int i = 0; i < e->sums; i++)
        hash = hash_add(hash, (uint64_t)e->sum[i]->id);
    return hash;
}

typedef struct IndexSet { LIST(const Index *) list; } IndexSet;

static void set_add(IndexSet *s, const Index *index)
{
    int k = s->list.count;
    while (k > 0 && s->list.at[k - 1]->id > index->id)
        k--;
    if (k > 0 && s->list.at[k - 1] == index)
        return;
    PUSH(s->list, index);
    for (int i = s->list.count - 1; i > k; i--)
        s->list.at[i] = s->list.at[i - 1];
    s->list.at[k] = index;
}

static void set_add_node(IndexSet *s, const Node *e)
{
    for (int i = 0; i < e->indices; i++)
        set_add(s, e->index[i]);
}

/* Fills in the indices of e. With one child and no sum they are the child's own list. */
static void collect_indices(Node *e)
{
    if (e->sums == 0 && !e->arg[1]) {
        e->indices = e->arg[0] ? e->arg[0]->indices : 0;
        e->index = e->arg[0] ? e->arg[0]->index : NULL;
        return;
    }
    IndexSet set = {0};
    for (int i = 0; i < 3 && e->arg[i]; i++)
        set_add_node(&set, e->arg[i]);
    for (int i = 0; i < e->sums; i++)
        for (int k = 0; k < e->sum[i]->count; k++) {
            const Term *t = &e->sum[i]->term[k];
            if (t->index)
                set_add(&set, t->index);
            else
                set_add_node(&set, t->atom);
        }
    e->indices = set.list.count;
    e->index = set.list.at;
}

static const Node *cons(Node draft)
{
    uint64_t hash = node_hash(&draft);
    const Node *known = cons_find(&table, hash, &draft, node_same);
    if (known)
        return known;
    Node *e = arena_copy(&draft, sizeof draft);
    e->id = node_count_made++;
    if (e->sums)
        e->sum = arena_copy(draft.sum, sizeof *draft.sum * (size_t)draft.sums);
    collect_indices(e);
    cons_insert(&table, hash, e);
    return e;
}

/* ---- leaves ---- */
const Node *node_float(double v) { return cons((Node){ .op = OP_NUM, .type = TYPE_FLOAT, .number = v }); }
const Node *node_int(int v) { return cons((Node){ .op = OP_NUM, .type = TYPE_INT, .number = v }); }
const Node *node_bool(bool v) { return cons((Node){ .op = OP_NUM, .type = TYPE_BOOL, .number = v }); }
const Node *node_count(double c) { return cons((Node){ .op = OP_COUNT, .type = TYPE_INT, .number = c }); }

static const Node *node_number(double v, Type type)
{
    return type == TYPE_FLOAT ? node_float(v) : type == TYPE_BOOL ? node_bool(v != 0) : node_sum(sum_constant((int)v));
}

const Node *node_sum(const Sum *a)
{
    if (a->count == 0)
        return node_int(a->constant);
    if (a->count == 1 && a->constant == 0 && a->term[0].factor == 1 && a->term[0].atom)
        return a->term[0].atom;
    return cons((Node){ .op = OP_INT, .type = TYPE_INT, .sums = 1, .sum = &a });
}

const Node *node_atom(Op op, const Sum *a, int k)
{
    return cons((Node){ .op = op, .type = TYPE_INT, .extent = k, .sums = 1, .sum = &a });
}

const Node *node_read(Tensor *t, const Sum *const *subs)
{
    return cons((Node){ .op = OP_READ, .type = t->type, .tensor = t, .sums = t->rank, .sum = subs });
}

const Node *node_read_at(Tensor *t, const Index *const *index)
{
    const Sum *subs[MAX_RANK];
    for (int i = 0; i < t->rank; i++)
        subs[i] = sum_index(index[i]);
    return node_read(t, subs);
}

const Node *node_rand(int site, const Sum *place)
{
    return cons((Node){ .op = OP_RAND, .type = TYPE_FLOAT, .extent = site, .sums = 1, .sum = &place });
}

const Node *node_in(const Sum *a, int extent)
{
    Range r = sum_range(a);
    if (r.low >= 0 && r.high < extent)
        return node_bool(true);
    if (r.high < 0 || r.low >= extent)
        return node_bool(false);
    return cons((Node){ .op = OP_IN, .type = TYPE_BOOL, .extent = extent, .sums = 1, .sum = &a });
}

/* ---- questions ---- */
bool node_is_number(const Node *e, double v) { return e->op == OP_NUM && e->type != TYPE_BOOL && e->number == v; }
bool node_is_true(const Node *e) { return e->op == OP_NUM && e->type == TYPE_BOOL && e->number != 0; }
bool node_is_false(const Node *e) { return e->op == OP_NUM && e->type == TYPE_BOOL && e->number == 0; }

bool node_uses(const Node *e, const Index *index)
{
    for (int i = 0; i < e->indices; i++)
        if (e->index[i] == index)
            return true;
    return false;
}

int node_conjuncts(const Node *test, const Node **out, int room)
{
    if (!test || node_is_true(test))
        return 0;
    if (test->op != OP_AND) {
        if (room > 0)
            out[0] = test;
        return 1;
    }
    int left = node_conjuncts(test->arg[0], out, room);
    int used = left < room ? left : room;
    return left + node_conjuncts(test->arg[1], out + used, room - used);
}

/* ---- conversions ---- */
const Node *node_to_float(const Node *e)
{
    if (e->type == TYPE_FLOAT)
        return e;
    if (e->op == OP_NUM)
        return node_float(e->number);
    return cons((Node){ .op = OP_TO_FLOAT, .type = TYPE_FLOAT, .arg = { e } });
}

static const Node *to_int(const Node *e)
{
    if (e->type == TYPE_INT)
        return e;
    if (e->op == OP_NUM)
        return node_number(number_apply(OP_TO_INT, e->number, 0), TYPE_INT);
    return cons((Node){ .op = OP_TO_INT, .type = TYPE_INT, .arg = { e } });
}

static const Node *to_bool(const Node *e) { return e->type == TYPE_BOOL ? e : node2(OP_NE, e, node_int(0)); }

static const Node *to_type(const Node *e, Type type)
{
    return type == TYPE_FLOAT ? node_to_float(e) : type == TYPE_INT ? to_int(e) : to_bool(e);
}

/* ---- one argument ---- */
const Node *node1(Op op, const Node *a)
{
    Type type = TYPE_FLOAT;
    switch (op) {
    case OP_TO_FLOAT: return node_to_float(a);
    case OP_TO_INT: return to_int(a);
    case OP_NOT:
        a = to_bool(a);
        type = TYPE_BOOL;
        break;
    case OP_STOP:
        if (a->op == OP_NUM || a->op == OP_STOP || a->type != TYPE_FLOAT)
            return a;
        break;
    case OP_NEG:
        if (a->type == TYPE_INT)
            return node_sum(sum_scale(sum_node(a), -1));
        a = node_to_float(a);
        break;
    case OP_ABS: case OP_SIGN:
        if (a->type == TYPE_INT)
            type = TYPE_INT;
        else
            a = node_to_float(a);
        break;
    case OP_FLOOR:
        if (a->type != TYPE_FLOAT || a->op == OP_TO_FLOAT)
            return node_to_float(a);
        break;
    default: a = node_to_float(a);
    }
    if (a->op == OP_NUM)
        return node_number(number_apply(op, a->number, 0), type);
    if ((op == OP_NOT || op == OP_NEG) && a->op == op)
        return a->arg[0];
    return cons((Node){ .op = op, .type = type, .arg = { a } });
}

/* ---- two arguments ---- */
static const Node *node_logic(Op op, const Node *a, const Node *b)
{
    a = to_bool(a);
    b = to_bool(b);
    if (a->op == OP_NUM)
        return (a->number != 0) == (op == OP_AND) ? b : a;
    if (b->op == OP_NUM)
        return (b->number != 0) == (op == OP_AND) ? a : b;
    return a == b ? a : cons((Node){ .op = op, .type = TYPE_BOOL, .arg = { a, b } });
}

/* What a range of a - b says of a op b: 1 true, 0 false, -1 nothing. */
static int decided(Op op, Range d)
{
    switch (op) {
    case OP_EQ: return d.low == 0 && d.high == 0 ? 1 : d.low > 0 || d.high < 0 ? 0 : -1;
    case OP_NE: return d.low > 0 || d.high < 0 ? 1 : d.low == 0 && d.high == 0 ? 0 : -1;
    case OP_LT: return d.high < 0 ? 1 : d.low >= 0 ? 0 : -1;
    case OP_LE: return d.high <= 0 ? 1 : d.low > 0 ? 0 : -1;
    case OP_GT: return d.low > 0 ? 1 : d.high <= 0 ? 0 : -1;
    case OP_GE: return d.low >= 0 ? 1 : d.high < 0 ? 0 : -1;
    default: return -1;
    }
}

static const Node *node_compare(Op op, const Node *a, const Node *b)
{
    if (a->type == TYPE_INT && b->type == TYPE_INT) {
        int known = decided(op, sum_range(sum_sub(sum_node(a), sum_node(b))));
        if (known >= 0)
            return node_bool(known);
    } else if (a->type != b->type) {
        a = node_to_float(a);
        b = node_to_float(b);
    }
    if (a->op == OP_NUM && b->op == OP_NUM)
        return node_bool(number_apply(op, a->number, b->number) != 0);
    return cons((Node){ .op = op, .type = TYPE_BOOL, .arg = { a, b } });
}

static const Node *int_arithmetic(Op op, const Node *a, const Node *b)
{
    const Sum *x = sum_node(a), *y = sum_node(b);
    switch (op) {
    case OP_ADD: return node_sum(sum_add(x, y));
    case OP_SUB: return node_sum(sum_sub(x, y));
    case OP_MUL:
        if (sum_is_constant(x))
            return node_sum(sum_scale(y, x->constant));
        if (sum_is_constant(y))
            return node_sum(sum_scale(x, y->constant));
        break;
    default: {                                   /* MAX, MIN */
        Range d = sum_range(sum_sub(x, y));
        if (d.low >= 0 || d.high <= 0)
            return (d.low >= 0) == (op == OP_MAX) ? a : b;
    }
    }
    return cons((Node){ .op = op, .type = TYPE_INT, .arg = { a, b } });
}

static const Node *float_arithmetic(Op op, const Node *a, const Node *b)
{
    a = node_to_float(a);
    b = node_to_float(b);
    if (a->op == OP_NUM && b->op == OP_NUM)
        return node_float(number_apply(op, a->number, b->number));
    if (op == OP_ADD && node_is_number(a, 0))
        return b;
    if ((op == OP_ADD || op == OP_SUB) && node_is_number(b, 0))
        return a;
    if (op == OP_MUL && node_is_number(a, 1))
        return b;
    if ((op == OP_MUL || op == OP_DIV || op == OP_POW) && node_is_number(b, 1))
        return a;
    return cons((Node){ .op = op, .type = TYPE_FLOAT, .arg = { a, b } });
}

/* a // b and a % b, rounded down: of ints by a literal in sums, else floats (so are ints by a divisor that varies). */
static const Node *whole_division(Op op, const Node *a, const Node *b)
{
    if (a->type == TYPE_INT && b->type == TYPE_INT && b->op == OP_NUM && b->number != 0) {
        int k = (int)b->number, sign = k < 0 ? -1 : 1;
        const Sum *x = sum_scale(sum_node(a), sign);
        return node_sum(op == OP_MOD ? sum_scale(sum_mod(x, k * sign), sign) : sum_floor(x, k * sign));
    }
    const Node *quotient = node1(OP_FLOOR, node2(OP_DIV, a, b));
    const Node *value = op == OP_MOD ? node2(OP_SUB, a, node2(OP_MUL, b, quotient)) : quotient;
    return a->type == TYPE_INT && b->type == TYPE_INT ? to_int(value) : value;
}

const Node *node2(Op op, const Node *a, const Node *b)
{
    switch (op) {
    case OP_AND: case OP_OR:
        return node_logic(op, a, b);
    case OP_EQ: case OP_NE: case OP_LT: case OP_GT: case OP_LE: case OP_GE:
        return node_compare(op, a, b);
    case OP_FLOOR_DIV: case OP_MOD:
        return whole_division(op, a, b);
    case OP_ADD: case OP_SUB: case OP_MUL: case OP_MAX: case OP_MIN:
        return a->type == TYPE_INT && b->type == TYPE_INT ? int_arithmetic(op, a, b) : float_arithmetic(op, a, b);
    case OP_DIV: case OP_POW:
        return float_arithmetic(op, a, b);
    default: bug("node2: %s", op_info[op].name);
    }
}

/* ---- choices ---- */
static const Node *select_of(const Node *c, const Node *a, const Node *b, Type type)
{
    c = to_bool(c);
    a = to_type(a, type);
    b = to_type(b, type);
    if (c->op == OP_NUM)
        return c->number != 0 ? a : b;
    if (a == b)
        return a;
    if (c->op == OP_NOT)
        return select_of(c->arg[0], b, a, type);
    return cons((Node){ .op = OP_SELECT, .type = type, .arg = { c, a, b } });
}

const Node *node_select(const Node *c, const Node *a, const Node *b)
{
    bool is_float = a->type == TYPE_FLOAT || b->type == TYPE_FLOAT;
    bool is_bool = a->type == TYPE_BOOL && b->type == TYPE_BOOL;
    if (c->op == OP_NUM)
        return to_type(c->number != 0 ? a : b, is_float ? TYPE_FLOAT : is_bool ? TYPE_BOOL : TYPE_INT);
    is_float = is_float || (a != b && a->op == OP_NUM && b->op == OP_NUM && !is_bool);     /* c ? 1 : 0 is a float */
    return select_of(c, a, b, is_float ? TYPE_FLOAT : is_bool ? TYPE_BOOL : TYPE_INT);
}

const Node *node_and(const Node *a, const Node *b) { return !a ? b : !b ? a : node2(OP_AND, a, b); }

const Node *node_guard(const Node *test, const Node *e)
{
    return test ? select_of(test, e, node_number(0, e->type), e->type) : e;
}

/* ---- the same operation with other children ---- */
const Node *node_like(const Node *e, const Node *const *arg, const Sum *const *sum)
{
    switch (e->op) {
    case OP_NUM: case OP_COUNT: return e;
    case OP_INT: return node_sum(sum[0]);
    case OP_READ: return node_read(e->tensor, sum);
    case OP_RAND: return node_rand(e->extent, sum[0]);
    case OP_IN: return node_in(sum[0], e->extent);
    case OP_FLOOR_DIV: return node_sum(sum_floor(sum[0], e->extent));
    case OP_MOD: return node_sum(sum_mod(sum[0], e->extent));
    case OP_EXACT: return node_sum(sum_exact(sum[0], e->extent));
    case OP_SELECT: return select_of(arg[0], arg[1], arg[2], e->type);
    default: return op_info[e->op].args == 1 ? node1(e->op, arg[0]) : node2(e->op, arg[0], arg[1]);
    }
}
