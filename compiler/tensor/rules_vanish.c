/* rules_vanish.c: the rules by which something goes: equations nobody reads, indices of extent 1, copies, stop(), tests
 * inside their own branch, maps that are read once. */
#include "tensor/rules.h"
#include <math.h>
#include <string.h>

/* ---- dead equations ----
 * requires: nothing.  keeps: what outputs and updates are made of, in its order.  breaks: nothing. */
typedef struct Needs {
    LIST(const Tensor *) todo;
} Needs;

static void need(Simplifier *s, Needs *n, bool *needed, const Tensor *t)
{
    if (tensor_facts(s, t)->pieces && !needed[t->id]) {
        needed[t->id] = true;
        PUSH(n->todo, t);
    }
}

void rule_dead(Simplifier *s)
{
    survey(s);
    /* the lines of each tensor, as a chain from the last one back */
    int *last = NEW_ARRAY(int, s->facts ? s->facts : 1), *before = NEW_ARRAY(int, s->lines.count + 1);
    bool *needed = NEW_ARRAY(bool, s->facts ? s->facts : 1);
    for (int i = 0; i < s->lines.count; i++) {
        const Tensor *t = s->lines.at[i].e->out;
        before[i] = last[t->id];
        last[t->id] = i + 1;
    }
    Needs n = { 0 };
    for (int i = 0; i < s->p->outputs.count; i++) need(s, &n, needed, s->p->outputs.at[i].value);
    for (int i = 0; i < s->p->updates.count; i++) need(s, &n, needed, s->p->updates.at[i].value);
    while (n.todo.count) {
        const Tensor *t = n.todo.at[--n.todo.count];
        for (int line = last[t->id]; line; line = before[line - 1]) {
            const Reads *reads = equation_reads(s->lines.at[line - 1].e);
            for (int k = 0; k < reads->count; k++) need(s, &n, needed, reads->at[k].node->tensor);
        }
    }
    int count = 0;
    for (int i = 0; i < s->lines.count; i++)
        if (needed[s->lines.at[i].e->out->id]) s->lines.at[count++] = s->lines.at[i];
    s->lines.count = count;
}

/* ---- R7: an index of extent 1 is 0; a reduced index that the value does not use goes ----
 *     sum[k in 5] e = 5 e     max[k] e = e
 * The batch index stays, its axis being subscripted by it alone; so does the step of a loop.
 * requires: nothing.  keeps: values, order.  breaks: nothing. */
static bool vanishes(const Index *index) { return index->extent == 1 && !index->batch; }

static void ones_of(Equation *e)
{
    Substitution sub = { 0 };
    int count = 0;
    for (int i = 0; i < e->indices; i++)
        if (vanishes(e->index[i]) && e->index[i] != e->step)
            substitution_set(&sub, e->index[i], sum_constant(0));
        else
            e->index[count++] = e->index[i];
    e->indices = count;
    count = 0;
    for (int i = 0; i < e->reduced_count; i++)
        if (vanishes(e->reduced[i]))
            substitution_set(&sub, e->reduced[i], sum_constant(0));
        else
            e->reduced[count++] = e->reduced[i];
    e->reduced_count = count;
    if (sub.count) equation_substitute(e, &sub);
}

static void idle_reduced(Equation *e)
{
    if (e->reduction == RED_NONE || e->reduction == RED_ARGMAX || e->reduction == RED_ARGMIN) return;
    int count = 0;
    for (int i = 0; i < e->reduced_count; i++) {
        const Index *k = e->reduced[i];
        if (node_uses(e->value, k))
            e->reduced[count++] = k;
        else if (e->reduction == RED_SUM)
            e->value = node2(OP_MUL, k->batch ? node_to_float(node_count(1)) : node_float(k->extent), e->value);
    }
    e->reduced_count = count;
    equation_settle(e);
}

void rule_ones(Simplifier *s)
{
    for (int i = 0; i < s->lines.count; i++) {
        ones_of(s->lines.at[i].e);
        idle_reduced(s->lines.at[i].e);
    }
}

/* ---- copies: y[i, j] = x[f(i, j)], or a constant, is not made: x is read instead ----
 * requires: nothing.  keeps: values, order.  breaks: nothing; leaves the copies for rule_dead.
 * Only an affine x[..] counts: a gather would be done again for each read. */
static bool is_copy(Simplifier *s, const Equation *e)
{
    const TensorFacts *f = tensor_facts(s, e->out);
    const Node *value = e->value->op == OP_STOP ? e->value->arg[0] : e->value;
    if (!equation_is_map(e) || f->pieces > 1 || f->kept || value->type != e->out->type) return false;
    if (value->op != OP_READ) return node_is_constant(value);
    for (int a = 0; a < value->sums; a++)
        if (!sum_is_affine(value->sum[a])) return false;
    return value->tensor != e->out;
}

static const Node *copied(const Node *e, void *data)
{
    Simplifier *s = data;
    for (int chain = 0; e->op == OP_READ && chain < s->lines.count; chain++) {
        const Equation *copy = tensor_facts(s, e->tensor)->copied;
        if (!copy) break;
        Substitution sub = map_substitution(copy, e->sum);
        const Node *value = copy->value->op == OP_STOP ? copy->value->arg[0] : copy->value;
        e = node_substitute(value, &sub);
    }
    return e;
}

static bool is_whole_copy(const Equation *e)
{
    if (!equation_is_map(e) || e->value->op != OP_READ || e->value->sums != e->out->rank) return false;
    const Tensor *x = e->value->tensor;
    for (int a = 0; a < x->rank; a++)
        if (e->value->sum[a] != e->left[a] || x->extent[a] != e->out->extent[a]) return false;
    return x->role == ROLE_TEMP && x->type == e->out->type && x->batch == e->out->batch && x != e->out;
}

/* An output that is a copy of x: the equations of x write it themselves. */
static void copies_of_kept(Simplifier *s)
{
    bool any = false;
    survey(s);
    for (int i = 0; i < s->lines.count; i++) {
        const Equation *e = s->lines.at[i].e;
        TensorFacts *y = tensor_facts(s, e->out);
        if (!y->kept || y->pieces > 1 || !is_whole_copy(e)) continue;
        TensorFacts *x = tensor_facts(s, e->value->tensor);
        if (x->kept || x->same || x->pieces == 0) continue;
        x->same = e->out;
        s->lines.at[i].e = NULL;
        any = true;
    }
    if (!any) return;
    int count = 0;
    for (int i = 0; i < s->lines.count; i++) {
        Equation *e = s->lines.at[i].e;
        if (!e) continue;
        Tensor *same = tensor_facts(s, e->out)->same;
        e->out = same ? same : e->out;
        s->lines.at[count++] = s->lines.at[i];
    }
    s->lines.count = count;
    rename_reads(s);
}

void rule_copies(Simplifier *s)
{
    copies_of_kept(s);
    survey(s);
    bool any = false;
    for (int i = 0; i < s->lines.count; i++) {
        const Equation *e = s->lines.at[i].e;
        if (is_copy(s, e)) {
            tensor_facts(s, e->out)->copied = e;
            any = true;
        }
    }
    for (int i = 0; any && i < s->lines.count; i++) {
        const Reads *reads = equation_reads(s->lines.at[i].e);
        for (int k = 0; k < reads->count; k++)
            if (tensor_facts(s, reads->at[k].node->tensor)->copied) {
                equation_walk(s->lines.at[i].e, copied, s);
                break;
            }
    }
}

/* ---- strip: stop() has done its work; numbers of a product are one number, in front; -(..) comes out of products ----
 *     x / c = x (1/c)     a + -b = a - b     a constant tensor of one element is a number
 *     c ? (d ? x : 0) : 0 = c and d ? x : 0
 * requires: gradients are made.  keeps: values up to rounding.  breaks: differentiation. */
static const Node *number_of_constant(const Tensor *t)
{
    return t->type == TYPE_FLOAT ? node_float(t->data[0])
           : t->type == TYPE_INT ? node_int((int)t->data[0])
                                 : node_bool(t->data[0] != 0);
}

static const Node *strip_product(const Node *e)
{
    Product p = { 0 };
    product_add(&p, e, false);
    int numbers = 0;
    for (int i = 0; i < p.factors.count; i++) numbers += p.factors.at[i].node->op == OP_NUM;
    return numbers > 1 || p.negative ? product_node(&p) : e;
}

static const Node *strip_one(const Node *e)
{
    if (e->op == OP_STOP) return e->arg[0];
    if (e->op == OP_READ && e->tensor->role == ROLE_CONST && tensor_size(e->tensor) == 1)
        return number_of_constant(e->tensor);
    if (node_is_guard(e) && node_is_guard(e->arg[1]))
        return node_guard(node_and(e->arg[0], e->arg[1]->arg[0]), e->arg[1]->arg[1]);
    if (e->type != TYPE_FLOAT) return e;
    if (e->op == OP_DIV && e->arg[1]->op == OP_NUM && e->arg[1]->number != 0 && isfinite(1 / e->arg[1]->number))
        e = node2(OP_MUL, e->arg[0], node_float(1 / e->arg[1]->number));
    if (e->op == OP_MUL || e->op == OP_DIV) return strip_product(e);
    if ((e->op == OP_ADD || e->op == OP_SUB) && e->arg[1]->op == OP_NEG)
        return node2(e->op == OP_ADD ? OP_SUB : OP_ADD, e->arg[0], e->arg[1]->arg[0]);
    return e;
}

static const Node *stripped(const Node *e, void *data)
{
    const Node *known = *node_memo_stripped(e);
    if (known) return known;
    const Node *result = strip_one(node_rebuild(e, stripped, data));
    *node_memo_stripped(e) = result;
    return result;
}

static const Node *strip_here(const Node *e, void *data)
{
    (void)data;
    return strip_one(e);
}

/* ---- a test inside the branch of the same test is known ---- */
typedef struct Known {
    int yes, no;
    const Node *is[MAX_CONJUNCTS * 2], *is_not[MAX_CONJUNCTS];
} Known;

static bool listed(const Node *const *list, int count, const Node *e)
{
    for (int i = 0; i < count; i++)
        if (list[i] == e) return true;
    return false;
}

static void know(Known *k, const Node *test)
{
    const Node *part[MAX_CONJUNCTS];
    int count = node_conjuncts(test, part, MAX_CONJUNCTS);
    if (count > MAX_CONJUNCTS || k->yes + count + 1 > MAX_CONJUNCTS * 2) return;
    for (int i = 0; i < count; i++) k->is[k->yes++] = part[i];
    if (count != 1) k->is[k->yes++] = test;
}

/* test without the parts that are known to hold */
static const Node *test_left(const Known *k, const Node *test)
{
    const Node *part[MAX_CONJUNCTS];
    int count = node_conjuncts(test, part, MAX_CONJUNCTS), left = 0;
    if (count > MAX_CONJUNCTS) return test;
    for (int i = 0; i < count; i++) {
        if (listed(k->is_not, k->no, part[i])) return node_bool(false);
        if (!listed(k->is, k->yes, part[i])) part[left++] = part[i];
    }
    const Node *all = left < count ? conjunction(part, left) : test;
    return all ? all : node_bool(true);
}

static const Node *with_known(const Node *e, void *data)
{
    const Known *k = data;
    if (e->op != OP_SELECT) return e->op == OP_READ || e->op == OP_NUM ? e : node_rebuild(e, with_known, data);
    const Node *test = test_left(k, e->arg[0]);
    if (node_is_true(test) || node_is_false(test)) return with_known(e->arg[node_is_true(test) ? 1 : 2], data);
    Known yes = *k, no = *k;
    know(&yes, test);
    if (no.no < MAX_CONJUNCTS) no.is_not[no.no++] = test;
    return node_select(test, with_known(e->arg[1], &yes), with_known(e->arg[2], &no));
}

void rule_strip(Simplifier *s)
{
    for (int i = 0; i < s->lines.count; i++) {
        Equation *e = s->lines.at[i].e;
        if (equation_is_scatter(e)) equation_walk(e, strip_here, NULL);
        e->value = stripped(e->value, NULL);
        e->test = e->test ? stripped(e->test, NULL) : NULL;
        if (root_facts(e->value)->choices > (e->test ? 0 : 1)) {
            Known k = { 0 };
            know(&k, e->test);
            e->value = with_known(e->value, &k);
        }
        equation_settle(e);
    }
}

/* ---- a map that is read once, by a map over the same indices, joins it ----
 * requires: rule_dead before it (a reader that is dead counts).  keeps: values.  breaks: nothing. */
typedef struct Joining {
    Simplifier *s;
    const Equation *e;
} Joining;

static bool same_indices(const Equation *e, const Equation *map, const Sum *const *subs)
{
    if (map->indices != e->indices) return false;
    for (int a = 0; a < map->out->rank; a++) {
        const Index *index = sum_plain(subs[a]);
        if (!sum_plain(map->left[a])) continue;
        bool found = false;
        for (int i = 0; i < e->indices; i++) found = found || e->index[i] == index;
        for (int b = 0; b < a; b++) found = found && subs[b] != subs[a];
        if (!found) return false;
    }
    return true;
}

static const Node *joined(const Node *x, void *data)
{
    const Joining *j = data;
    if (x->op != OP_READ) return x;
    const TensorFacts *f = tensor_facts(j->s, x->tensor);
    const Equation *map = f->reads == 1 && !f->kept ? tensor_map(j->s, x->tensor) : NULL;
    if (!map || map == j->e || !reads_same_step(j->e, map, x->sum) || map->value->type != x->type ||
        !same_indices(j->e, map, x->sum))
        return x;
    Substitution sub = map_substitution(map, x->sum);
    return node_substitute(map->value, &sub);
}

void rule_inline_once(Simplifier *s)
{
    survey(s);
    for (int i = 0; i < s->lines.count; i++) {
        Equation *e = s->lines.at[i].e;
        if (e->reduction || e->test || equation_is_scatter(e)) continue;
        const Reads *reads = root_facts(e->value)->reads;
        bool any = false;
        for (int k = 0; k < reads->count && !any; k++) any = tensor_facts(s, reads->at[k].node->tensor)->reads == 1;
        Joining j = { s, e };
        if (any) e->value = node_walk(e->value, joined, &j);
    }
}

/* ---- y = c ? x : 0, the only read of the map x = d ? e : 0: the two tests are one, y = c and d ? e : 0 ----
 * requires: rule_dead before it.  keeps: values.  breaks: nothing. */
void rule_inline_guards(Simplifier *s)
{
    survey(s);
    for (int i = 0; i < s->lines.count; i++) {
        Equation *e = s->lines.at[i].e;
        if (e->reduction || e->test || !node_is_guard(e->value) || e->value->arg[1]->op != OP_READ) continue;
        const Node *x = e->value->arg[1];
        const TensorFacts *f = tensor_facts(s, x->tensor);
        const Equation *map = f->reads == 1 && !f->kept ? tensor_map(s, x->tensor) : NULL;
        if (!map || map == e || !reads_same_step(e, map, x->sum) || !node_is_guard(map->value) ||
            map->value->type != e->value->type || (node_is_costly(map->value) && map->indices < e->indices))
            continue;
        Substitution sub = map_substitution(map, x->sum);
        e->value = node_guard(e->value->arg[0], node_substitute(map->value, &sub));
    }
}
