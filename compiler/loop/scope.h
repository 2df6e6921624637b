/* scope.h: from the nodes of an equation to the expressions of a loop. A Scope is one C function that is being made: the
 * names in it, what indices and tensors are in it, and where a `const real x = ..;` goes. With a lane index, expressions
 * that depend on it are vectors: LANES neighbours along that index at once. */
#ifndef DLNC_SCOPE_H
#define DLNC_SCOPE_H
#include "kernel/group.h"
#include "loop/loop.h"

typedef struct Bound { const Index *index; const CExpr *at; } Bound;
typedef struct Held { const Tensor *tensor; const CExpr *value; bool everywhere; } Held;  /* everywhere: whatever the subscripts */
typedef struct Pointer { Tensor *home; bool written; } Pointer;
typedef struct Shared { const Node *node; int uses; const CExpr *value; } Shared;
typedef struct Repeated { const char *text; int uses; const char *name; const Body *in; } Repeated;   /* named in that body */

typedef struct Scope {
    const Plan *plan;
    const ProgramPlan *program;
    const Kernel *kernel;
    CoreUse *use;
    bool wide;                   /* floats are computed in double */
    bool serves_many;            /* the function serves several kernels */
    Body *body;                  /* where declarations go */
    LIST(Bound) bound;           /* what an index is here; of the lane index: of lane 0 */
    LIST(Held) held;             /* tensors whose element at the equation's place is at hand */
    const Index *slot;           /* in a sequence: of the frame; bound to the parameter `slot` */
    const Index *lane;
    const CExpr *lane_from, *lane_below;         /* rows.c: a block of the lane's loop; NULL: all of it */
    const CExpr *lanes_left;     /* so many lanes are meant, the others may be anything; NULL: all. Loads from the caller's
                                    arrays and tables take no more (load_part); in the memory there is always room */
    LIST(Pointer) pointers;      /* tensors in memory that the function touches */
    LIST(const char *) names;
    LIST(const char *) tensors;  /* the C names of all tensors of the kernel, as c_name() gives them: a variable has none
                                    of them but its own */
    LIST(int) sites;             /* of rand() */
    LIST(Shared) shared;         /* subexpressions of this equation that occur more than once */
    LIST(Repeated) repeated;     /* offsets that the equations at hand have more than once */
    int guarded;                 /* inside what a scalar test may skip: nothing is declared */
    const Equation *equation;
} Scope;

/* ---- names ---- */
void scope_tensors(Scope *s);                                    /* first: notes the names of the kernel's tensors */
const char *scope_name(Scope *s, const char *base);              /* base, or base2, ..: new in this function */
void scope_name_taken(Scope *s, const char *name);               /* by a parameter */
void scope_bind(Scope *s, const Index *i, const CExpr *at);      /* replaces what it was */
const CExpr *scope_bound(const Scope *s, const Index *i);        /* NULL: unbound */
const char *scope_index(Scope *s, const Index *i);               /* a new variable for it, and binds it */
const CExpr *index_end(const Index *i);                          /* its extent, run->n for the batch */
CType float_type(const Scope *s);                                /* C_REAL or C_WIDE */
const char *type_name(CType type);

/* ---- values ---- */
void scope_equation(Scope *s, const Equation *e);                /* begins with the expressions of e: counts what is shared */
const CExpr *scope_sum(Scope *s, const Sum *a);                  /* C_INT, or C_INTS if it depends on the lane */
const CExpr *scope_value(Scope *s, const Node *e);               /* of the type that it has; see cexpr_to */
const CExpr *scope_test(Scope *s, const Node *e);                /* C_BOOL or C_MASK */
const CExpr *cexpr_to(Scope *s, const CExpr *e, CType type);     /* converted */
const CExpr *scope_let(Scope *s, const char *base, const CExpr *value);  /* a name for the value, unless it is one */
/* The offset of t[subs], in elements, by the layout of its storage; subscripts that gather are held inside. */
const CExpr *scope_offset(Scope *s, const Tensor *t, const Sum *const *subs);
/* Before the equations of a loop body are written: which offsets occur again and again, and are worth a name. */
void scope_repeated(Scope *s, int first, int count);
const CExpr *scope_named(Scope *s, const CExpr *offset);         /* by the name of what it has in common with those */
/* Where t[subs] is stored: t's pointer is noted as written. */
const CExpr *scope_element(Scope *s, Tensor *t, const Sum *const *subs);
/* The plain part of the place of t[subs] in elements, by its storage: for the strides. */
const Sum *scope_place(const Scope *s, const Tensor *t, const Sum *const *subs);
/* Stores a vector at t[subs] of lane 0; left: so many lanes (NULL: all). */
void scope_store_lanes(Scope *s, Tensor *t, const Sum *const *subs, const CExpr *value, const CExpr *left);
/* v where a scalar test holds, else 0; test may be NULL. */
const CExpr *scope_tested(Scope *s, const Node *test, const CExpr *v);
void scope_hold(Scope *s, const Tensor *t, const CExpr *value, bool everywhere);
CType lanes_type(const Tensor *t);               /* of a vector of its elements */
CType element_type_of(const Scope *s, const Tensor *t);          /* of one element in memory: C_BOOL, C_INT, C_REAL, C_WIDE */
const char *scope_pointer(Scope *s, const Tensor *t, bool written);      /* the name of t's pointer */
const CExpr *scope_stored(Scope *s, const Tensor *t, const CExpr *value);        /* the value as it is stored in t */
/* Whether all of e can be computed for the lanes of i at once: loads at a constant stride, no clamps along i. */
bool node_has_lanes(const Scope *s, const Node *e, const Index *i);

/* What the function needs of its run: pointers into memory, keys of random numbers. As declarations before what its body
 * has, or, when one function serves several kernels, as its parameters. */
typedef struct Declaration { const char *type, *name, *value; } Declaration;
typedef struct Declarations { LIST(Declaration) list; } Declarations;
Declarations scope_declarations(Scope *s);
void declare(const Declarations *d, Body *body);
const char *declared_parameters(const Declarations *d);          /* ", const real *const x, .." */
const char *declared_names(const Declarations *d);               /* ", x, .." */
#endif
