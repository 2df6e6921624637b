/* program.h: the tensor program, dlnc's one representation between the language and the loops: equations
 *
 *     out[left] = test ? reduction[reduced] value : 0          for every place of the indices
 *
 * over tensors of known shape. Fused axes, packs, pieces' ranges, `else`, `mean`, divided subscripts, scopes and calls
 * have ended in the elaborator: (i, j) is the Sum len(j) i + j; a piece is an equation whose left side has constants;
 * `r else e` is SELECT(IN and .., READ, e); a subscript A / k is EXACT(A, k) under the test MOD(A, k) == 0; a mean is a
 * sum divided by a count. Sums and nodes are immutable and hash-consed: equal means the same pointer. Every index is an
 * object of its own, so a substitution cannot capture. Read struct Equation first. */
#ifndef DLNC_PROGRAM_H
#define DLNC_PROGRAM_H
#include "base/arena.h"
#include "base/diag.h"
#include <stdint.h>

enum { MAX_RANK = 12 };
typedef struct Node Node;
typedef struct Tensor Tensor;

/* ---- indices and integer sums ---- */
/* 0 <= index < extent. The batch index runs over the samples that are there, n <= extent. */
typedef struct Index { int extent; bool batch; int id; const char *name; } Index;
typedef struct Term { int factor; const Index *index; const Node *atom; } Term;     /* one of index and atom is set; an atom is an int Node */
typedef struct Sum { int id, constant, count; Term term[]; } Sum;                   /* constant + terms; terms sorted, factors not 0 */

const Index *index_new(const char *name, int extent, bool batch);
const Sum *sum_constant(int c);
const Sum *sum_index(const Index *i);
const Sum *sum_node(const Node *int_node);       /* a Sum from any int Node: NUM, INT, or an atom */
/* Numbers of a sum are held within int; what leaves it is told once as an error of the program. */
const Sum *sum_add(const Sum *a, const Sum *b);  /* knows k FLOOR(A, k) + MOD(A, k) = A */
const Sum *sum_sub(const Sum *a, const Sum *b);
const Sum *sum_scale(const Sum *a, int k);
const Sum *sum_offset(const Sum *a, int c);
const Sum *sum_floor(const Sum *a, int k);       /* floor(a / k), k > 0: what divides is taken out */
const Sum *sum_mod(const Sum *a, int k);         /* a mod k, 0 .. k - 1 */
const Sum *sum_exact(const Sum *a, int k);       /* a / k, meant only where it is whole */
typedef struct Range { int64_t low, high; } Range;
Range sum_range(const Sum *a);                   /* every value lies in low .. high; a gather's range is unbounded */
const Index *sum_plain(const Sum *a);            /* the index that a is, or NULL */
bool sum_is_constant(const Sum *a);
bool sum_is_affine(const Sum *a);                /* indices only, no atoms */
bool sum_is_gather(const Sum *a);                /* an atom that is no FLOOR, MOD, EXACT; also inside of those */
int  sum_factor(const Sum *a, const Index *i);   /* of a bare term; 0 if none */
bool sum_uses(const Sum *a, const Index *i);     /* also inside atoms */

/* ---- expressions ---- */
typedef enum { TYPE_FLOAT, TYPE_INT, TYPE_BOOL } Type;

/* One line for each operation: name, arguments, how it is printed and called. From it follow the enum and the table. */
#define OPERATIONS(X) \
    X(NUM, 0, "num")       /* number */ \
    X(COUNT, 0, "count")   /* number * n, n the batch length: int */ \
    X(INT, 0, "int")       /* sum[0] as an int value */ \
    X(READ, 0, "read")     /* tensor[sum[0], ..] */ \
    X(RAND, 0, "rand")     /* uniform in [0, 1): site (extent), sum[0] the element's place */ \
    X(IN, 0, "in")         /* 0 <= sum[0] < extent */ \
    X(FLOOR_DIV, 0, "//")  /* floor(sum[0] / extent), an atom */ \
    X(MOD, 0, "%")         /* sum[0] mod extent, an atom */ \
    X(EXACT, 0, "/")       /* sum[0] / extent, an atom */ \
    X(SELECT, 3, "?:")     /* arg[0] ? arg[1] : arg[2]; both may be computed, only the taken one counts */ \
    X(STOP, 1, "stop") X(NEG, 1, "-") X(NOT, 1, "not") X(TO_FLOAT, 1, "float") X(TO_INT, 1, "int") \
    X(ADD, 2, "+") X(SUB, 2, "-") X(MUL, 2, "*") X(DIV, 2, "/") X(POW, 2, "^") X(MAX, 2, "max") X(MIN, 2, "min") \
    X(EQ, 2, "==") X(NE, 2, "!=") X(LT, 2, "<") X(GT, 2, ">") X(LE, 2, "<=") X(GE, 2, ">=") X(AND, 2, "and") X(OR, 2, "or") \
    X(EXP, 1, "exp") X(LOG, 1, "log") X(LOG1P, 1, "log1p") X(EXPM1, 1, "expm1") X(SQRT, 1, "sqrt") X(TANH, 1, "tanh") \
    X(ERF, 1, "erf") X(SIN, 1, "sin") X(COS, 1, "cos") X(ABS, 1, "abs") X(SIGN, 1, "sign") X(FLOOR, 1, "floor") \
    X(PROBIT, 1, "probit")
typedef enum {
#define X(name, args, text) OP_##name,
    OPERATIONS(X)
#undef X
    OP_OPERATIONS
} Op;
extern const struct OpInfo { const char *name; int args; const char *text; } op_info[OP_OPERATIONS];

struct Node {
    int id;                      /* order of creation */
    Op op; Type type;
    const Node *arg[3];
    double number;               /* NUM, COUNT */
    Tensor *tensor;              /* READ */
    int extent;                  /* IN, FLOOR_DIV, MOD, EXACT: the bound or divisor; RAND: the site */
    int sums; const Sum *const *sum;
    int indices; const Index *const *index;      /* the indices that occur in it, by id; cached */
};
/* Constructors fold by the ranges of indices (IN that is proved, comparisons of sums, 0 + x, 1 * x, a choice between
 * equals); so the result need not have the op that was asked for. */
const Node *node_float(double v);
const Node *node_int(int v);
const Node *node_bool(bool v);
const Node *node_count(double c);                /* c * n */
const Node *node_sum(const Sum *a);              /* an int value: NUM, INT, or the atom itself */
const Node *node_read(Tensor *t, const Sum *const *subs);        /* t->rank subscripts */
const Node *node_read_at(Tensor *t, const Index *const *index);
const Node *node_rand(int site, const Sum *place);
const Node *node_in(const Sum *a, int extent);
const Node *node1(Op op, const Node *a);
const Node *node2(Op op, const Node *a, const Node *b);          /* also FLOOR_DIV and MOD of two values: a // b, a % b */
const Node *node_select(const Node *c, const Node *a, const Node *b);
const Node *node_and(const Node *a, const Node *b);              /* NULL counts as true */
const Node *node_guard(const Node *test, const Node *e);         /* test ? e : 0; a NULL test is true */
const Node *node_to_float(const Node *e);
bool node_is_number(const Node *e, double v);    /* a float or int NUM of that value */
bool node_is_true(const Node *e), node_is_false(const Node *e);
bool node_uses(const Node *e, const Index *i);
int  node_conjuncts(const Node *test, const Node **out, int room);       /* the parts of a and b and ..; their number (may exceed room) */

/* ---- substitution, walking ---- */
/* Replaces indices by sums, everywhere, all at once. */
typedef struct Substitution { int count, room; const Index **index; const Sum **value; } Substitution;
void substitution_set(Substitution *s, const Index *i, const Sum *value);
const Sum  *sum_substitute(const Sum *a, const Substitution *s);
const Node *node_substitute(const Node *e, const Substitution *s);
/* e with its children (arguments, and atoms inside its sums) replaced by f(child, data), folded again. */
typedef const Node *NodeMap(const Node *e, void *data);
const Node *node_rebuild(const Node *e, NodeMap *f, void *data);
const Sum  *sum_rebuild(const Sum *a, NodeMap *f, void *data);
const Node *node_walk(const Node *e, NodeMap *f, void *data);    /* bottom up: f(rebuilt e) */
/* Calls f once for every distinct node of e, atoms of sums included, parents first. */
typedef void NodeVisit(const Node *e, void *data);
void node_visit(const Node *e, NodeVisit *f, void *data);

/* ---- tensors ---- */
typedef enum {
    ROLE_TEMP,                   /* made by this program's equations */
    ROLE_INPUT,                  /* given by the caller at each call: inputs and data fields; first axis the batch */
    ROLE_PARAM,                  /* trained */
    ROLE_STATE,                  /* kept, not trained: moving means, what an optimizer keeps, frozen parameters' values too */
    ROLE_TOTAL,                  /* added up over a pass over the data, in double */
    ROLE_SETTING,                /* one number of the run that the command line may change: lr */
    ROLE_CLOCK,                  /* one number that the run keeps: iteration, epoch, epoch_end, steps, val_loss ... */
    ROLE_CONST                   /* data known to the compiler */
} Role;
struct Tensor {
    const char *name;            /* unique in the model: dense.w, dense.z', ddense.w */
    int id, rank, extent[MAX_RANK];
    bool batch;                  /* its first axis is the batch */
    Type type; Role role;
    Place at;                    /* where it is written in the .dln */
    const double *data;          /* CONST: rank extents of numbers. SETTING: one, the default */
    bool automatic;              /* named by the compiler: may be renamed when it is given a name */
    /* derivative y by x = d: what is to be used for dy/dx; x and d over the tensor's own axes, given as indices in axis */
    struct Derivative { const Node *by, *value; struct Derivative *next; } *derivative;
    const Index *axis[MAX_RANK];
    /* PARAM, STATE: how it is called, and how its axes lie, in a PyTorch file */
    const char *foreign; int foreign_rank; const Sum *const *foreign_subs; int foreign_indices; const Index *const *foreign_index;
    const int *foreign_extent;   /* the shape there: several tensors may be parts of one (foreign.c) */
    bool frozen;                 /* PARAM: trainable = false */
    bool measures;               /* STATE: of a loss or metric; what predicts does without it */
};
int64_t tensor_size(const Tensor *t);            /* elements, at the full batch */

/* ---- equations ---- */
typedef enum { RED_NONE, RED_SUM, RED_MAX, RED_MIN, RED_ARGMAX, RED_ARGMIN, RED_ANY, RED_ALL } Reduction;
extern const char *const reduction_name[];
typedef struct Loop { int id, extent, step; } Loop;              /* step 1 or -1 */
typedef struct Equation {
    Tensor *out;
    const Sum *left[MAX_RANK];   /* out->rank sums, affine in `index`; one with a gather: a scatter, out[left] += value */
    int indices; const Index *index[MAX_RANK];
    Reduction reduction;         /* argmax over several indices: the fused place, reduced[0] outermost */
    int reduced_count; const Index *reduced[MAX_RANK];
    const Node *value;
    const Node *test;            /* over `index` only, or NULL: where it is false the value is 0 and nothing is read */
    Loop *loop; const Index *step;               /* inside a scan: the loop, and which index of the equation is its step */
    Place at;                    /* the .dln line it comes from */
    const char *layer;           /* path of the call it comes from: "block.dense_2"; "" for the model itself */
} Equation;
bool equation_is_scatter(const Equation *e);
void equation_visit(const Equation *e, NodeVisit *f, void *data);       /* node_visit over value, test and left side */

/* When the program ends, state holds value (of the same shape). add: value is added to it (totals). */
typedef struct Update { Tensor *state, *value; bool add; } Update;
typedef struct Output { const char *name; Tensor *value; } Output;
/* The equations in an order in which they can be computed; those of a loop stand together. */
typedef struct Program {
    const char *name;            /* step, evaluate, predict, initialize, .. */
    bool wide;                   /* compute in double: what is made of totals */
    bool training;
    LIST(Equation *) equations;
    LIST(Update) updates;
    LIST(Output) outputs;
    int first_backward;          /* equations from here on are the gradient's and the optimizer's (for the dumps); -1: none */
} Program;

Tensor *tensor_new(const char *name, int rank, const int *extent, bool batch, Type type, Role role);    /* the name is made unique with ' and numbers */
Equation *equation_new(Tensor *out, const Sum *const *left, int indices, const Index *const *index, const Node *value);
Equation *equation_map(Tensor *out, const Index *const *index, const Node *value);     /* out[index] = value */
Equation *equation_copy(const Equation *e);
void program_reset(void);        /* forgets all nodes, sums, names: with arena_release() */
void names_reset(void);          /* names may be used again from here (a new model) */

/* print.c: in the language's own notation, --emit=program */
const char *sum_text(const Sum *a);
const char *node_text(const Node *e);
const char *equation_text(const Equation *e);
void program_print(const Program *p, FILE *to);

/* verify.c: the invariants; a violation is a bug() that names the pass and prints the equation. */
void program_verify(const Program *p, const char *after_pass);
/* prove.c: calls found for each read and axis that neither ranges nor tests prove to be inside; a gather is never named
 * (it is held within its axis). The C text holds these within their axes. */
typedef void UnprovedRead(const Node *read, int axis, void *data);
void equation_unproved(const Equation *e, UnprovedRead *found, void *data);
int  program_unproved(const Program *p);         /* how many */

/* interpret.c: the oracle. Evaluates element by element in double and shares no code with emission. Values of leaves are
 * set by the caller; every read is checked against its bounds. */
typedef struct Values Values;
Values *values_new(int n, uint64_t seed, int64_t iteration);     /* n: the batch length */
double *values_of(Values *v, Tensor *t);         /* row-major, tensor_size() elements with the first axis cut to n; made (zero) when missing */
void interpret(const Program *p, Values *v);     /* equations, then updates; may be called again and again */
void values_iteration(Values *v, int64_t iteration);             /* the next step: other random numbers */
/* Every result of a float operation is off by up to `jitter` of itself, chosen by salt, the operation and the result: what
 * moves by more than a little stands where rounding decides. With an odd salt a sum of which nothing but rounding is left
 * is 0. apart: sums of nothing but zeros are off too, as those of terms that cancel. jitter 0: none. */
void values_jitter(Values *v, double jitter, uint64_t salt, bool apart);

/* differentiate.c */
typedef struct Gradient { Tensor *of, *gradient; } Gradient;     /* gradient NULL: nothing reaches it */
/* Appends the backward equations of `seeds` (of: a tensor, gradient: its adjoint, given) to p and fills in `wanted`. */
void differentiate(Program *p, const Gradient *seeds, int seed_count, Gradient *wanted, int wanted_count);

/* simplify.c: the normal forms of the language reference, section 8. Keeps outputs and updates. */
void simplify(Program *p);
#endif
