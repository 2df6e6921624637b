/* build.h: what the grammar's actions call to make the nodes of ast.h, and the growing lists they use on the way.
 * Private to compiler/syntax and grammar. */
#ifndef DLNC_BUILD_H
#define DLNC_BUILD_H
#include "syntax/ast.h"

typedef struct Scan Scan;                        /* scan.h */

/* No tree of the AST is higher than this, so that whoever reads it may recurse. */
enum { MOST_DEPTH = 1000 };

typedef LIST(Expr *) ExprList;
typedef LIST(Subscript) SubscriptList;
typedef LIST(Argument) ArgumentList;
typedef LIST(TypeName) TypeList;
typedef LIST(Param) ParamList;
typedef LIST(Binding) BindingList;
typedef LIST(Setting) SettingList;
typedef LIST(Statement *) StatementList;
typedef LIST(Item *) ItemList;
typedef struct { LIST(const char *) names; LIST(Place) places; } KeyList;

typedef struct { const char *text; Place at; } Word;             /* a name or string with its place */
typedef struct { double value; const char *digits; bool is_float; } Number;
typedef struct { Statement *statement; int length; } Choice;     /* an if and the number of else-ifs after it */
typedef struct { const char *name; bool has_subs; Subscripts subs; } Foreign;
typedef struct { DefKind kind; const char *doc; Place at; } Kind;

/* Add one element to a list; NULL begins a new one. */
ExprList *exprs_add(ExprList *list, Expr *e);
SubscriptList *subscripts_add(SubscriptList *list, Subscript s);
ArgumentList *arguments_add(ArgumentList *list, Argument a);
TypeList *types_add(TypeList *list, TypeName t);
ParamList *params_add(ParamList *list, Param p);
BindingList *bindings_add(BindingList *list, Binding b);
SettingList *settings_add(SettingList *list, Setting s);
StatementList *statements_add(StatementList *list, Statement *s);        /* s may be NULL: an error, skipped */
KeyList *keys_add(KeyList *list, Word key);

Subscripts subscripts_of(const SubscriptList *list);             /* NULL: none */

/* Expressions. Each sets the depth; one that would be too high is reported and replaced by a leaf. */
Expr *expr_word(ExprKind kind, Place at, const char *name);      /* STRING, NAME */
Expr *expr_constant(Place at, const char *name);                 /* true, false, none */
Expr *expr_number(Place at, Number n);
Expr *expr_field(Scan *scan, Place at, Expr *left, Word name);
Expr *expr_read(Scan *scan, Place at, Expr *left, const SubscriptList *subs);
Expr *expr_call(Scan *scan, Place at, const char *name, const ArgumentList *args);
Expr *expr_pipe(Scan *scan, Place at, Expr *left, const Expr *stage);   /* stage: a NAME or a CALL */
Expr *expr_list(Scan *scan, Place at, const ExprList *items);
Expr *expr_fused(Scan *scan, Place at, const SubscriptList *subs);
Expr *expr_unary(Scan *scan, Place at, AstOp op, Place op_at, Expr *e);
Expr *expr_binary(Scan *scan, Place at, AstOp op, Place op_at, Expr *left, Expr *right);
Expr *expr_choice(Scan *scan, Place at, Expr *cond, Expr *left, Expr *right);
Expr *expr_else(Scan *scan, Place at, Place op_at, Expr *left, Expr *right);
Expr *expr_reduce(Scan *scan, Place at, Word name, const SubscriptList *subs, Expr *body);
Expr *expr_paren(Place at, Expr *e);

Param param_new(Word name, const SubscriptList *axes, const TypeList *type, Expr *fallback);
Setting setting_new(Place at, const KeyList *keys, Expr *value);
Block block_new(Place at, const StatementList *list);
Statement *statement_new(StatementKind kind, Place at, const char *name, Expr *target, Expr *value);
Statement *statement_input(Place at, const char *name, const TypeList *type);
Statement *statement_const(Place at, const BindingList *bindings);
Statement *statement_block(StatementKind kind, Place at, const char *name, Expr *value, Block body);
Statement *statement_stored(StatementKind kind, Place at, Expr *target, Expr *value, Foreign foreign);
Choice choice_new(Scan *scan, Place at, Expr *cond, Block body, const Block *otherwise, const Choice *next);
Definition *definition_new(Kind kind, bool every, Word name, const ParamList *params, bool folds);

/* Items go to the file in order. */
void item_simple(Scan *scan, ItemKind kind, Place at, const char *name, Expr *left, Expr *right);
void item_const(Scan *scan, Place at, const BindingList *bindings);
void item_settings(Scan *scan, ItemKind kind, Place at, const char *name, const SettingList *settings);
void item_model(Scan *scan, Place at, const char *name, Block body);
void item_definition(Scan *scan, Definition *d);
#endif
