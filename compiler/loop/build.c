/* build.c: makes expressions and statements. What can be seen to be nothing (0 + a, 1 * a) is not made. */
#include "loop/loop.h"
#include <string.h>

bool type_is_vector(CType type) { return type >= C_VEC; }

static CExpr *cexpr_new(CExprKind kind, CType type, const char *name)
{
    CExpr *e = NEW(CExpr);
    e->kind = kind;
    e->type = type;
    e->name = name;
    return e;
}

static const CExpr *with_args(CExpr *e, int args, const CExpr *const *arg)
{
    e->args = args;
    memcpy(e->arg, arg, sizeof *arg * (size_t)args);
    return e;
}

const CExpr *cexpr_number(CType type, double number)
{
    CExpr *e = cexpr_new(X_NUMBER, type, NULL);
    e->number = number;
    return e;
}

const CExpr *cexpr_int(int64_t number) { return cexpr_number(C_INT, (double)number); }
const CExpr *cexpr_name(CType type, const char *name) { return cexpr_new(X_NAME, type, name); }

const CExpr *cexpr_at(CType type, const char *array, const CExpr *place)
{
    return with_args(cexpr_new(X_AT, type, array), 1, &place);
}

const CExpr *cexpr_place(const char *array, const CExpr *offset)
{
    return with_args(cexpr_new(X_PLACE, C_INT, array), 1, &offset);
}

const CExpr *cexpr_prefix(CType type, const char *op, const CExpr *a)
{
    return with_args(cexpr_new(X_PREFIX, type, op), 1, &a);
}

const CExpr *cexpr_infix(CType type, const char *op, const CExpr *a, const CExpr *b)
{
    return with_args(cexpr_new(X_INFIX, type, op), 2, (const CExpr *[]){ a, b });
}

const CExpr *cexpr_choice(const CExpr *test, const CExpr *a, const CExpr *b)
{
    return with_args(cexpr_new(X_CHOICE, a->type, "?"), 3, (const CExpr *[]){ test, a, b });
}

const CExpr *cexpr_call(CType type, const char *function, int args, const CExpr *const *arg)
{
    return with_args(cexpr_new(X_CALL, type, function), args, arg);
}

const CExpr *cexpr_call1(CType type, const char *function, const CExpr *a) { return cexpr_call(type, function, 1, &a); }

const CExpr *cexpr_call2(CType type, const char *function, const CExpr *a, const CExpr *b)
{
    return cexpr_call(type, function, 2, (const CExpr *[]){ a, b });
}

const CExpr *cexpr_call3(CType type, const char *function, const CExpr *a, const CExpr *b, const CExpr *c)
{
    return cexpr_call(type, function, 3, (const CExpr *[]){ a, b, c });
}

bool cexpr_is_number(const CExpr *e, double number) { return e->kind == X_NUMBER && e->number == number; }

const CExpr *cexpr_add(const CExpr *a, const CExpr *b)
{
    if (cexpr_is_number(a, 0)) return b;
    if (cexpr_is_number(b, 0)) return a;
    if (a->kind == X_NUMBER && b->kind == X_NUMBER) return cexpr_number(a->type, a->number + b->number);
    if (b->kind == X_NUMBER && b->number < 0) return cexpr_infix(a->type, "-", a, cexpr_number(b->type, -b->number));
    if (b->kind == X_PREFIX && !strcmp(b->name, "-")) return cexpr_infix(a->type, "-", a, b->arg[0]);
    return cexpr_infix(type_is_vector(b->type) ? b->type : a->type, "+", a, b);
}

const CExpr *cexpr_scale(const CExpr *a, int64_t factor)
{
    if (a->kind == X_NUMBER) return cexpr_number(a->type, a->number * (double)factor);
    if (factor == 1) return a;
    if (factor == 0) return cexpr_int(0);
    if (factor == -1) return cexpr_prefix(a->type, "-", a);
    return cexpr_infix(a->type, "*", a, cexpr_int(factor));
}

/* ---- statements ---- */
static Stmt *stmt_new(Body *to, StmtKind kind, const char *name)
{
    Stmt *s = NEW(Stmt);
    s->kind = kind;
    s->name = name;
    PUSH(to->list, s);
    return s;
}

Stmt *stmt_for(Body *to, const char *name, const CExpr *from, const CExpr *below)
{
    Stmt *s = stmt_new(to, S_FOR, name);
    s->from = from;
    s->below = below;
    return s;
}

Stmt *stmt_block(Body *to, const char *pragma)
{
    Stmt *s = stmt_new(to, S_FOR, NULL);
    s->pragma = pragma;
    return s;
}

Stmt *stmt_macro(Body *to, const char *macro)
{
    Stmt *s = stmt_new(to, S_FOR, NULL);
    s->macro = macro;
    return s;
}

Stmt *stmt_let(Body *to, const char *type, const char *name, const CExpr *value)
{
    Stmt *s = stmt_new(to, S_LET, name);
    s->type = type;
    s->value = value;
    return s;
}

Stmt *stmt_store(Body *to, const CExpr *place, const CExpr *value)
{
    Stmt *s = stmt_new(to, S_STORE, NULL);
    s->place = place;
    s->value = value;
    return s;
}

Stmt *stmt_reduce(Body *to, const char *op, const CExpr *place, const CExpr *value)
{
    Stmt *s = stmt_new(to, S_REDUCE, op);
    s->place = place;
    s->value = value;
    return s;
}

Stmt *stmt_if(Body *to, const CExpr *test)
{
    Stmt *s = stmt_new(to, S_IF, NULL);
    s->value = test;
    return s;
}

Stmt *stmt_call(Body *to, const char *text) { return stmt_new(to, S_CALL, text); }
Stmt *stmt_comment(Body *to, const char *text) { return stmt_new(to, S_COMMENT, text); }
