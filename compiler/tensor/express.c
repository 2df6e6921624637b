/* express.c: expressions, apart from reads (reads.c) and calls (calls.c). */
#include "tensor/elaborate.h"
#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>

enum { DEEPEST_NESTING = 3000 };

Op ast_op(AstOp op)
{
    static const Op table[] = {
        [AST_NEG] = OP_NEG,
        [AST_NOT] = OP_NOT,
        [AST_ADD] = OP_ADD,
        [AST_SUB] = OP_SUB,
        [AST_MUL] = OP_MUL,
        [AST_DIV] = OP_DIV,
        [AST_FLOOR_DIV] = OP_FLOOR_DIV,
        [AST_MOD] = OP_MOD,
        [AST_POW] = OP_POW,
        [AST_EQ] = OP_EQ,
        [AST_NE] = OP_NE,
        [AST_LT] = OP_LT,
        [AST_GT] = OP_GT,
        [AST_LE] = OP_LE,
        [AST_GE] = OP_GE,
        [AST_AND] = OP_AND,
        [AST_OR] = OP_OR,
    };
    return table[op];
}

static Value express_number(Scope *s, const Expr *e)
{
    if (e->number > FLT_MAX)
        scope_error(s, e->at, "the number %s is too large", e->name ? e->name : "");
    else if (!e->is_float && e->number > INT_MAX)
        scope_error(s, e->at, "the integer %.0f does not fit into 32 bits; a float is written with a point, %.0f.0",
                    e->number, e->number);
    else
        return e->is_float ? value_float(e->number) : value_int(e->number);
    return value_poison();
}

/* shape.h, shape.w; n.w of `layer n = ..`. */
static Value express_field(Scope *s, const Expr *e)
{
    Value v = express(s, e->left);
    if (v.kind == VALUE_POISON) return v;
    int place = !strcmp(e->name, "h") ? 0 : !strcmp(e->name, "w") ? 1 : -1;
    if (v.kind == VALUE_LIST && place >= 0 && place < v.list->count) return v.list->at[place];
    if (v.kind == VALUE_NUMBER && place >= 0) return v;
    if (v.kind != VALUE_PART || !v.part->shared) {
        scope_error(s, e->at, "%s is %s, it has no .%s", expr_text(e->left), value_kind_text(v), e->name);
        return value_poison();
    }
    Scope *inner = v.part->shared->last;
    if (!inner) {
        scope_error(s, e->at, "%s has not been used yet: its tensors are made by its first use", expr_text(e->left));
        return value_poison();
    }
    Entry *entry = scope_find(inner, e->name);
    if (entry) return entry->value;
    scope_error(s, e->at, "%s has no %s", expr_text(e->left), e->name);
    LIST(const char *) names = { 0 };
    for (int i = 0; i < inner->entries.count; i++) PUSH(names, inner->entries.at[i].name);
    const char *near = nearest(e->name, names.at, names.count);
    if (near) help("did you mean %s?", near);
    return value_poison();
}

static Value express_list(Scope *s, const Expr *e)
{
    Value *at = NEW_ARRAY(Value, e->items.count + 1);
    for (int i = 0; i < e->items.count; i++) {
        at[i] = express(s, e->items.at[i]);
        if (at[i].kind == VALUE_POISON) return at[i];
    }
    return value_list(e->items.count, at);
}

/* (h, w) or (k..) outside subscripts: the length of the fused axis. */
static Value express_fused(Scope *s, const Expr *e)
{
    SubList subs = { 0 };
    if (!subs_expand(s, &e->subs, -1, false, &subs)) return value_poison();
    double count = 1;
    bool batch = false;
    for (int i = 0; i < subs.count; i++) {
        const AxisRange *r = subs.at[i].name ? range_find(s, subs.at[i].name) : NULL;
        if (!r) {
            scope_error(s, subs.at[i].at,
                        "a fused axis outside [ ] stands for its length: it is made of indices with known ranges");
            return value_poison();
        }
        if (r->batch)
            batch = true;
        else
            count *= r->extent;
    }
    return batch ? value_node(node_count(count)) : value_int(count);
}

static Value express_binary(Scope *s, const Expr *e)
{
    Value a = express(s, e->left);
    if (a.kind == VALUE_NUMBER && e->op == AST_AND && a.number == 0) return value_bool(false);
    if (a.kind == VALUE_NUMBER && e->op == AST_OR && a.number != 0) return value_bool(true);
    Value b = express(s, e->right);
    return value_binary(s, ast_op(e->op), a, b, e->op_at.source ? e->op_at : e->at);
}

static bool is_arithmetic(Value v) { return v.kind == VALUE_NUMBER || value_is_run_time(v) || v.kind == VALUE_LIST; }

static Value express_choice(Scope *s, const Expr *e)
{
    Value c = express(s, e->cond);
    if (c.kind == VALUE_POISON) return c;
    if (c.kind == VALUE_NUMBER) return express(s, c.number != 0 ? e->left : e->right);
    if (!value_is_run_time(c)) {
        scope_error(s, e->cond->at, "a condition must be true or false, this is %s", value_kind_text(c));
        return value_poison();
    }
    Value a = express(s, e->left), b = express(s, e->right);
    if (a.kind == VALUE_POISON || b.kind == VALUE_POISON) return value_poison();
    if (!is_arithmetic(a) || !is_arithmetic(b)) {
        c = value_const(s, c, e->cond->at, "the choice between values that are no numbers");
        return c.kind == VALUE_NUMBER ? c.number != 0 ? a : b : value_poison();
    }
    return value_select(s, c, a, b, e->at);
}

static Value express_kind(Scope *s, const Expr *e)
{
    switch (e->kind) {
    case EXPR_NUMBER: return express_number(s, e);
    case EXPR_STRING: return value_text_of(VALUE_STRING, express_string(s, e->name, e->at));
    case EXPR_TRUE: return value_bool(true);
    case EXPR_FALSE: return value_bool(false);
    case EXPR_NONE: return value_none();
    case EXPR_NAME: return name_value(s, e->name, e->at);
    case EXPR_FIELD: return express_field(s, e);
    case EXPR_READ: return express_read(s, e);
    case EXPR_CALL: return express_call(s, e);
    case EXPR_PIPE: return express_pipe(s, e);
    case EXPR_LIST: return express_list(s, e);
    case EXPR_FUSED: return express_fused(s, e);
    case EXPR_UNARY: return value_unary(s, ast_op(e->op), express(s, e->left), e->at);
    case EXPR_BINARY: return express_binary(s, e);
    case EXPR_CHOICE: return express_choice(s, e);
    case EXPR_ELSE: return express_else(s, e);
    case EXPR_REDUCE: return express_reduce(s, e);
    }
    bug("express: kind %d", e->kind);
}

bool nesting_begin(Scope *s, Place at)
{
    Elaboration *e = s->e;
    if (e->nesting < DEEPEST_NESTING) {
        e->nesting++;
        return true;
    }
    if (!e->too_large) scope_error(s, at, "values and blocks are nested deeper than %d", DEEPEST_NESTING);
    e->too_large = true;
    return false;
}

void nesting_end(Scope *s) { s->e->nesting--; }

Value express(Scope *s, const Expr *e)
{
    if (!nesting_begin(s, e->at)) return value_poison();
    Value v = express_kind(s, e);
    nesting_end(s);
    return v;
}

/* ---- at compile time --------------------------------------------------------------------------------------------- */
Value express_outside(Scope *s, const Expr *e)
{
    Scope kept = *s;
    memset(&s->bound, 0, sizeof s->bound);
    s->tests = NULL;
    Value v = express(s, e);
    s->bound = kept.bound;
    s->tests = kept.tests;
    return v;
}

bool express_int(Scope *s, const Expr *e, const char *what, int64_t low, int64_t high, int *out)
{
    Value v = value_const(s, express_outside(s, e), e->at, what);
    if (v.kind == VALUE_POISON) return false;
    if (!value_is_int(v)) {
        scope_error(s, e->at, "%s must be an int, this is %s", what, value_kind_text(v));
        if (v.kind == VALUE_NUMBER && e->kind == EXPR_BINARY && e->op == AST_DIV)
            help("/ gives a float; // divides ints, rounding down");
        return false;
    }
    if (v.number < low || v.number > high) {
        if (v.number < low)
            scope_error(s, e->at, "%s must be at least %lld, got %.0f", what, (long long)low, v.number);
        else
            scope_error(s, e->at, "%s must be at most %lld, got %.0f", what, (long long)high, v.number);
        return false;
    }
    *out = (int)v.number;
    return true;
}

bool express_truth(Scope *s, const Expr *e, const char *what, bool *out)
{
    Value v = value_const(s, express_outside(s, e), e->at, what);
    if (v.kind == VALUE_POISON) return false;
    if (v.kind != VALUE_NUMBER) {
        scope_error(s, e->at, "%s must be true or false, this is %s", what, value_kind_text(v));
        return false;
    }
    *out = v.number != 0;
    return true;
}

/* ---- strings ----------------------------------------------------------------------------------------------------- */
/* The text of `const v = (e)` in which e stands where it stands in the file: so are its errors. */
static const char *code_at(const char *e, Place at)
{
    static const char begin[] = "const v = (";
    Text t = { 0 };
    bool above = at.line > 1;
    for (int i = 2; i < at.line; i++) text_add(&t, "\n");
    text_add(&t, begin);
    if (above) text_add(&t, "\n");
    for (int i = above ? 1 : (int)sizeof begin; i < at.column; i++) text_add(&t, " ");
    text_addf(&t, "%s)", e);
    return text_string(&t);
}

/* The expression in {..}. */
static const Expr *string_part(Scope *s, const char *text, size_t length, Place at)
{
    const char *key = intern_n(text, length);
    const Expr *known = map_get(&s->e->texts, key);
    if (known) return known;
    Source *source = NEW(Source);
    const char *code = code_at(key, at);
    *source = (Source){ at.source ? at.source->name : "", code, strlen(code) };
    const File *f = parse_source(source);
    if (f->count != 1 || f->at[0]->kind != ITEM_CONST || f->at[0]->bindings.count != 1) return NULL;
    map_set(&s->e->texts, key, f->at[0]->bindings.at[0].value);
    return f->at[0]->bindings.at[0].value;
}

const char *express_string(Scope *s, const char *text, Place at)
{
    if (!strpbrk(text, "{}")) return text;
    Text t = { 0 };
    for (const char *p = text; *p; p++) {
        if ((*p == '{' || *p == '}') && p[1] == *p)
            text_add_n(&t, p++, 1);
        else if (*p == '{') {
            const char *end = strchr(p, '}');
            if (!end) {
                scope_error(s, at, "{ without } in a string; a brace itself is written {{");
                break;
            }
            const Expr *e = string_part(s, p + 1, (size_t)(end - p - 1), at);
            Value v = e ? express_outside(s, e) : value_poison();
            double number;
            if (v.kind == VALUE_NODE && settings_look(s->e, v.node, &number)) v = value_number(number, v.node->type);
            text_add(&t, value_text(v));
            p = end;
        } else
            text_add_n(&t, p, 1);
    }
    return intern(text_string(&t));
}
