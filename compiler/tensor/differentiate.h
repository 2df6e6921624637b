/* differentiate.h: between the files of differentiation. The order in which to read them: needs.c, partials.c,
 * gather.c, differentiate.c. */
#ifndef DLNC_DIFFERENTIATE_H
#define DLNC_DIFFERENTIATE_H
#include "tensor/cons.h"

/* needs.c: which tensors and expressions depend on something that wants a gradient. */
typedef struct Needs { LIST(bool) tensor; Memo *memo; } Needs;   /* tensor: by id */
Needs *needs_of(const Program *p, const Gradient *wanted, int count);
bool needs_tensor(const Needs *n, const Tensor *t);
bool needs_node(const Needs *n, const Node *e);
/* Gives what its own derivative is made of (exp, sqrt, tanh, a / b ...) an equation of its own. */
void store_results(Program *p, Needs *n);

/* partials.c: what a right side hands to each tensor that it reads. */
typedef struct Guarded { const Node *test, *value; } Guarded;    /* value where test holds; NULL: everywhere */
typedef struct Contribution { const Node *read; LIST(Guarded) part; } Contribution;      /* the sum of the parts */
typedef LIST(Contribution) Contributions;
/* Adds to out what every read in e gets that needs a gradient, where adjoint is that of e; result: a read of what e was
 * stored as, or NULL; nothing is handed on where test (may be NULL) is false. */
void partials(const Node *e, const Node *result, const Node *adjoint, const Node *test, const Needs *needs,
              Contributions *out);

/* gather.c: solves sub[k](indices) = place[k] for as many of the indices as possible. */
typedef LIST(const Index *) IndexList;
typedef struct Solution {
    Substitution value;                          /* of what is solved, in terms of place and of what is left */
    const Node *test, *gather_test;              /* where it is one; NULL: everywhere. gather_test: what reads tensors */
    IndexList left;                              /* not solved: summed over (phases are new indices) */
} Solution;
Solution solve(const Sum *const *sub, const Index *const *place, int axes, const IndexList *indices);

/* e with all its indices replaced by new ones, so that no two equations share an index. */
Equation *equation_fresh(const Equation *e);
/* The indices that occur in e, in the order of the equation (indices, then reduced), a batch index first. */
IndexList indices_in(const Equation *equation, const Node *e);
/* A tensor over these indices. */
Tensor *tensor_over(const char *name, const IndexList *indices, Type type);
#endif
