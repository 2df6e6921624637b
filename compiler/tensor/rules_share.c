/* rules_share.c: equal equations are one (common subexpressions). Two equations are equal when they are the same with
 * their indices numbered: those of the left side by place, the reduced ones in order; products and commutative
 * operations being brought into one order first. Hash-consing then makes the comparison one of pointers. */
#include "tensor/rules.h"
#include <stdlib.h>

/* ---- numbered indices: one object for each place, extent and kind ---- */
enum { PLACES = 2 * MAX_RANK };
typedef struct Numbered {
    LIST(const Index *) at;
} Numbered;
static Numbered numbered[PLACES];
static unsigned numbered_generation;

static const Index *index_numbered(int place, const Index *like)
{
    if (numbered_generation != arena_generation()) {
        numbered_generation = arena_generation();
        for (int i = 0; i < PLACES; i++) numbered[i] = (Numbered){ 0 };
    }
    Numbered *n = &numbered[place];
    for (int i = 0; i < n->at.count; i++)
        if (n->at.at[i]->extent == like->extent && n->at.at[i]->batch == like->batch) return n->at.at[i];
    PUSH(n->at, index_new("_", like->extent, like->batch));
    return n->at.at[n->at.count - 1];
}

/* ---- one order for products and commutative operations ---- */
static int by_kind_and_id(const void *a, const void *b)
{
    const Factor *x = a, *y = b;
    return x->divides != y->divides ? x->divides - y->divides : x->node->id - y->node->id;
}

static const Node *normal_one(const Node *e)
{
    if (e->type == TYPE_FLOAT && (e->op == OP_MUL || e->op == OP_DIV || e->op == OP_NEG)) {
        Product p = { 0 };
        product_add(&p, e, false);
        qsort(p.factors.at, (size_t)p.factors.count, sizeof *p.factors.at, by_kind_and_id);
        return product_node(&p);
    }
    bool commutes = e->op == OP_ADD || e->op == OP_MAX || e->op == OP_MIN || e->op == OP_AND || e->op == OP_OR;
    return commutes && e->arg[0]->id > e->arg[1]->id ? node2(e->op, e->arg[1], e->arg[0]) : e;
}

static const Node *normal(const Node *e, void *data)
{
    const Node *known = *node_memo_normal(e);
    if (known) return known;
    const Node *result = normal_one(node_rebuild(e, normal, data));
    *node_memo_normal(e) = result;
    return result;
}

/* ---- what is compared ---- */
typedef struct Shape {
    Equation *e;
    const Node *value, *test;
    const Sum *left[MAX_RANK];
    int step; /* the place of the loop's index; -1 */
} Shape;

/* Numbers the indices in the order in which the left side has them, then any others, then the reduced ones. */
static Shape shape_of(Equation *e)
{
    Shape shape = { .e = e, .step = -1 };
    Substitution sub = { 0 };
    for (int a = 0; a < e->out->rank; a++)
        for (int k = 0; k < e->left[a]->count; k++)
            if (e->left[a]->term[k].index) substitution_set(&sub, e->left[a]->term[k].index, e->left[a]);
    for (int i = 0; i < e->indices; i++) substitution_set(&sub, e->index[i], e->left[0]);
    for (int i = 0; i < e->reduced_count; i++) substitution_set(&sub, e->reduced[i], e->left[0]);
    for (int i = 0; i < sub.count; i++) {
        shape.step = sub.index[i] == e->step ? i : shape.step;
        sub.value[i] = sum_index(index_numbered(i, sub.index[i]));
    }
    shape.value = normal(node_substitute(e->value, &sub), NULL);
    shape.test = e->test ? normal(node_substitute(e->test, &sub), NULL) : NULL;
    for (int a = 0; a < e->out->rank; a++) shape.left[a] = sum_substitute(e->left[a], &sub);
    return shape;
}

static uint64_t shape_hash(const Shape *s)
{
    uint64_t hash = hash_pointer(s->e->out->rank + 16u * s->e->reduction, s->value);
    hash = hash_pointer(hash_pointer(hash, s->test), s->e->loop);
    for (int a = 0; a < s->e->out->rank; a++) hash = hash_pointer(hash, s->left[a]);
    return hash;
}

static bool shape_same(const void *item, const void *key)
{
    const Shape *a = item, *b = key;
    const Equation *e = a->e, *f = b->e;
    if (a->value != b->value || a->test != b->test || a->step != b->step || e->reduction != f->reduction ||
        e->loop != f->loop || e->reduced_count != f->reduced_count || e->indices != f->indices ||
        e->out->rank != f->out->rank || e->out->type != f->out->type || e->out->batch != f->out->batch)
        return false;
    for (int i = 0; i < e->reduced_count; i++)
        if (e->reduced[i]->extent != f->reduced[i]->extent || e->reduced[i]->batch != f->reduced[i]->batch)
            return false;
    for (int i = 0; i < e->out->rank; i++)
        if (a->left[i] != b->left[i] || e->out->extent[i] != f->out->extent[i]) return false;
    return true;
}

static bool is_output(const Simplifier *s, const Tensor *t)
{
    for (int i = 0; i < s->p->outputs.count; i++)
        if (s->p->outputs.at[i].value == t) return true;
    return false;
}

/* requires: nothing.  keeps: values, order.  breaks: nothing. A later equation that is equal to an earlier one goes and
 * its reads become reads of the earlier one's tensor; an output becomes a copy, so that it keeps its tensor. */
void rule_cse(Simplifier *s)
{
    survey(s);
    ConsTable seen = { 0 };
    int count = 0;
    for (int i = 0; i < s->lines.count; i++) {
        Line line = s->lines.at[i];
        Equation *e = line.e;
        TensorFacts *f = tensor_facts(s, e->out);
        if (f->pieces == 1 && !equation_is_scatter(e) && e->indices + e->reduced_count <= PLACES) {
            Shape shape = shape_of(e);
            uint64_t hash = shape_hash(&shape);
            const Shape *same = cons_find(&seen, hash, &shape, shape_same);
            if (!same) {
                cons_insert(&seen, hash, arena_copy(&shape, sizeof shape));
            } else if (!f->kept || !is_output(s, e->out)) {
                f->same = same->e->out;
                continue;
            } else if (!e->loop) {
                e->value = node_read(same->e->out, e->left);
                e->reduction = RED_NONE;
                e->reduced_count = 0;
                e->test = NULL;
            }
        }
        s->lines.at[count++] = line;
    }
    if (count < s->lines.count) {
        s->lines.count = count;
        rename_reads(s);
    }
}
