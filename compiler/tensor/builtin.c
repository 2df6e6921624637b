/* builtin.c: what is called like a definition but belongs to the language: max min prod len rand every_variable. */
#include "tensor/elaborate.h"
#include <limits.h>
#include <string.h>

static const char *const names[] = { "max", "min", "prod", "len", "rand", "every_variable" };

bool builtin_is(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i])) return true;
    return !strcmp(name, "sum") || !strcmp(name, "mean") || !strcmp(name, "argmax") || !strcmp(name, "argmin") ||
           !strcmp(name, "any") || !strcmp(name, "all");
}

/* The element: its place among all indices round this one, row by row, the batch outermost. */
static const Sum *element_place(Scope *s, Place at)
{
    const Sum *place = sum_constant(0);
    int64_t span = 1;
    for (int batch = 1; batch >= 0; batch--)
        for (int i = 0; i < s->e->context.count; i++) {
            const Index *x = s->e->context.at[i];
            if (x->batch != batch) continue;
            span *= x->extent;
            if (span > INT_MAX) {
                scope_error(s, at, "rand() would give more than 2^31 - 1 numbers here");
                return NULL;
            }
            place = sum_add(sum_scale(place, x->extent), sum_index(x));
        }
    return place;
}

static Value rand_call(Scope *s, Place at)
{
    int site = s->e->in_init ? s->e->init_sites++ : s->e->sites++;
    const Sum *place = element_place(s, at);
    return place ? value_node(node_rand(site, place)) : value_poison();
}

static Value len_call(Scope *s, const Expr *e)
{
    const Expr *x = e->args.at[0].value;
    const AxisRange *r = x->kind == EXPR_NAME && !scope_find(s, x->name) ? range_find(s, x->name) : NULL;
    if (r) return r->batch ? value_node(node_count(1)) : value_int(r->extent);
    Value v = express_outside(s, x);
    if (v.kind == VALUE_LIST) return value_int(v.list->count);
    if (v.kind == VALUE_NUMBER || v.kind == VALUE_NODE || v.kind == VALUE_POISON) return v;
    scope_error(s, x->at, "len is of an index, a fused axis or a list, this is %s", value_kind_text(v));
    return value_poison();
}

static Value prod_call(Scope *s, const Expr *e)
{
    Value v = express_outside(s, e->args.at[0].value), r = value_int(1);
    if (v.kind == VALUE_POISON) return v;
    if (v.kind != VALUE_LIST) {
        scope_error(s, e->at, "prod is of a list, this is %s", value_kind_text(v));
        return value_poison();
    }
    for (int i = 0; i < v.list->count; i++) r = value_binary(s, OP_MUL, r, v.list->at[i], e->at);
    return r;
}

static Value extremum_call(Scope *s, const Expr *e, Op op, Value piped, bool has_piped)
{
    Value v = has_piped ? piped : express(s, e->args.at[0].value);
    for (int i = !has_piped; i < e->args.count; i++) v = value_binary(s, op, v, express(s, e->args.at[i].value), e->at);
    return v;
}

Value builtin_call(Scope *s, const Expr *e, const char *name, Value piped, bool has_piped)
{
    bool extremum = !strcmp(name, "max") || !strcmp(name, "min"), none = !strcmp(name, "rand");
    bool known = extremum || none || !strcmp(name, "prod") || !strcmp(name, "len") || !strcmp(name, "every_variable");
    int given = e->args.count + has_piped, want = none ? 0 : extremum ? 2 : 1;
    for (int i = 0; i < e->args.count; i++)
        if (e->args.at[i].name || !e->args.at[i].value) given = -1;
    if (!known) {
        scope_error(s, e->at, "%s is a reduction over an index: %s[k] x[k]", name, name);
        return value_poison();
    }
    if (given != want && !(extremum && given > 2)) {
        scope_error(s, e->at, "%s takes %d argument%s", name, want, want == 1 ? "" : "s");
        if (extremum && given == 1) help("over an index it is written %s[k] x[k]", name);
        return value_poison();
    }
    if (none) return rand_call(s, e->at);
    if (extremum) return extremum_call(s, e, !strcmp(name, "max") ? OP_MAX : OP_MIN, piped, has_piped);
    if (has_piped) {
        scope_error(s, e->at, "nothing can be piped into %s", name);
        return value_poison();
    }
    if (!strcmp(name, "len")) return len_call(s, e);
    if (!strcmp(name, "prod")) return prod_call(s, e);
    return every_variable(s, e->args.at[0].value, e->at);
}
