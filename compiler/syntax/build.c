/* build.c: makes the nodes of the AST. The only judgement here is the height of a tree: a chain or nest beyond
 * MOST_DEPTH is reported once and cut, so that every later pass may recurse without a thought. */
#include "syntax/build.h"
#include "base/text.h"
#include "syntax/scan.h"

const char *const def_kind_name[] = { "def", "loss", "metric", "optimizer", "schedule", "init" };

#define DEFINE_ADD(function, List, Element)          \
    List *function(List *list, Element e)            \
    {                                                \
        if (!list) list = NEW(List);                 \
        PUSH(*list, e);                              \
        return list;                                 \
    }

DEFINE_ADD(exprs_add, ExprList, Expr *)
DEFINE_ADD(subscripts_add, SubscriptList, Subscript)
DEFINE_ADD(arguments_add, ArgumentList, Argument)
DEFINE_ADD(types_add, TypeList, TypeName)
DEFINE_ADD(params_add, ParamList, Param)
DEFINE_ADD(bindings_add, BindingList, Binding)

SettingList *settings_add(SettingList *list, Setting s)
{
    if (!list) list = NEW(SettingList);
    if (s.value) PUSH(*list, s);                 /* without: what an error left */
    return list;
}

StatementList *statements_add(StatementList *list, Statement *s)
{
    if (!list) list = NEW(StatementList);
    if (s) PUSH(*list, s);
    return list;
}

KeyList *keys_add(KeyList *list, Word key)
{
    if (!list) list = NEW(KeyList);
    PUSH(list->names, key.text);
    PUSH(list->places, key.at);
    return list;
}

Subscripts subscripts_of(const SubscriptList *list)
{
    return list ? (Subscripts){ list->at, list->count } : (Subscripts){ NULL, 0 };
}

static Arguments arguments_of(const ArgumentList *list)
{
    return list ? (Arguments){ list->at, list->count } : (Arguments){ NULL, 0 };
}

/* --- expressions ------------------------------------------------------------------------------------------------ */

static Expr *expr_new(ExprKind kind, Place at)
{
    Expr *e = NEW(Expr);
    e->kind = kind;
    e->at = at;
    e->depth = 1;
    return e;
}

static void depth_over(Expr *e, const Expr *child)
{
    if (child && child->depth >= e->depth) e->depth = child->depth + 1;
}

/* Keeps: no tree higher than MOST_DEPTH. */
static Expr *expr_limited(Scan *scan, Expr *e)
{
    depth_over(e, e->cond);
    depth_over(e, e->left);
    depth_over(e, e->right);
    for (int i = 0; i < e->subs.count; i++) {
        depth_over(e, e->subs.at[i].expr);
        depth_over(e, e->subs.at[i].to);
    }
    for (int i = 0; i < e->args.count; i++) depth_over(e, e->args.at[i].value);
    for (int i = 0; i < e->items.count; i++) depth_over(e, e->items.at[i]);
    if (e->depth <= MOST_DEPTH) return e;
    depth_error(scan, e->at);
    return expr_new(EXPR_NONE, e->at);
}

Expr *expr_word(ExprKind kind, Place at, const char *name)
{
    Expr *e = expr_new(kind, at);
    e->name = name;
    return e;
}

Expr *expr_constant(Place at, const char *name)
{
    return expr_word(name[0] == 't' ? EXPR_TRUE : name[0] == 'f' ? EXPR_FALSE : EXPR_NONE, at, name);
}

Expr *expr_number(Place at, Number n)
{
    Expr *e = expr_new(EXPR_NUMBER, at);
    e->name = n.digits;
    e->number = n.value;
    e->is_float = n.is_float;
    return e;
}

Expr *expr_field(Scan *scan, Place at, Expr *left, Word name)
{
    Expr *e = expr_word(EXPR_FIELD, at, name.text);
    e->left = left;
    e->op_at = name.at;
    return expr_limited(scan, e);
}

Expr *expr_read(Scan *scan, Place at, Expr *left, const SubscriptList *subs)
{
    Expr *e = expr_new(EXPR_READ, at);
    e->left = left;
    e->subs = subscripts_of(subs);
    return expr_limited(scan, e);
}

Expr *expr_call(Scan *scan, Place at, const char *name, const ArgumentList *args)
{
    Expr *e = expr_word(EXPR_CALL, at, name);
    e->args = arguments_of(args);
    return expr_limited(scan, e);
}

Expr *expr_pipe(Scan *scan, Place at, Expr *left, const Expr *stage)
{
    Expr *e = expr_word(EXPR_PIPE, at, stage->name);
    e->op_at = stage->at;
    e->left = left;
    e->args = stage->args;
    e->parenthesised = stage->kind == EXPR_CALL;
    return expr_limited(scan, e);
}

Expr *expr_list(Scan *scan, Place at, const ExprList *items)
{
    Expr *e = expr_new(EXPR_LIST, at);
    if (items) {
        e->items.at = items->at;
        e->items.count = items->count;
    }
    return expr_limited(scan, e);
}

Expr *expr_fused(Scan *scan, Place at, const SubscriptList *subs)
{
    Expr *e = expr_new(EXPR_FUSED, at);
    e->subs = subscripts_of(subs);
    return expr_limited(scan, e);
}

Expr *expr_unary(Scan *scan, Place at, AstOp op, Place op_at, Expr *left)
{
    Expr *e = expr_new(EXPR_UNARY, at);
    e->op = op;
    e->op_at = op_at;
    e->left = left;
    return expr_limited(scan, e);
}

Expr *expr_binary(Scan *scan, Place at, AstOp op, Place op_at, Expr *left, Expr *right)
{
    Expr *e = expr_new(EXPR_BINARY, at);
    e->op = op;
    e->op_at = op_at;
    e->left = left;
    e->right = right;
    return expr_limited(scan, e);
}

Expr *expr_choice(Scan *scan, Place at, Expr *cond, Expr *left, Expr *right)
{
    Expr *e = expr_new(EXPR_CHOICE, at);
    e->cond = cond;
    e->left = left;
    e->right = right;
    return expr_limited(scan, e);
}

Expr *expr_else(Scan *scan, Place at, Place op_at, Expr *left, Expr *right)
{
    Expr *e = expr_new(EXPR_ELSE, at);
    e->op_at = op_at;
    e->left = left;
    e->right = right;
    return expr_limited(scan, e);
}

Expr *expr_reduce(Scan *scan, Place at, Word name, const SubscriptList *subs, Expr *body)
{
    Expr *e = expr_word(EXPR_REDUCE, at, name.text);
    e->op_at = name.at;
    e->subs = subscripts_of(subs);
    e->left = body;
    return expr_limited(scan, e);
}

/* A pipe's own parenthesised speaks of its stage; where it needs ( ) its place in the tree says. */
Expr *expr_paren(Place at, Expr *e)
{
    if (e->kind == EXPR_PIPE) return e;
    e->parenthesised = true;
    e->at = at;
    return e;
}

/* --- parameters, statements, items ------------------------------------------------------------------------------ */

static AstType type_of(const TypeList *list)
{
    return list ? (AstType){ list->at, list->count } : (AstType){ NULL, 0 };
}

Param param_new(Word name, const SubscriptList *axes, const TypeList *type, Expr *fallback)
{
    Param p = { .at = name.at, .name = name.text, .type = type_of(type), .fallback = fallback };
    p.has_axes = axes != NULL;
    p.axes = subscripts_of(axes);
    for (int i = 0; i < p.type.count && !p.has_axes; i++) {
        p.has_axes = p.type.at[i].subs.count >= 0;
        if (p.has_axes) p.axes = p.type.at[i].subs;
    }
    return p;
}

Setting setting_new(Place at, const KeyList *keys, Expr *value)
{
    return (Setting){ at, { keys->names.at, keys->places.at, keys->names.count }, value };
}

Block block_new(Place at, const StatementList *list)
{
    Block b = { .place = at };
    if (list) {
        b.at = list->at;
        b.count = list->count;
    }
    return b;
}

Statement *statement_new(StatementKind kind, Place at, const char *name, Expr *target, Expr *value)
{
    Statement *s = NEW(Statement);
    s->kind = kind;
    s->at = at;
    s->name = name;
    s->target = target;
    s->value = value;
    return s;
}

Statement *statement_input(Place at, const char *name, const TypeList *type)
{
    Statement *s = statement_new(ST_INPUT, at, name, NULL, NULL);
    s->type = type_of(type);
    return s;
}

Statement *statement_const(Place at, const BindingList *bindings)
{
    Statement *s = statement_new(ST_CONST, at, NULL, NULL, NULL);
    s->bindings.at = bindings->at;
    s->bindings.count = bindings->count;
    return s;
}

Statement *statement_block(StatementKind kind, Place at, const char *name, Expr *value, Block body)
{
    Statement *s = statement_new(kind, at, name, NULL, value);
    s->body = body;
    return s;
}

Statement *statement_stored(StatementKind kind, Place at, Expr *target, Expr *value, Foreign foreign)
{
    Statement *s = statement_new(kind, at, NULL, target, value);
    s->foreign = foreign.name;
    s->has_foreign_subs = foreign.has_subs;
    s->foreign_subs = foreign.subs;
    return s;
}

/* otherwise: the block after else; next: the if after else; both NULL: no else. */
Choice choice_new(Scan *scan, Place at, Expr *cond, Block body, const Block *otherwise, const Choice *next)
{
    Choice c = { statement_new(ST_IF, at, NULL, NULL, cond), 1 };
    c.statement->body = body;
    c.statement->has_otherwise = otherwise || next;
    if (otherwise) c.statement->otherwise = *otherwise;
    if (!next) return c;
    c.length = next->length + 1;
    if (c.length > MOST_DEPTH) {
        depth_error(scan, at);
        return (Choice){ c.statement, 1 };
    }
    StatementList *one = statements_add(NULL, next->statement);
    c.statement->otherwise = block_new(next->statement->at, one);
    return c;
}

Definition *definition_new(Kind kind, bool every, Word name, const ParamList *params, bool folds)
{
    Definition *d = NEW(Definition);
    d->at = name.at;
    d->kind = kind.kind;
    d->every = every;
    d->name = name.text;
    d->doc = kind.doc ? kind.doc : "";
    d->folds = folds;
    if (params) {
        d->params.at = params->at;
        d->params.count = params->count;
    }
    return d;
}

static Item *item_new(Scan *scan, ItemKind kind, Place at)
{
    Item *item = NEW(Item);
    item->kind = kind;
    item->at = at;
    PUSH(scan->items, item);
    return item;
}

void item_simple(Scan *scan, ItemKind kind, Place at, const char *name, Expr *left, Expr *right)
{
    Item *item = item_new(scan, kind, at);
    item->name = name;
    item->left = left;
    item->right = right;
    if (kind == ITEM_EXAMPLE) item->definition = scan->definition;
}

void item_const(Scan *scan, Place at, const BindingList *bindings)
{
    Item *item = item_new(scan, ITEM_CONST, at);
    item->bindings.at = bindings->at;
    item->bindings.count = bindings->count;
}

void item_settings(Scan *scan, ItemKind kind, Place at, const char *name, const SettingList *settings)
{
    Item *item = item_new(scan, kind, at);
    item->name = name;
    if (!settings) return;
    item->settings.at = settings->at;
    item->settings.count = settings->count;
}

void item_model(Scan *scan, Place at, const char *name, Block body)
{
    Item *item = item_new(scan, ITEM_MODEL, at);
    item->name = name;
    item->body = body;
}

void item_definition(Scan *scan, Definition *d)
{
    Item *item = item_new(scan, ITEM_DEFINITION, d->at);
    item->definition = scan->definition = d;
}
