/* rewrite.c: rewrite f(g(z), t, ...) => h(z, t, ...), applied as calls are inlined: where f is called on a value that is
 * the value of a call of g, h is called instead. Each value knows the calls that made it (Origin), so no graph is searched. */
#include "tensor/elaborate.h"
#include <string.h>

typedef struct Match { NamedValues bound; NamedValues rest; } Match;

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

static bool match_arguments(Scope *s, const Definition *d, const NamedValues *args, const Arguments *pattern, bool of_library, Match *m);

static bool match_one(Scope *s, Value v, const Expr *pattern, bool of_library, Match *m)
{
    if (pattern->kind == EXPR_NAME) {
        named_set(&m->bound, (NamedValue){ .name = pattern->name, .value = v });
        return true;
    }
    if (pattern->kind != EXPR_CALL) return false;
    const Definition *g = definition_of(s, pattern->name, of_library);
    const Origin *o = g ? origin_of(v, g) : NULL;
    if (!o) return false;
    NamedValues args = { .at = o->args, .count = o->count, .room = o->count };
    return match_arguments(s, g, &args, &pattern->args, of_library, m);
}

/* Each argument of the call is matched by position, or taken by `...`. */
static bool match_arguments(Scope *s, const Definition *d, const NamedValues *args, const Arguments *pattern, bool of_library, Match *m)
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
        Match m = {0};
        NamedValues with = {0};
        if (!h || !match_arguments(s, d, args, &r->left->args, of_library, &m) || !build(h, &r->right->args, &m, &with)) continue;
        *out = call_plain(s, h, &with, NULL, at);
        return true;
    }
    return false;
}
