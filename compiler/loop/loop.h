/* loop.h: what a kernel does, as loops: seven kinds of statements over typed expressions. loop/ builds it from the
 * equations of a kernel, emit/print.c writes it as C. Names are C names from the beginning; types are those of the
 * generated file (runtime/core/vec.h), scalar or as wide as a vector. */
#ifndef DLNC_LOOP_H
#define DLNC_LOOP_H
#include "base/arena.h"
#include "base/text.h"
#include <stdint.h>

/* ---- expressions ---- */
typedef enum {
    C_BOOL, C_INT, C_WORD, C_REAL, C_WIDE,       /* int (0 or 1), int, uint32_t, real, double */
    C_VEC, C_MASK, C_INTS, C_INTS_MASK           /* LANES reals; truths beside reals; ints; truths beside ints */
} CType;
typedef enum {
    X_NUMBER,                                    /* number, of the type */
    X_NAME,                                      /* name */
    X_AT,                                        /* name[arg 0] */
    X_PLACE,                                     /* name + arg 0: a pointer */
    X_PREFIX,                                    /* name arg 0: "-", "!", "(real)" */
    X_INFIX,                                     /* arg 0 name arg 1 */
    X_CHOICE,                                    /* arg 0 ? arg 1 : arg 2 */
    X_CALL                                       /* name(arg 0, ..) */
} CExprKind;
enum { CEXPR_ARGS = 4 };
typedef struct CExpr {
    CExprKind kind;
    CType type;
    double number;
    const char *name;
    int args;
    const struct CExpr *arg[CEXPR_ARGS];
} CExpr;

const CExpr *cexpr_number(CType type, double number);
const CExpr *cexpr_int(int64_t number);
const CExpr *cexpr_name(CType type, const char *name);
const CExpr *cexpr_at(CType type, const char *array, const CExpr *place);
const CExpr *cexpr_place(const char *array, const CExpr *offset);   /* the address of array[offset] */
const CExpr *cexpr_prefix(CType type, const char *op, const CExpr *a);
const CExpr *cexpr_infix(CType type, const char *op, const CExpr *a, const CExpr *b);
const CExpr *cexpr_choice(const CExpr *test, const CExpr *a, const CExpr *b);
const CExpr *cexpr_call(CType type, const char *function, int args, const CExpr *const *arg);
const CExpr *cexpr_call1(CType type, const char *function, const CExpr *a);
const CExpr *cexpr_call2(CType type, const char *function, const CExpr *a, const CExpr *b);
const CExpr *cexpr_call3(CType type, const char *function, const CExpr *a, const CExpr *b, const CExpr *c);
/* ints, folded: 0 + a, 1 * a, numbers */
const CExpr *cexpr_add(const CExpr *a, const CExpr *b);
const CExpr *cexpr_scale(const CExpr *a, int64_t factor);
bool cexpr_is_number(const CExpr *e, double number);
bool type_is_vector(CType type);

/* ---- statements ---- */
typedef enum { S_FOR, S_LET, S_STORE, S_REDUCE, S_IF, S_CALL, S_COMMENT } StmtKind;
typedef struct Stmt Stmt;
typedef struct Body { LIST(Stmt *) list; } Body;
struct Stmt {
    StmtKind kind;
    const char *name;            /* FOR: the variable; LET: what it declares; REDUCE: the operator "+=", "max", "min", "argmax", ..;
                                    IF: NULL; CALL: the whole text without `;`; COMMENT: the text */
    const char *pragma;          /* FOR: a macro on the line before, or NULL */
    const char *type;            /* LET: the C type with its qualifiers */
    const CExpr *from, *below;    /* FOR: from <= name < below */
    const char *step;            /* FOR: "LANES"; NULL: 1 */
    bool down;                   /* FOR: from below - 1 to from */
    const CExpr *place, *value;   /* STORE, REDUCE: where, what; LET: value (NULL: none); IF: value is the test */
    const CExpr *where;           /* REDUCE argmax, argmin: the variable of the best place, the place */
    const CExpr *at;
    const char *macro;           /* FOR: a macro of the core is the loop: EACH_TILE(r, c) */
    Body body, other;            /* FOR, IF; other: else. A FOR without name or macro is a block { .. } under its pragma */
};

Stmt *stmt_for(Body *to, const char *name, const CExpr *from, const CExpr *below);
Stmt *stmt_block(Body *to, const char *pragma);                 /* { .. }, for OMP_SINGLE */
Stmt *stmt_macro(Body *to, const char *macro);
Stmt *stmt_let(Body *to, const char *type, const char *name, const CExpr *value);
Stmt *stmt_store(Body *to, const CExpr *place, const CExpr *value);
Stmt *stmt_reduce(Body *to, const char *op, const CExpr *place, const CExpr *value);
Stmt *stmt_if(Body *to, const CExpr *test);
Stmt *stmt_call(Body *to, const char *text);
Stmt *stmt_comment(Body *to, const char *text);

/* One C function. */
typedef struct Function {
    LIST(const char *) comment;  /* above it, a line each */
    const char *head;            /* static void step_dense_z(const struct run *run) */
    Body body;
} Function;

/* emit/print.c */
void print_real(bool wide);      /* from now on numbers of type real are written as doubles, or end in f */
void cexpr_print(const CExpr *e, Text *to);
const char *cexpr_text(const CExpr *e);
void body_print(const Body *b, int indent, Text *to);
void function_print(const Function *f, Text *to);
#endif
