/* walk.c: substitution, rebuilding and visiting. Expressions are DAGs: every walk here looks at a distinct node once,
 * however often it is read (a memo for each walk). What a walk leaves unchanged stays the same pointer. */
#include "tensor/cons.h"

const Node *node_rebuild(const Node *e, NodeMap *f, void *data)
{
    const Node *arg[3] = {0};
    const Sum *sum[MAX_RANK];
    bool changed = false;
    for (int i = 0; i < 3 && e->arg[i]; i++) {
        arg[i] = f(e->arg[i], data);
        changed = changed || arg[i] != e->arg[i];
    }
    for (int i = 0; i < e->sums; i++) {
        sum[i] = sum_rebuild(e->sum[i], f, data);
        changed = changed || sum[i] != e->sum[i];
    }
    return changed ? node_like(e, arg, sum) : e;
}

/* ---- node_walk ---- */
typedef struct Walk { NodeMap *f; void *data; Memo *memo; } Walk;

static const Node *walk_node(const Node *e, void *data)
{
    Walk *w = data;
    const Node *known = memo_get(w->memo, e);
    if (known)
        return known;
    const Node *result = w->f(node_rebuild(e, walk_node, w), w->data);
    memo_set(w->memo, e, result);
    return result;
}

const Node *node_walk(const Node *e, NodeMap *f, void *data)
{
    Walk w = { f, data, memo_begin() };
    const Node *result = walk_node(e, &w);
    memo_end(w.memo);
    return result;
}

/* ---- substitution ---- */
static Memo *substitution_memo;                  /* of the substitution that is under way */
static const Substitution *substitution_now;

static const Node *substitute(const Node *e)
{
    const Substitution *s = substitution_now;
    bool used = false;
    for (int i = 0; i < s->count && !used; i++)
        used = node_uses(e, s->index[i]);
    if (!used)
        return e;
    const Node *known = memo_get(substitution_memo, e);
    if (known)
        return known;
    const Node *arg[3] = {0};
    const Sum *sum[MAX_RANK];
    for (int i = 0; i < 3 && e->arg[i]; i++)
        arg[i] = substitute(e->arg[i]);
    for (int i = 0; i < e->sums; i++)
        sum[i] = sum_substitute(e->sum[i], s);
    const Node *result = node_like(e, arg, sum);
    memo_set(substitution_memo, e, result);
    return result;
}

/* sum_substitute comes back here for the atoms of a sum, with the same substitution: it shares the memo. */
const Node *node_substitute(const Node *e, const Substitution *s)
{
    if (s == substitution_now)
        return substitute(e);
    const Substitution *outer = substitution_now;
    Memo *outer_memo = substitution_memo;
    substitution_now = s;
    substitution_memo = memo_begin();
    const Node *result = substitute(e);
    memo_end(substitution_memo);
    substitution_now = outer;
    substitution_memo = outer_memo;
    return result;
}

/* ---- visiting ---- */
static void visit(const Node *e, NodeVisit *f, void *data, Memo *seen)
{
    if (memo_get(seen, e))
        return;
    memo_set(seen, e, e);
    f(e, data);
    for (int i = 0; i < 3 && e->arg[i]; i++)
        visit(e->arg[i], f, data, seen);
    for (int i = 0; i < e->sums; i++)
        for (int k = 0; k < e->sum[i]->count; k++)
            if (e->sum[i]->term[k].atom)
                visit(e->sum[i]->term[k].atom, f, data, seen);
}

void node_visit(const Node *e, NodeVisit *f, void *data)
{
    Memo *seen = memo_begin();
    visit(e, f, data, seen);
    memo_end(seen);
}

void equation_visit(const Equation *e, NodeVisit *f, void *data)
{
    Memo *seen = memo_begin();
    visit(e->value, f, data, seen);
    if (e->test)
        visit(e->test, f, data, seen);
    for (int a = 0; a < e->out->rank; a++)
        for (int k = 0; k < e->left[a]->count; k++)
            if (e->left[a]->term[k].atom)
                visit(e->left[a]->term[k].atom, f, data, seen);
    memo_end(seen);
}
