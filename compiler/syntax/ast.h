/* ast.h: a .dln file as it was written. The parser builds it and nothing else; every node keeps its place. A flow
 * (x -> dense(10) -> relu) is an Expr whose outermost kind is EXPR_PIPE. Names and strings are interned. */
#ifndef DLNC_AST_H
#define DLNC_AST_H
#include "base/arena.h"
#include "base/diag.h"

typedef struct Expr Expr;
typedef struct Statement Statement;

/* What stands between [ ]: a subscript, an axis, or an index of a reduction. */
typedef enum {
    SUB_EXPR,                    /* e                          x[p + 1]            expr */
    SUB_IN,                      /* name in e                  r in kernel.h       name, expr */
    SUB_RANGE,                   /* name in e..to              k in 0..i           name, expr, to */
    SUB_AT,                      /* name @ e                   i @ axis            name, expr */
    SUB_PACK,                    /* name..                     n..                 name */
    SUB_PACK_IN,                 /* name.. in e                s.. in shape        name, expr */
    SUB_PACK_AT                  /* name.. @ e                 k.. @ order         name, expr */
} SubKind;
typedef struct Subscript { SubKind kind; Place at; const char *name; Expr *expr, *to; } Subscript;
typedef struct Subscripts { Subscript *at; int count; } Subscripts;

/* An argument of a call: positional (name NULL), name = value, or ... in a rewrite (value NULL). */
typedef struct Argument { Place at; const char *name; Expr *value; } Argument;
typedef struct Arguments { Argument *at; int count; } Arguments;

typedef enum {
    EXPR_NUMBER, EXPR_STRING, EXPR_TRUE, EXPR_FALSE, EXPR_NONE,
    EXPR_NAME,                   /* name; also a bare reduction: mean */
    EXPR_FIELD,                  /* left.name */
    EXPR_READ,                   /* left[subs]; x[] has no subs */
    EXPR_CALL,                   /* name(args) */
    EXPR_PIPE,                   /* left -> name(args); parenthesised says whether ( ) were written */
    EXPR_LIST,                   /* [items] */
    EXPR_FUSED,                  /* (subs): one axis made of several */
    EXPR_UNARY,                  /* op left: OP_NEG, OP_NOT */
    EXPR_BINARY,                 /* left op right */
    EXPR_CHOICE,                 /* cond ? left : right */
    EXPR_ELSE,                   /* left else right */
    EXPR_REDUCE                  /* name[subs] left */
} ExprKind;
typedef enum { AST_NEG, AST_NOT, AST_ADD, AST_SUB, AST_MUL, AST_DIV, AST_FLOOR_DIV, AST_MOD, AST_POW,
               AST_EQ, AST_NE, AST_LT, AST_GT, AST_LE, AST_GE, AST_AND, AST_OR } AstOp;
struct Expr {
    ExprKind kind;
    Place at;                    /* the whole expression */
    AstOp op;                    /* UNARY, BINARY */
    Place op_at;                 /* where the operator stands; FIELD: the name, PIPE: the stage, REDUCE: name[subs] */
    const char *name;            /* NAME, FIELD, CALL, PIPE, REDUCE; a STRING's text, escapes resolved, {..} not yet;
                                    the digits of a NUMBER as written */
    double number;               /* NUMBER */
    bool is_float;               /* NUMBER: written with . or e */
    int depth;                   /* the height of the tree below, 1 for a leaf; never above 1000: passes may recurse */
    bool parenthesised;          /* written in ( ); for PIPE: the stage had ( ) */
    Expr *cond, *left, *right;
    Subscripts subs;
    Arguments args;
    struct { Expr **at; int count; } items;
};

/* One alternative of a parameter's type: int, layer, same, float[n..]; subs.count is -1 where no [ ] stands. */
typedef struct TypeName { Place at; const char *name; Subscripts subs; } TypeName;
typedef struct AstType { TypeName *at; int count; } AstType;
typedef struct Param {
    Place at;
    const char *name;
    bool has_axes;               /* x[n, c]; also x: int[n..], the axes of the first type with [ ] */
    Subscripts axes;
    AstType type;                  /* count 0: none written */
    Expr *fallback;              /* the default, or NULL */
} Param;

typedef struct Block { Place place; Statement **at; int count; } Block;

typedef enum {
    ST_INPUT,                    /* input name: type */
    ST_OUTPUT,                   /* output target [= value] */
    ST_LAYER,                    /* layer name = value */
    ST_PARAM, ST_STATE,          /* param target = value [as "foreign"[foreign_subs]] */
    ST_TOTAL, ST_UPDATE,         /* total target = value */
    ST_CONST,                    /* const bindings */
    ST_PENALTY,                  /* penalty value */
    ST_REQUIRE,                  /* require value, "text" */
    ST_DERIVATIVE,               /* derivative name by other = value */
    ST_REPEAT,                   /* repeat value [as name] body */
    ST_IF,                       /* if value body [else otherwise]; else if: otherwise holds one ST_IF */
    ST_SCAN,                     /* scan name [in value] body */
    ST_EQUATION,                 /* target = value; target is a NAME, FIELD or READ */
    ST_FLOW                      /* value */
} StatementKind;
typedef struct Binding { Place at; const char *name; Expr *value; } Binding;
struct Statement {
    StatementKind kind;
    Place at;
    const char *name, *other;    /* see above */
    Expr *target, *value;
    AstType type;                  /* INPUT */
    const char *text;            /* REQUIRE: as EXPR_STRING's name */
    const char *foreign; bool has_foreign_subs; Subscripts foreign_subs;
    struct { Binding *at; int count; } bindings;
    Block body, otherwise; bool has_otherwise;
};

typedef enum { KIND_DEF, KIND_LOSS, KIND_METRIC, KIND_OPTIMIZER, KIND_SCHEDULE, KIND_INIT } DefKind;
extern const char *const def_kind_name[];        /* "def", "loss", ... */
typedef struct Definition {
    Place at;                    /* its name */
    DefKind kind;
    bool every;                  /* every KIND (...): name is NULL */
    const char *name;
    const char *doc;             /* the ## lines above it, without the ##, or "" */
    struct { Param *at; int count; } params;
    bool folds;                  /* a last ... */
    bool is_short; Expr *value;  /* = flow */
    Block body;                  /* or { } */
    bool from_library;
} Definition;

typedef struct Setting { Place at; struct { const char **at; Place *places; int count; } keys; Expr *value; } Setting;
typedef enum { ITEM_IMPORT, ITEM_CONST, ITEM_DATA, ITEM_TRAIN, ITEM_MODEL, ITEM_DEFINITION, ITEM_REWRITE,
               ITEM_EXAMPLE } ItemKind;
typedef struct Item {
    ItemKind kind;
    Place at;
    const char *name;            /* DATA, MODEL; the path of an IMPORT */
    struct { Binding *at; int count; } bindings;        /* CONST */
    struct { Setting *at; int count; } settings;        /* DATA, TRAIN */
    Block body;                                         /* MODEL */
    Definition *definition;                             /* DEFINITION; for EXAMPLE the definition above it, or NULL */
    Expr *left, *right;                                 /* REWRITE: left => right; EXAMPLE: left */
} Item;
typedef struct File { const Source *source; Item **at; int count; } File;

/* parse.c. Errors are reported and counted; the items that could be read are returned. Never NULL. */
File *parse_source(const Source *source);
/* Reads a file from disk; on failure reports it (at the import's place; without one if at is NULL) and gives NULL. */
const Source *source_read(const char *path, const Place *at);
void tokens_print(const Source *source, FILE *to);      /* --emit=tokens */

/* paint.c: calls paint for each part of the text, in order; joined they are the text. The text must be fit to be parsed. */
typedef enum { PART_BLANK, PART_COMMENT, PART_DOC, PART_KEYWORD, PART_DEFINED, PART_CALL, PART_REDUCTION, PART_CONSTANT,
               PART_NUMBER, PART_STRING, PART_NAME, PART_SIGN } TextPart;
typedef void PaintPart(TextPart part, const char *text, size_t length, void *data);
void text_paint(const Source *source, PaintPart *paint, void *data);

/* print.c */
void ast_print(const File *file, FILE *to);             /* --emit=ast: a tree, one node a line, with its place */
const char *expr_text(const Expr *e);                   /* the expression as dlnc --format writes it, on one line */

/* format.c: the file in its canonical form, comments kept; formatting that again changes nothing. Lines <= 120 where
 * possible. Only for a file that was parsed without an error. */
const char *format_source(const File *file);
#endif
