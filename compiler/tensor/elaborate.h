/* elaborate.h: what the files of the elaborator share. It runs the statements of a model block as an interpreter would,
 * but what it computes with are Values: compile-time numbers, words and lists, layers, and tensors, whose arithmetic
 * appends equations to a program. Each call of a definition has a Scope: the names, ranges of indices and packs of its
 * body. In the order of the pipeline:
 *
 *     symbols.c    definitions, constants, imports             value.c      arithmetic on values
 *     scope.c      names, ranges, packs; located errors        ranges.c     subscripts, inference of ranges
 *     express.c    expressions                                 reads.c      reads of tensors, `else`, reductions
 *     bind.c       arguments to parameters                     calls.c      calls, layers as values, rewrites
 *     equations.c  equations, pieces, updates, totals          holders.c    parameters, states, their initial values
 *     scan.c       loops                                       statements.c blocks
 *     elaborate.c  the model block, examples                   measures.c   loss and metrics
 *     train.c      optimizers, schedules, settings
 *
 * An error is reported where it is seen, VALUE_POISON takes its place and silences what follows from it. */
#ifndef DLNC_ELABORATE_H
#define DLNC_ELABORATE_H
#include "base/text.h"
#include "tensor/model.h"

typedef struct Scope Scope;
typedef struct Part Part;
typedef struct Whole Whole;
typedef struct Value Value;

/* ---- values ------------------------------------------------------------------------------------------------------ */
typedef enum {
    VALUE_POISON,                /* follows from an error that was reported */
    VALUE_NONE,
    VALUE_NUMBER,                /* known now: type, number */
    VALUE_STRING, VALUE_WORD,    /* text */
    VALUE_LIST,                  /* list */
    VALUE_PART,                  /* part: a definition with some of its arguments */
    VALUE_TENSOR,                /* whole: one or more axes */
    VALUE_NODE,                  /* node: one number, known at run time; over the indices of the equation it stands in */
    VALUE_FIELD                  /* text: a data field whose shape is not known yet (train block) */
} ValueKind;

typedef struct ValueList { int count; Value *at; Tensor *constant; } ValueList;

struct Value {
    ValueKind kind;
    Type type;
    double number;
    union { const char *text; ValueList *list; Part *part; const Whole *whole; const Node *node; };
};
/* holder: the parameter or state whose value it is, if it is given by the name of one to an optimizer. */
typedef struct NamedValue { const char *name; Value value; Place at; Tensor *holder; } NamedValue;
typedef LIST(NamedValue) NamedValues;

/* The call that made a value: for rewrites. inner: the call whose value this call handed on. */
typedef struct Origin {
    const Definition *definition;
    NamedValue *args; int count;
    const struct Origin *inner;
} Origin;

/* A tensor as an expression over indices of its own. A leaf is a read of a tensor at just these indices. */
struct Whole {
    int rank;
    const Index *axis[MAX_RANK];
    const Node *node;
    const char *name;            /* what it is called if it must be computed: the path of the call that made it, or NULL */
    const Origin *origin;
};

/* `layer n = ..`: one set of weights. */
typedef struct Shared { const char *name, *path; Scope *last; Place at; } Shared;

/* A definition (or a function of one number) as a value. */
struct Part {
    const Definition *definition;
    Op function;                 /* if definition is NULL */
    NamedValues args;            /* by the names of parameters */
    const Tree *weights; Place weights_at;       /* weights = .. */
    Shared *shared;
    Place at;
};

/* ---- scopes ------------------------------------------------------------------------------------------------------ */
/* Equations that each give a part of one tensor. */
typedef struct Pieces { Tensor *tensor; LIST(Equation *) equations; bool closed; Place at; } Pieces;

typedef struct Entry {
    const char *name;
    Value value;
    Place at;
    Tensor *holder;              /* the PARAM, STATE or TOTAL whose value it is: what `update` changes */
    Pieces *pieces;
} Entry;

/* Where the extent of an index comes from. */
typedef struct AxisRange {
    const char *name;
    int extent; bool batch;
    bool given;                  /* by `in`: it may be shorter than an axis it reads */
    Place at; const char *what;  /* for messages: "axis 2 of x, [n, 28, 28]" */
} AxisRange;
typedef struct Pack { const char *name; int count; const char **names; } Pack;
typedef struct Bound { const char *name; const Node *node; } Bound;
typedef struct Local { const char *name; int low, high; } Local;
typedef LIST(const Node *) Tests;

struct Scope {
    Elaboration *e;
    const Definition *definition;                /* NULL: the model block, the train block, an example */
    Scope *caller; Place call_at;
    const char *path;                            /* of the call: "h.0.block", "" for the model */
    const char *prefix;                          /* what its holders and inner calls are named under; path, or more in a repeat */
    LIST(Entry) entries;
    LIST(AxisRange) ranges;
    LIST(Pack) packs;
    LIST(const char *) words;
    LIST(Bound) bound;                           /* indices of the equation that is being read, innermost last */
    LIST(Local) locals;                          /* i in a..b of this equation */
    const char *target;                          /* the name on the left side of this equation, or NULL */
    Tests *tests;                                /* inside `r else e`: collects what must hold for r */
    Value last; Place last_at; bool last_unused; /* the value of the statement before */
    bool trainable, in_train, example;
    bool broken;                                 /* a name of it is poison: what is missing because of that is not reported */
    Part *penalty;                               /* penalty = .. of this call or one round it */
    Value fan_in, fan_out;                       /* VALUE_NONE: not known */
    const struct Left *fill;                     /* an init: the left side of the holder to fill */
    int depth;
    int layer;                                   /* its place in model->layers, or -1 */
};

/* ---- one elaboration --------------------------------------------------------------------------------------------- */
typedef struct PointerMap { const void **key; void **value; int count, room; } PointerMap;
void *map_get(const PointerMap *m, const void *key);             /* NULL if it is not there */
void map_set(PointerMap *m, const void *key, void *value);

/* every_variable(e): e of each variable, and the tensor that stands for their sum until the last is known. */
typedef struct EveryVariable { const void *key; Tensor *sum; LIST(const Node *) parts; } EveryVariable;
typedef struct NamedOutput { const char *name; Value value; Place at; } NamedOutput;

struct Elaboration {
    const Symbols *symbols;
    Model *model;
    Program *program;
    bool training;
    bool first;                                  /* makes the holders and inputs; later runs find them */
    bool in_block;                               /* elaborate_model is at work */
    bool example, lists_are_inputs;              /* elaborate_example */
    bool averaging;                              /* inside a loss: each part is averaged */
    LIST(const Index *) context;                 /* the indices round the place that is being read, outermost first */
    PointerMap paths;                            /* interned path -> number of calls there */
    PointerMap constants;                        /* Binding -> ConstantValue */
    PointerMap texts;                            /* string with {..} -> its parsed expressions */
    PointerMap kept; int kept_seen;              /* path -> PARAM, STATE */
    PointerMap origins;                          /* tensor -> the Whole of a call's value, for rewrites through views */
    PointerMap used;                             /* the holders that this run met */
    PointerMap updates;                          /* holder -> 1 + its place in program->updates */
    PointerMap penalized;                        /* parameters whose penalty was added */
    Scope *block, *train;                        /* of the model; of loss, metrics, optimizer */
    LIST(const Node *) penalties;
    LIST(NamedOutput) outputs;
    int sites, init_sites;                       /* rand() */
    int calls, loops;
    int nesting;                                 /* of express() and of blocks */
    bool in_init;                                /* initial values are being elaborated */
    const char *layer;                           /* path of the call, for equations */
    Place at;                                    /* the statement, for equations */
    /* optimizer */
    bool in_optimizer;
    PointerMap settings;                         /* interned "adam.lr" -> Tensor */
    PointerMap schedules;                        /* interned "adam.lr" -> Value */
    const char *variable;                        /* path of the parameter that is being updated */
    int optimizer_begin;                         /* the optimizer's first equation, or -1 */
    LIST(EveryVariable) every;
    bool too_large;                              /* was reported */
};

/* ---- value.c ----------------------------------------------------------------------------------------------------- */
Value value_poison(void), value_none(void), value_int(double v), value_float(double v), value_bool(bool v);
Value value_number(double v, Type type);
Value value_text_of(ValueKind kind, const char *text);
Value value_part(Part *p);
Value value_list(int count, Value *at);
Value value_node(const Node *e);                 /* a NUM becomes a VALUE_NUMBER */
Value value_whole(const Whole *w);               /* rank 0 becomes a VALUE_NODE */
Value value_tensor(Tensor *t);                   /* all of it, over fresh indices */
bool value_is_number(Value v, double number);
bool value_is_int(Value v);                      /* a compile-time int */
bool value_is_run_time(Value v);                 /* TENSOR or NODE */
bool whole_is_leaf(const Whole *w);
Tensor *value_leaf(Value v);                     /* the tensor that a leaf (or a NODE that reads all of one) is, or NULL */
const Node *value_to_node(Value v);              /* NUMBER or NODE */
const Node *whole_at(const Whole *w, const Index *const *axis);  /* over other indices of the same extents */
Value value_unary(Scope *s, Op op, Value a, Place at);
Value value_binary(Scope *s, Op op, Value a, Value b, Place at);
Value value_select(Scope *s, Value c, Value a, Value b, Place at);
Value value_to_tensor(Scope *s, Value v);        /* a list of numbers becomes a constant tensor; others as they are */
Value value_const(Scope *s, Value v, Place at, const char *what);       /* a run-time value where one is needed now: folds settings */
const char *value_text(Value v);                 /* for messages and {..} */
const char *value_kind_text(Value v);            /* "a tensor [n, 28]", "the number 3" */
const char *shape_text(int rank, const Index *const *axis);
const char *tensor_shape_text(const Tensor *t);

/* ---- scope.c ----------------------------------------------------------------------------------------------------- */
Scope *scope_new(Elaboration *e, const Definition *d, Scope *caller, Place call_at, const char *path);
bool scope_in_library(const Scope *s);
Entry *scope_find(Scope *s, const char *name);
Entry *scope_set(Scope *s, const char *name, Value v, Place at);        /* a new one, or its new value */
AxisRange *range_find(Scope *s, const char *name);
AxisRange *range_set(Scope *s, const char *name, int extent, bool batch, Place at, const char *what);
Pack *pack_find(Scope *s, const char *name);
Pack *pack_set(Scope *s, const char *name, int count);
const Bound *bound_find(const Scope *s, const char *name);
Local *local_find(Scope *s, const char *name);
void scope_error(Scope *s, Place at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void scope_note_range(Scope *s, const AxisRange *r);
const char *path_join(const char *a, const char *b);
const char *full_name(Scope *s, const char *name);               /* of a tensor of this body: dense.z */
const char *path_count(Elaboration *e, const char *path);        /* made unique among calls: dense, dense_2 */
bool is_index_name(Scope *s, const char *name);
Value name_value(Scope *s, const char *name, Place at);          /* reports unknown names */
Value name_lookup(Scope *s, const char *name, bool *found);
Value part_of_name(Scope *s, const char *name);                  /* VALUE_PART or VALUE_NONE */
Op function_named(const char *name);                             /* exp, log ..; OP_OPERATIONS: none */
Tensor *clock_named(Elaboration *e, const char *name, Type type);
void help_definition(Scope *s, const char *name);                /* did you mean */

/* ---- ranges.c ---------------------------------------------------------------------------------------------------- */
typedef struct Sub Sub;
struct Sub {
    const char *name;            /* a bare name, or NULL */
    const Expr *expr;            /* if it is no index: the expression */
    bool index;                  /* name is an index here */
    int fused; Sub *part;        /* (i, j): its parts */
    bool empty;                  /* (k..) of no axes: one place */
    Place at;
};
typedef LIST(Sub) SubList;
/* Expands packs, notes ranges given by `in`. rank: axes of the tensor that is read, to find a pack's length; -1: unknown.
 * quiet: false instead of a message when a pack is not known. */
bool subs_expand(Scope *s, const Subscripts *subs, int rank, bool quiet, SubList *out);
bool ranges_infer(Scope *s, const Expr *e);                      /* false after an error */
void subscripts_miscounted(Scope *s, const Expr *e, const Whole *w, int count);
bool index_extent(Scope *s, const char *name, Place at, const Expr *e, int *low, int *high, bool *batch);
bool range_agree(Scope *s, const char *name, int extent, bool batch, Place at, const char *what);    /* notes or compares */

/* ---- express.c, reads.c ------------------------------------------------------------------------------------------ */
Value express(Scope *s, const Expr *e);
bool nesting_begin(Scope *s, Place at);                          /* calls and constants nest deeper than the parser sees */
void nesting_end(Scope *s);
Value express_outside(Scope *s, const Expr *e);                  /* where an index's name is the length of its axis */
Value read_base(Scope *s, const Expr *e, bool quiet);            /* what stands before [ ] */
bool express_int(Scope *s, const Expr *e, const char *what, int64_t low, int64_t high, int *out);   /* at compile time */
bool express_truth(Scope *s, const Expr *e, const char *what, bool *out);
const char *express_string(Scope *s, const char *text, Place at);        /* {..} filled in */
Value express_read(Scope *s, const Expr *e);
Value express_else(Scope *s, const Expr *e);
Value express_reduce(Scope *s, const Expr *e);
const Sum *subscript_sum(Scope *s, const Sub *sub, int extent);  /* NULL after an error */
Op ast_op(AstOp op);

/* ---- equations.c ------------------------------------------------------------------------------------------------- */
void equation_run(Scope *s, const Statement *st);
/* Appends out[left] = value; a reduction that was only made for it takes its name instead of being copied. */
void emit(Scope *s, Tensor *out, const Sum *const *left, int indices, const Index *const *index, const Node *value);
const Node *emit_reduction(Scope *s, Reduction reduction, int reduced, const Index *const *index, const Node *value);  /* NULL: an error */
/* The indices of node but those of `without`, in the order of the context, the batch first. -1: too many. */
int free_indices(Elaboration *e, const Node *node, const Index *const *without, int without_count, const Index **out);
Value name_it(Scope *s, const char *name, Value v);              /* a value used by name is computed once */
const Index *index_for(Scope *s, const char *name, int low, int high, bool batch);
bool equation_fits(Scope *s, Place at, int rank, const int *extent);
void pieces_close(Scope *s, Entry *entry);
void equation_add(Elaboration *e, Equation *q);

/* The left side of an equation, taken apart. */
typedef struct Left {
    int rank; const Sum *at[MAX_RANK]; int extent[MAX_RANK]; bool batch[MAX_RANK];
    int indices; const Index *index[MAX_RANK]; const char *name[MAX_RANK]; const Node *value[MAX_RANK];
    bool pieces;
} Left;
bool left_read(Scope *s, const Expr *target, const Expr *value, Left *out);
void left_bind(Scope *s, const Left *l);
void left_release(Scope *s, const Left *l);
const char *target_name(Scope *s, const Expr *target);
const Node *equation_value(Scope *s, const Expr *e, const Left *l);      /* NULL after an error */

/* ---- holders.c --------------------------------------------------------------------------------------------------- */
void holder_run(Scope *s, const Statement *st);                  /* param, state */
void update_set(Elaboration *e, Tensor *holder, Tensor *value, bool add);
void total_run(Scope *s, const Statement *st, Value v);
void update_run(Scope *s, const Statement *st, Value v);
const Sum *foreign_sum(Scope *s, const Sub *sub);                /* reads.c: an axis of `as`, over the holder's indices */
void penalty_add(Scope *s, Value v, Place at);

/* ---- scan.c ------------------------------------------------------------------------------------------------------ */
void scan_run(Scope *s, const Statement *st);

/* ---- bind.c ------------------------------------------------------------------------------------------------------ */
bool param_is_tensor(const Definition *d, int k);                /* it is given or piped, a layer value does not bind it */
int param_find(const Definition *d, const char *name);           /* -1: none */
bool param_admits(const Param *p, const char *type);
bool param_is_part(const Param *p);                              /* layer, init, loss, optimizer, schedule */
Value argument_value(Scope *s, const Param *p, const Expr *e);   /* by the type of the parameter */
NamedValue *named_find(const NamedValues *args, const char *name);
void named_set(NamedValues *args, NamedValue v);
bool header_axes(Scope *s, const NamedValues *args, const Param *p, Value v, Place given);    /* notes the ranges that v gives */
void bind_header(Scope *s, const NamedValues *args);             /* of s->definition: names, ranges, packs */

/* ---- calls.c ----------------------------------------------------------------------------------------------------- */
Value express_call(Scope *s, const Expr *e);
Value express_pipe(Scope *s, const Expr *e);
Value part_express(Scope *s, const Expr *e);                     /* a layer, init, loss .. as a value; or none */
/* Calls d with these arguments. part: for its path and options, or NULL. */
Value call_definition(Scope *s, const Definition *d, NamedValues *args, const Part *part, Place at);
Value call_plain(Scope *s, const Definition *d, NamedValues *args, const Part *part, Place at);     /* no rewrites, no `every` */
bool flow_is_piped(Scope *s, const Expr *e);                     /* begins with a layer that takes the value before */
Value flow_express(Scope *s, const Expr *e, Value before);       /* its head takes `before` */
Value init_value(Scope *s, Value v);                             /* an init becomes its element at the holder's indices */
/* rewrite.c: if a rewrite of the library or file applies, calls its right side. */
void rewrites_check(Scope *s);                                   /* those of the user: reports what has no meaning */
bool rewrite_apply(Scope *s, const Definition *d, const NamedValues *args, Place at, Value *out);

/* ---- builtin.c: functions that are no definitions */
bool builtin_is(const char *name);
Value builtin_call(Scope *s, const Expr *e, const char *name, Value piped, bool has_piped);

/* ---- statements.c ------------------------------------------------------------------------------------------------ */
void block_run(Scope *s, const Block *b);
void body_run(Scope *s);                                         /* of s->definition: value in s->last */

/* ---- elaborate.c ------------------------------------------------------------------------------------------------- */
Value example_input(Scope *s, const Expr *e, Type type);         /* float[2, 3], int[4] of an example */
Tensor *input_new(Elaboration *e, const char *name, int rank, const int *extent, Type type, Place at);

/* ---- settings.c -------------------------------------------------------------------------------------------------- */
Tree *tree_of(Scope *s, const Expr *x);          /* what is the host program's to read; NULL after an error */

/* ---- train.c, measures.c ----------------------------------------------------------------------------------------- */
Scope *train_scope(Elaboration *e);
Value setting_value(Scope *s, const Param *p, Value v);          /* a number of an optimizer becomes a setting, a schedule its value */
const Node *sum_of(const Node *const *part, int count);          /* a balanced tree: no walk over it gets deep */
Value schedule_of_part(Scope *s, const Part *p);                 /* its number in this iteration */
bool settings_fold(Elaboration *e, const Node *node, double *out);       /* made of settings and numbers only */
bool settings_look(Elaboration *e, const Node *node, double *out);       /* the same, and the settings stay changeable */
Value every_variable(Scope *s, const Expr *arg, Place at);
Value measure_call(Scope *s, const Definition *d, NamedValues *args, const Part *part, Place at);
Value optimizer_call(Scope *s, const Definition *d, NamedValues *args, const Part *part, Place at);
#endif
