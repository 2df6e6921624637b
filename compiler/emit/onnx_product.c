/* onnx_product.c: sums of products as ONNX nodes (onnx.h): two factors whose indices fall into those of the result that
 * both have, those that one has, and reduced ones are a MatMul; anything else is an Einsum. Windows are onnx_window.c's. */
#include "emit/onnx.h"
#include <string.h>

typedef struct Factors { LIST(const Node *) at; bool negative; } Factors;

static void factors_add(Factors *f, const Node *e)
{
    if (e->op == OP_MUL) {
        factors_add(f, e->arg[0]);
        factors_add(f, e->arg[1]);
    } else if (e->op == OP_NEG) {
        f->negative = !f->negative;
        factors_add(f, e->arg[0]);
    } else {
        PUSH(f->at, e);
    }
}

static bool is_reduced(const Equation *e, const Index *i)
{
    for (int k = 0; k < e->reduced_count; k++) if (e->reduced[k] == i) return true;
    return false;
}

static bool has(const Wire *w, const Index *i)
{
    for (int k = 0; k < w->rank; k++) if (w->axis[k] == i) return true;
    return false;
}

/* ---- Einsum ------------------------------------------------------------------------------------------------------ */
static void letters(const Onnx *o, const Wire *w, Text *to)
{
    for (int i = 0; i < w->rank; i++) text_addf(to, "%c", 'a' + frame_place(o, w->axis[i]));
}

static Wire einsum(Onnx *o, const Equation *e, const Wire *factor, int count)
{
    Wire out = { .type = TYPE_FLOAT };
    Text equation = {0}, names = {0};
    for (int k = 0; k < o->frame_count; k++)
        for (int i = 0; i < count && !is_reduced(e, o->frame[k]); i++)
            if (has(&factor[i], o->frame[k])) {
                out.axis[out.rank++] = o->frame[k];
                break;
            }
    for (int i = 0; i < count; i++) {
        text_add(&equation, i ? "," : "");
        letters(o, &factor[i], &equation);
        text_addf(&names, " %s", factor[i].name);
    }
    text_add(&equation, "->");
    letters(o, &out, &equation);
    out.name = onnx_node(o, "Einsum%s equation=%s", text_string(&names), text_string(&equation));
    return out;
}

/* ---- MatMul ------------------------------------------------------------------------------------------------------ */
typedef struct Group { const Index *at[MAX_AXES]; int count; } Group;

static void group_add(Group *g, const Index *i) { g->at[g->count++] = i; }
static void group_join(Group *g, const Group *h) { for (int i = 0; i < h->count; i++) group_add(g, h->at[i]); }
static bool has_batch(const Group *g)
{
    for (int i = 0; i < g->count; i++) if (g->at[i]->batch) return true;
    return false;
}
static int64_t size_of(const Group *g)
{
    int64_t size = 1;
    for (int i = 0; i < g->count; i++) size *= g->at[i]->extent;
    return size;
}

typedef struct Product { Group both, left, right, inner; } Product;

/* The indices in the order in which the factors have them, which needs the fewest transpositions. */
static bool product_of(const Equation *e, const Wire *a, const Wire *b, Product *p)
{
    *p = (Product){0};
    for (int i = 0; i < a->rank; i++) {
        bool reduced = is_reduced(e, a->axis[i]), shared = has(b, a->axis[i]);
        if (reduced && !shared) return false;
        group_add(reduced ? &p->inner : shared ? &p->both : &p->left, a->axis[i]);
    }
    for (int i = 0; i < b->rank; i++) {
        bool reduced = is_reduced(e, b->axis[i]), shared = has(a, b->axis[i]);
        if (reduced && !shared) return false;
        if (!shared) group_add(&p->right, b->axis[i]);
    }
    return p->inner.count && !has_batch(&p->inner) && !has_batch(&p->right) && (!has_batch(&p->left) || !p->both.count);
}

/* w as a matrix for each place of `both`: rows and columns joined to one axis each, where that is needed. Rows stay apart
 * where nothing else leads. */
static const char *matrix(Onnx *o, Wire w, const Group *both, const Group *rows, const Group *columns, bool rows_apart)
{
    Group order = *both;
    int64_t shape[MAX_AXES];
    int count = 0;
    group_join(&order, rows);
    group_join(&order, columns);
    w = onnx_ordered(o, w, order.at, order.count);
    for (int i = 0; i < both->count; i++) shape[count++] = extent_text(both->at[i]);
    if (rows_apart) for (int i = 0; i < rows->count; i++) shape[count++] = extent_text(rows->at[i]);
    else if (rows->count || both->count) shape[count++] = size_of(rows);
    if (columns->count || both->count) shape[count++] = size_of(columns);
    bool as_it_is = count == w.rank && (rows_apart || rows->count <= 1) && columns->count <= 1;
    return as_it_is ? w.name : onnx_shaped(o, w.name, shape, count);
}

/* A vector loses its axis in ONNX's result. */
static Wire matmul(Onnx *o, const Product *p, Wire a, Wire b)
{
    Wire out = { .type = TYPE_FLOAT };
    int64_t shape[MAX_AXES];
    bool alone = !p->both.count;
    const char *left = matrix(o, a, &p->both, &p->left, &p->inner, alone);
    const char *right = matrix(o, b, &p->both, &p->inner, &p->right, false);
    out.name = onnx_node(o, "MatMul %s %s", left, right);
    const Group *groups[] = { &p->both, &p->left, &p->right };
    for (int g = 0; g < 3; g++)
        for (int i = 0; i < groups[g]->count; i++) {
            shape[out.rank] = extent_text(groups[g]->at[i]);
            out.axis[out.rank++] = groups[g]->at[i];
        }
    bool as_it_is = p->right.count == 1 ? alone || p->left.count == 1 : alone && !p->right.count;
    if (!as_it_is) out.name = onnx_shaped(o, out.name, shape, out.rank);
    return out;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */
static Wire factor_wire(Onnx *o, const Node *e) { return e->op == OP_READ ? onnx_read(o, e) : onnx_value(o, e); }

static bool uses_reduced(const Equation *e, const Node *x)
{
    for (int i = 0; i < e->reduced_count; i++) if (node_uses(x, e->reduced[i])) return true;
    return false;
}

static Wire contracted(Onnx *o, const Equation *e, const Node *const *inner, int count)
{
    Wire *factor = NEW_ARRAY(Wire, count), out;
    Product p;
    if (count == 2 && (onnx_convolution(o, e, inner[0], inner[1], &out) || onnx_convolution(o, e, inner[1], inner[0], &out)))
        return out;
    for (int i = 0; i < count; i++) factor[i] = factor_wire(o, inner[i]);
    if (count == 2 && product_of(e, &factor[0], &factor[1], &p)) return matmul(o, &p, factor[0], factor[1]);
    if (count == 2 && product_of(e, &factor[1], &factor[0], &p)) return matmul(o, &p, factor[1], factor[0]);
    return einsum(o, e, factor, count);
}

bool onnx_product(Onnx *o, const Equation *e, Wire *out)
{
    Factors f = {0}, inner = {0}, outer = {0};
    if (e->reduction != RED_SUM || e->value->type != TYPE_FLOAT) return false;
    factors_add(&f, e->value);
    for (int i = 0; i < f.at.count; i++) {
        if (uses_reduced(e, f.at.at[i])) PUSH(inner.at, f.at.at[i]);
        else PUSH(outer.at, f.at.at[i]);
    }
    if (inner.at.count < 2) return false;
    for (int i = 0; i < e->reduced_count; i++) if (!node_uses(e->value, e->reduced[i])) return false;
    *out = contracted(o, e, inner.at.at, inner.at.count);
    for (int i = 0; i < outer.at.count; i++)
        *out = onnx_each(o, "Mul", TYPE_FLOAT, 2, (Wire[]){ *out, onnx_value(o, outer.at.at[i]) });
    if (f.negative) *out = onnx_each(o, "Neg", TYPE_FLOAT, 1, out);
    return true;
}
