/* rules_facts.c: what the rules ask and do again and again: a survey of the tensors, facts of expressions that are
 * remembered by the expression's id, products taken apart, and an expression made an equation of its own. */
#include "tensor/rules.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

/* ---- tensors ---- */
static TensorFacts *facts_at(Simplifier *s, const Tensor *t)
{
    if (t->id >= s->facts) {
        int room = s->facts ? s->facts : 1024;
        while (room <= t->id) room *= 2;
        TensorFacts *more = NEW_ARRAY(TensorFacts, room);
        if (s->facts) memcpy(more, s->fact, sizeof *more * (size_t)s->facts);
        s->fact = more;
        s->facts = room;
    }
    TensorFacts *f = &s->fact[t->id];
    if (f->stamp != s->stamp) *f = (TensorFacts){ .stamp = s->stamp };
    return f;
}

TensorFacts *tensor_facts(Simplifier *s, const Tensor *t) { return facts_at(s, t); }

static void facts_write(Simplifier *s, Equation *e, int position)
{
    TensorFacts *f = facts_at(s, e->out);
    if (f->pieces++ == 0) {
        f->first = e;
        f->position = position;
    }
}

/* After it tensor_facts() holds for the lines as they stand. */
void survey(Simplifier *s)
{
    s->stamp++;
    for (int i = 0; i < s->lines.count; i++) {
        Equation *e = s->lines.at[i].e;
        facts_write(s, e, i);
        const Reads *reads = equation_reads(e);
        for (int k = 0; k < reads->count; k++) facts_at(s, reads->at[k].node->tensor)->reads += reads->at[k].times;
    }
    for (int i = 0; i < s->p->outputs.count; i++) facts_at(s, s->p->outputs.at[i].value)->kept = true;
    for (int i = 0; i < s->p->updates.count; i++) facts_at(s, s->p->updates.at[i].value)->kept = true;
}

bool tensor_made_in(Simplifier *s, const Tensor *t, const Loop *loop)
{
    const Equation *first = facts_at(s, t)->first;
    return loop && first && first->loop == loop;
}

/* An axis of extent 1 may be at 0, as rule_ones leaves it. */
bool equation_is_map(const Equation *e)
{
    int plain = 0;
    for (int a = 0; a < e->out->rank; a++) {
        if (sum_is_constant(e->left[a]) && e->out->extent[a] == 1) continue;
        if (!sum_plain(e->left[a])) return false;
        plain++;
        for (int b = 0; b < a; b++)
            if (e->left[b] == e->left[a]) return false;
    }
    return !e->reduction && !e->test && e->indices == plain;
}

bool reads_same_step(const Equation *e, const Equation *map, const Sum *const *subs)
{
    if (map->loop != e->loop) return false;
    for (int a = 0; e->loop && a < map->out->rank; a++)
        if (sum_plain(map->left[a]) == map->step && sum_plain(subs[a]) != e->step) return false;
    return true;
}

Equation *tensor_map(Simplifier *s, const Tensor *t)
{
    const TensorFacts *f = facts_at(s, t);
    return f->pieces == 1 && equation_is_map(f->first) ? f->first : NULL;
}

Substitution map_substitution(const Equation *map, const Sum *const *subs)
{
    Substitution sub = { 0 };
    for (int a = 0; a < map->out->rank; a++)
        if (sum_plain(map->left[a])) substitution_set(&sub, sum_plain(map->left[a]), subs[a]);
    return sub;
}

/* ---- expressions: facts that never change, by the node's id ---- */
typedef struct NodeFacts {
    const RootFacts *root;
    const Node *stripped, *normal;
    signed char costly;
    int times;
} NodeFacts;
static NodeFacts *node_fact;
static int node_facts_room;
static unsigned node_facts_generation;

static NodeFacts *node_facts(const Node *e)
{
    if (node_facts_generation != arena_generation()) {
        node_facts_generation = arena_generation();
        node_fact = NULL;
        node_facts_room = 0;
    }
    if (e->id >= node_facts_room) {
        int room = node_facts_room ? node_facts_room : 4096;
        while (room <= e->id) room *= 2;
        NodeFacts *more = NEW_ARRAY(NodeFacts, room);
        if (node_facts_room) memcpy(more, node_fact, sizeof *more * (size_t)node_facts_room);
        node_fact = more;
        node_facts_room = room;
    }
    return &node_fact[e->id];
}

const Node **node_memo_stripped(const Node *e) { return &node_facts(e)->stripped; }
const Node **node_memo_normal(const Node *e) { return &node_facts(e)->normal; }

/* Children have smaller ids than their parents: from the largest id down, each node passes on how often it is read. */
typedef struct Collected {
    LIST(const Node *) nodes;
} Collected;
static void collect(const Node *e, void *data) { PUSH(((Collected *)data)->nodes, e); }
static int by_falling_id(const void *a, const void *b)
{
    return (*(const Node *const *)b)->id - (*(const Node *const *)a)->id;
}

static void pass_on(const Node *child, int times)
{
    NodeFacts *f = node_facts(child);
    f->times = f->times + times > 2 ? 2 : f->times + times;
}

static void count_reads(Collected *all)
{
    qsort(all->nodes.at, (size_t)all->nodes.count, sizeof *all->nodes.at, by_falling_id);
    for (int i = 0; i < all->nodes.count; i++) node_facts(all->nodes.at[i])->times = i == 0;
    for (int i = 0; i < all->nodes.count; i++) {
        const Node *e = all->nodes.at[i];
        int times = node_facts(e)->times;
        for (int k = 0; k < 3 && e->arg[k]; k++) pass_on(e->arg[k], times);
        for (int k = 0; k < e->sums; k++)
            for (int t = 0; t < e->sum[k]->count; t++)
                if (e->sum[k]->term[t].atom) pass_on(e->sum[k]->term[t].atom, times);
    }
}

/* The index of i + c, c any number. */
static const Index *index_of_offset(const Sum *a) { return sum_plain(sum_offset(a, -a->constant)); }

const RootFacts *root_facts(const Node *value)
{
    const RootFacts *known = node_facts(value)->root;
    if (known) return known;
    Collected all = { 0 };
    node_visit(value, collect, &all);
    count_reads(&all);
    LIST(Divided) divided = { 0 };
    int reads = 0;
    RootFacts *root = NEW(RootFacts);
    for (int i = 0; i < all.nodes.count; i++) {
        const Node *e = all.nodes.at[i];
        reads += e->op == OP_READ;
        root->choices += e->op == OP_SELECT;
        if ((e->op == OP_FLOOR_DIV || e->op == OP_MOD) && index_of_offset(e->sum[0]))
            PUSH(divided, ((Divided){ index_of_offset(e->sum[0]), e->extent }));
    }
    Reads *list = arena_alloc(sizeof *list + sizeof list->at[0] * (size_t)reads);
    for (int i = all.nodes.count - 1; i >= 0; i--)
        if (all.nodes.at[i]->op == OP_READ) {
            list->at[list->count].node = all.nodes.at[i];
            list->at[list->count++].times = node_facts(all.nodes.at[i])->times;
        }
    root->reads = list;
    root->divisions = divided.count;
    root->divided = divided.at;
    node_facts(value)->root = root;
    return root;
}

static const Reads *reads_joined(const Reads *a, const Reads *b)
{
    if (a->count == 0 || b->count == 0) return a->count ? a : b;
    Reads *both = arena_alloc(sizeof *both + sizeof both->at[0] * (size_t)(a->count + b->count));
    both->count = a->count + b->count;
    memcpy(both->at, a->at, sizeof a->at[0] * (size_t)a->count);
    memcpy(both->at + a->count, b->at, sizeof b->at[0] * (size_t)b->count);
    return both;
}

const Reads *equation_reads(const Equation *e)
{
    const Reads *reads = root_facts(e->value)->reads;
    if (e->test) reads = reads_joined(reads, root_facts(e->test)->reads);
    for (int a = 0; a < e->out->rank; a++)
        for (int k = 0; k < e->left[a]->count; k++)
            if (e->left[a]->term[k].atom) reads = reads_joined(reads, root_facts(e->left[a]->term[k].atom)->reads);
    return reads;
}

bool node_is_constant(const Node *e)
{
    if (e->op == OP_NUM || e->op == OP_COUNT) return true;
    if (e->indices || e->sums || op_info[e->op].args == 0) return false;
    for (int i = 0; i < 3 && e->arg[i]; i++)
        if (!node_is_constant(e->arg[i])) return false;
    return true;
}

static bool costs(const Node *e)
{
    switch (e->op) {
    case OP_SQRT:
    case OP_EXP:
    case OP_LOG:
    case OP_LOG1P:
    case OP_EXPM1:
    case OP_TANH:
    case OP_ERF:
    case OP_SIN:
    case OP_COS:
    case OP_PROBIT:
    case OP_RAND: return true;
    case OP_POW: return !node_is_number(e->arg[1], 2);
    case OP_DIV: return e->arg[1]->op != OP_NUM;
    default: return false;
    }
}

bool node_is_costly(const Node *e)
{
    NodeFacts *f = node_facts(e);
    if (f->costly) return f->costly > 0;
    bool costly = !node_is_constant(e) && costs(e);
    for (int i = 0; i < 3 && e->arg[i] && !costly; i++) costly = node_is_costly(e->arg[i]);
    node_facts(e)->costly = costly ? 1 : -1;
    return costly;
}

static bool has_index(int indices, const Index *const *index, const Index *wanted)
{
    for (int i = 0; i < indices; i++)
        if (index[i] == wanted) return true;
    return false;
}

bool node_within(const Node *e, int indices, const Index *const *index)
{
    for (int i = 0; i < e->indices; i++)
        if (!has_index(indices, index, e->index[i])) return false;
    return true;
}

bool node_uses_any(const Node *e, int indices, const Index *const *index)
{
    for (int i = 0; i < indices; i++)
        if (node_uses(e, index[i])) return true;
    return false;
}

bool node_is_guard(const Node *e) { return e->op == OP_SELECT && e->arg[2]->op == OP_NUM && e->arg[2]->number == 0; }

const Node *conjunction(const Node *const *part, int count)
{
    const Node *all = NULL;
    for (int i = 0; i < count; i++) all = node_and(all, part[i]);
    return all && node_is_true(all) ? NULL : all;
}

/* ---- products ---- */
void product_add(Product *p, const Node *e, bool divides)
{
    if (e->type == TYPE_FLOAT && e->op == OP_NEG) {
        p->negative = !p->negative;
        product_add(p, e->arg[0], divides);
    } else if (e->type == TYPE_FLOAT && (e->op == OP_MUL || e->op == OP_DIV)) {
        product_add(p, e->arg[0], divides);
        product_add(p, e->arg[1], e->op == OP_DIV ? !divides : divides);
    } else if (e->type == TYPE_FLOAT && e->op == OP_NUM && e->number < 0) {
        p->negative = !p->negative;
        PUSH(p->factors, ((Factor){ node_float(-e->number), divides }));
    } else {
        PUSH(p->factors, ((Factor){ e, divides }));
    }
}

static const Node *times(const Node *a, const Node *b) { return a ? node2(OP_MUL, a, b) : b; }
static const Node *over(const Node *a, const Node *b) { return node2(OP_DIV, a ? a : node_float(1), b); }

const Node *product_node(const Product *p)
{
    double number = 1;
    bool others = false;
    for (int i = 0; i < p->factors.count; i++) {
        const Factor *f = &p->factors.at[i];
        if (f->node->op == OP_NUM)
            number = f->divides ? number / f->node->number : number * f->node->number;
        else
            others = others || !f->divides;
    }
    const Node *r = number == 1 && others ? NULL : node_float(number);
    for (int pass = 0; pass < 4; pass++) /* what is constant, then the rest; factors before divisors */
        for (int i = 0; i < p->factors.count; i++) {
            const Factor *f = &p->factors.at[i];
            if (f->node->op == OP_NUM || node_is_constant(f->node) != (pass < 2) || f->divides != (pass & 1)) continue;
            r = f->divides ? over(r, f->node) : times(r, node_to_float(f->node));
        }
    return p->negative ? node1(OP_NEG, r) : r;
}

/* ---- changing equations ---- */
static const Node *zero_of(Type type)
{
    return type == TYPE_FLOAT ? node_float(0) : type == TYPE_INT ? node_int(0) : node_bool(false);
}

void equation_settle(Equation *e)
{
    if (e->test && node_is_true(e->test)) e->test = NULL;
    if (e->test && node_is_false(e->test) && !equation_is_scatter(e)) {
        e->test = NULL;
        e->reduction = RED_NONE;
        e->reduced_count = 0;
        e->value = zero_of(e->out->type);
    }
    if (e->reduction == RED_NONE || e->reduced_count) return;
    if (e->reduction == RED_ARGMAX || e->reduction == RED_ARGMIN)
        e->value = node_int(0);
    else if (e->reduction == RED_ANY || e->reduction == RED_ALL)
        e->value = e->value->type == TYPE_BOOL ? e->value : node2(OP_NE, e->value, node_int(0));
    else if (e->out->type == TYPE_FLOAT)
        e->value = node_to_float(e->value);
    e->reduction = RED_NONE;
}

/* A scatter whose gathers turned out to be known places is a sum of what hits:
 *     y[3] += a[i]   ->   y[j] = sum[i] (3 == j ? a[i] : 0) */
static void scatter_ends(Equation *e)
{
    const Index *old[MAX_RANK], *made[MAX_RANK];
    const Node *test = e->test;
    int count = e->indices;
    memcpy(old, e->index, sizeof old);
    for (int a = 0; a < e->out->rank; a++) {
        const Index *plain = sum_plain(e->left[a]);
        bool own = plain && plain->extent == e->out->extent[a] && !has_index(a, made, plain);
        made[a] = own ? plain : index_new("j", e->out->extent[a], a == 0 && e->out->batch);
        if (!own) test = node_and(test, node2(OP_EQ, node_sum(e->left[a]), node_sum(sum_index(made[a]))));
        e->left[a] = sum_index(made[a]);
        e->index[a] = made[a];
    }
    e->indices = e->out->rank;
    e->value = node_guard(test, e->value);
    e->test = NULL;
    for (int i = 0; i < count; i++)
        if (!has_index(e->indices, e->index, old[i])) e->reduced[e->reduced_count++] = old[i];
    e->reduction = e->reduced_count ? RED_SUM : RED_NONE;
}

void equation_substitute(Equation *e, const Substitution *sub)
{
    bool scatter = equation_is_scatter(e);
    e->value = node_substitute(e->value, sub);
    if (e->test) e->test = node_substitute(e->test, sub);
    for (int a = 0; a < e->out->rank; a++) e->left[a] = sum_substitute(e->left[a], sub);
    if (scatter && !equation_is_scatter(e)) scatter_ends(e);
    equation_settle(e);
}

void equation_walk(Equation *e, NodeMap *f, void *data)
{
    bool scatter = equation_is_scatter(e);
    e->value = node_walk(e->value, f, data);
    if (e->test) e->test = node_walk(e->test, f, data);
    for (int a = 0; a < e->out->rank; a++)
        if (!sum_is_affine(e->left[a])) e->left[a] = sum_node(node_walk(node_sum(e->left[a]), f, data));
    if (scatter && !equation_is_scatter(e)) scatter_ends(e);
    equation_settle(e);
}

static const Node *renamed(const Node *e, void *data)
{
    Tensor *same = e->op == OP_READ ? tensor_facts(data, e->tensor)->same : NULL;
    return same ? node_read(same, e->sum) : e;
}

void rename_reads(Simplifier *s)
{
    for (int i = 0; i < s->lines.count; i++) {
        Equation *e = s->lines.at[i].e;
        const Reads *reads = equation_reads(e);
        for (int k = 0; k < reads->count; k++)
            if (tensor_facts(s, reads->at[k].node->tensor)->same) {
                equation_walk(e, renamed, s);
                break;
            }
    }
    for (int i = 0; i < s->p->updates.count; i++) {
        Update *u = &s->p->updates.at[i];
        Tensor *same = tensor_facts(s, u->value)->same;
        u->value = same ? same : u->value;
    }
}

/* ---- an equation of its own ---- */
static bool reads_loop(Simplifier *s, const Node *e, const Loop *loop)
{
    const Reads *reads = root_facts(e)->reads;
    for (int k = 0; k < reads->count; k++)
        if (tensor_made_in(s, reads->at[k].node->tensor, loop)) return true;
    return false;
}

/* The indices of e that x or test has, those reduced in the new equation excepted; the batch first. -1: two batches. */
static int own_indices(const Equation *e, const Node *x, const Node *test, bool reduces, const Index **out)
{
    int count = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < e->indices + (reduces ? 0 : e->reduced_count); i++) {
            const Index *index = i < e->indices ? e->index[i] : e->reduced[i - e->indices];
            if (index->batch != (pass == 0) || !(node_uses(x, index) || (test && node_uses(test, index)))) continue;
            if ((index->batch && count) || count == MAX_RANK) return -1;
            out[count++] = index;
        }
    return count;
}

Equation *equation_own(Simplifier *s, const Equation *e, const Node *x, const Node *test, Reduction reduction,
                       const char *suffix, const Node **read)
{
    const Index *index[MAX_RANK];
    int extent[MAX_RANK], count = own_indices(e, x, test, reduction != RED_NONE, index);
    if (count < 0) return NULL;
    bool in_loop = e->loop && has_index(count, index, e->step);
    if (e->loop && !in_loop && (reads_loop(s, x, e->loop) || (test && reads_loop(s, test, e->loop)))) return NULL;
    for (int i = 0; i < count; i++) extent[i] = index[i]->extent;
    const char *name = format("%s.%s", e->out->name, suffix);
    Tensor *t = tensor_new(name, count, extent, count && index[0]->batch, x->type, ROLE_TEMP);
    t->at = e->at;
    Equation *q = equation_map(t, index, x);
    q->test = test;
    q->reduction = reduction;
    if (reduction) {
        q->reduced_count = e->reduced_count;
        memcpy(q->reduced, e->reduced, sizeof q->reduced);
    }
    if (in_loop) {
        q->loop = e->loop;
        q->step = e->step;
    }
    q->at = e->at;
    q->layer = e->layer;
    facts_write(s, q, tensor_facts(s, e->out)->position);
    *read = node_read_at(t, index);
    return q;
}
