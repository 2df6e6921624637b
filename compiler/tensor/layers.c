/* layers.c: the graph of the layers: for each call of the model block, the inputs and the values of other calls that its
 * own value is made from. The equations between them are walked backwards from the value up to the nearest of these. */
#include "tensor/model.h"

typedef struct Walk {
    const Program *p;
    const Model *m;
    Layer *layer;
    bool *seen;                  /* by equation */
} Walk;

static bool is_layer(const Model *m, const Tensor *t)
{
    for (int i = 0; i < m->layers.count; i++)
        if (!m->layers.at[i].depth && m->layers.at[i].out == t) return true;
    return false;
}

static void from_add(Layer *l, Tensor *t)
{
    for (int i = 0; i < l->from.count; i++) if (l->from.at[i] == t) return;
    PUSH(l->from, t);
}

static void walk_back(Walk *w, Tensor *t);
static void visit(const Node *e, void *data)
{
    Walk *w = data;
    if (e->op != OP_READ) return;
    if (e->tensor->role == ROLE_INPUT || is_layer(w->m, e->tensor)) {
        if (e->tensor != w->layer->out) from_add(w->layer, e->tensor);
    } else if (e->tensor->role == ROLE_TEMP) walk_back(w, e->tensor);
}

static void walk_back(Walk *w, Tensor *t)
{
    for (int i = 0; i < w->p->equations.count; i++) {
        const Equation *e = w->p->equations.at[i];
        if (e->out != t || w->seen[i]) continue;
        w->seen[i] = true;
        node_visit(e->value, visit, w);
        if (e->test) node_visit(e->test, visit, w);
    }
}

void layers_connect(Model *m, const Program *p)
{
    for (int i = 0; p && i < m->layers.count; i++) {
        Layer *l = &m->layers.at[i];
        if (l->depth || !l->out) continue;
        Walk w = { .p = p, .m = m, .layer = l, .seen = NEW_ARRAY(bool, p->equations.count + 1) };
        walk_back(&w, l->out);
    }
}
