/* rewrite.c: rewrite f(g(z), t, ...) => h(z, t, ...), applied as calls are inlined: where f is called on a value
 * that is the value of a call of g, h is called instead. Each value knows the calls that made it (Origin), so no
 * graph is searched. */
#include "tensor/elaborate.h"
#include <string.h>

typedef struct Match {
    NamedValues bound;
    NamedValues rest;
} Match;

static const Definition *definition_of(Scope *s, const char *name, bool of_library)
{
    return symbols_find(s->e->symbols, name, of_library);
}

/* The call of d among those that made v, innermost name last. */
static const Origin *origin_of(Value v, const Definition *d)
{
    if (v.kind != VALUE_TENSOR) return NULL;
    for (const Origin *o = v.whole->origin; o; o = o->inner)
        if (o->definition == d) return o;
    return NULL;
}

/* ---- through views ----------------------------------------------------------------------------------------------- */
/* The equation of t, if it only hands on the elements of another tensor in another shape. */
static const Equation *view_of(const Elaboration *e, const Tensor *t)
{
    for (int i = e->program->equations.count - 1; i >= 0; i--) {
        const Equation *q = e->program->equations.at[i];
        if (q->out != t) continue;
        bool view = q->reduction == RED_NONE && !q->loop && q->value->op == OP_READ &&
                    tensor_size(q->value->tensor) == tensor_size(t);
        for (int k = 0; view && k < q->value->sums; k++) view = sum_is_affine(q->value->sum[k]);
        return view ? q : NULL;
    }
    return NULL;
}

/* z in the shape that q gives its tensor. */
static Value viewed(Scope *s, const Equation *q, Tensor *z)
{
    Tensor *t = tensor_new(q->out->name, q->out->rank, q->out->extent, q->out->batch, z->type, ROLE_TEMP);
    equation_add(s->e, equation_new(t, q->left, q->indices, q->index, node_read(z, q->value->sum)));
    return value_tensor(t);
}

static bool same_shape(const Tensor *a, const Tensor *b)
{
    bool same = a && a->rank == b->rank;
    for (int k = 0; same && k < a->rank; k++) same = a->extent[k] == b->extent[k];
    return same;
}

/* t is a view (of a view ..) of the value of a call of g, which acts on each element: that call, had it been made on
 * views of its arguments. */
static const Origin *origin_viewed(Scope *s, const Tensor *t, const Definition *g)
{
    const Equation *q = view_of(s->e, t);
    if (!q || !g->params.count || g->params.at[0].has_axes) return NULL;
    const Tensor *under = q->value->tensor;
    const Whole *w = map_get(&s->e->origins, under);
    const Origin *o = w ? origin_of(value_whole(w), g) : NULL;
    if (!o) o = origin_viewed(s, under, g);
    if (!o) return NULL;
    Origin *out = NEW(Origin);
    *out = (Origin){ .definition = g, .count = o->count };
    out->args = arena_copy(o->args, sizeof *o->args * (size_t)o->count);
    for (int i = 0; i < o->count; i++) {
        Tensor *z = value_leaf(o->args[i].value);
        if (same_shape(z, under)) out->args[i].value = viewed(s, q, z);
    }
    return out;
}

/* ---- matching ---------------------------------------------------------------------------------------------------- */
static bool match_arguments(Scope *s, const Definition *d, const NamedValues *args, const Arguments *pattern,
                            bool of_library, Match *m);

static bool match_one(Scope *s, Value v, const Expr *pattern, bool of_library, Match *m)
{
    if (pattern->kind == EXPR_NAME) {
        named_set(&m->bound, (NamedValue){ .name = pattern->name, .value = v });
        return true;
    }
    if (pattern->kind != EXPR_CALL) return false;
    const Definition *g = definition_of(s, pattern->name, of_library);
    const Origin *o = g ? origin_of(v, g) : NULL;
    Tensor *t = o ? NULL : value_leaf(v);
    if (g && t) o = origin_viewed(s, t, g);
    if (!o) return false;
    NamedValues args = { .at = o->args, .count = o->count, .room = o->count };
    return match_arguments(s, g, &args, &pattern->args, of_library, m);
}

/* Each argument of the call is matched by position, or taken by `...`. */
static bool match_arguments(Scope *s, const Definition *d, const NamedValues *args, const Arguments *pattern,
                            bool of_library, Match *m)
{
    int used = 0;
    bool open = false;
    for (int i = 0; i < pattern->count; i++) {
        if (!pattern->at[i].value) {
            open = true;
            continue;
        }
        if (i >= d->params.count) return false;
        const NamedValue *a = named_find(args, d->params.at[i].name);
        if (!a || !match_one(s, a->value, pattern->at[i].value, of_library, m)) return false;
        used++;
    }
    for (int k = 0; k < args->count; k++) {
        int place = param_find(d, args->at[k].name);
        bool matched = place >= 0 && place < pattern->count && pattern->at[place].value;
        if (!matched && !open) return false;
        if (!matched) PUSH(m->rest, args->at[k]);
    }
    return used > 0;
}

/* The arguments of h; false if one has no place there. */
static bool build(const Definition *h, const Arguments *right, const Match *m, NamedValues *out)
{
    for (int i = 0; i < right->count; i++) {
        const Expr *e = right->at[i].value;
        if (!e) continue;
        const NamedValue *v = e->kind == EXPR_NAME ? named_find(&m->bound, e->name) : NULL;
        if (!v || i >= h->params.count) return false;
        named_set(out, (NamedValue){ .name = h->params.at[i].name, .value = v->value });
    }
    for (int i = 0; i < m->rest.count; i++) {
        if (param_find(h, m->rest.at[i].name) < 0) return false;
        named_set(out, m->rest.at[i]);
    }
    return true;
}

bool rewrite_apply(Scope *s, const Definition *d, const NamedValues *args, Place at, Value *out)
{
    const Symbols *all = s->e->symbols;
    for (int i = 0; i < all->rewrites.count; i++) {
        const Item *r = all->rewrites.at[i];
        bool of_library = i < all->library_rewrites;
        if (r->left->kind != EXPR_CALL || r->right->kind != EXPR_CALL || r->left->name != d->name) continue;
        if (definition_of(s, r->left->name, of_library) != d) continue;
        const Definition *h = definition_of(s, r->right->name, of_library);
        Match m = { 0 };
        NamedValues with = { 0 };
        if (!h || !match_arguments(s, d, args, &r->left->args, of_library, &m) || !build(h, &r->right->args, &m, &with))
            continue;
        *out = call_plain(s, h, &with, NULL, at);
        return true;
    }
    return false;
}

/* ---- rewrites of the user ---------------------------------------------------------------------------------------- */
static bool is_known(Scope *s, const Expr *e, const char *where)
{
    if (e->kind != EXPR_CALL)
        scope_error(s, e->at, "%s is a call: rewrite f(g(z), ...) => h(z, ...)", where);
    else if (!definition_of(s, e->name, false)) {
        scope_error(s, e->at, "there is no definition %s", e->name);
        help_definition(s, e->name);
    } else
        return true;
    return false;
}

static bool left_check(Scope *s, const Expr *e, NamedValues *names, bool *open)
{
    if (!is_known(s, e, "what is rewritten")) return false;
    for (int i = 0; i < e->args.count; i++) {
        const Argument *a = &e->args.at[i];
        if (a->name) {
            scope_error(s, a->at, "the arguments of a rewrite are given by their place");
            return false;
        }
        if (!a->value)
            *open = true;
        else if (a->value->kind == EXPR_NAME)
            named_set(names, (NamedValue){ .name = a->value->name });
        else if (!left_check(s, a->value, names, open))
            return false;
    }
    return true;
}

void rewrites_check(Scope *s)
{
    const Symbols *all = s->e->symbols;
    for (int i = all->library_rewrites; i < all->rewrites.count; i++) {
        const Item *r = all->rewrites.at[i];
        NamedValues names = { 0 };
        bool open = false;
        if (!left_check(s, r->left, &names, &open) || !is_known(s, r->right, "what stands after =>")) continue;
        for (int k = 0; k < r->right->args.count; k++) {
            const Argument *a = &r->right->args.at[k];
            const Expr *e = a->value;
            if (e ? !a->name && e->kind == EXPR_NAME && named_find(&names, e->name) : open) continue;
            scope_error(s, a->at, "after => stand names from before it, and ... if it stands there");
        }
    }
}
