/* rules.h: what the rules of the normal forms (rules_*.c) share; simplify.c runs them. Not for other folders.
 *
 * A rule goes over the equations of a Simplifier, changes them in place, and may put new ones before an equation. What
 * it wants to know about tensors it asks after survey(); what holds of an expression for good (its reads, its normal
 * text) is remembered at the expression, so that a round costs little where nothing changes. */
#ifndef DLNC_RULES_H
#define DLNC_RULES_H
#include "tensor/cons.h"

typedef struct Line {
    Equation *e;
    bool backward; /* it stands behind first_backward */
} Line;
typedef LIST(Line) Lines;

/* What survey() finds out about a tensor. */
typedef struct TensorFacts {
    int stamp;            /* of the survey that filled this in */
    int pieces, position; /* equations that write it; the first one's line */
    Equation *first;
    int reads;              /* places that read it; one inside a shared expression counts twice */
    bool kept;              /* an output, or the value of an update */
    const Equation *copied; /* rule_copies: its value stands where it is read */
    Tensor *same;           /* its reads become reads of this one */
} TensorFacts;

typedef struct Simplifier {
    Program *p;
    Lines lines;
    int stamp, facts;
    TensorFacts *fact; /* by the tensor's id */
} Simplifier;

/* ---- rules_facts.c: questions ---- */
void survey(Simplifier *s);
TensorFacts *tensor_facts(Simplifier *s, const Tensor *t); /* all zero if no equation writes or reads t */
bool tensor_made_in(Simplifier *s, const Tensor *t, const Loop *loop);
/* The only equation of t if it is a map t[i, j, ..] = value: no test, no reduction, each axis an index of its own. */
Equation *tensor_map(Simplifier *s, const Tensor *t);
bool equation_is_map(const Equation *e);
/* May map's value stand in e instead of map.out[subs]? Both outside loops, or in one and at the same step. */
bool reads_same_step(const Equation *e, const Equation *map, const Sum *const *subs);
Substitution map_substitution(const Equation *map, const Sum *const *subs); /* its indices at the place subs */

typedef struct Reads {
    int count;
    struct {
        const Node *node;
        int times;
    } at[];
} Reads; /* times: 1, or 2 for more */
typedef struct Divided {
    const Index *index;
    int divisor;
} Divided; /* a FLOOR_DIV or MOD of an index and a number */
typedef struct RootFacts {
    const Reads *reads;
    int choices, divisions;
    const Divided *divided;
} RootFacts;
const RootFacts *root_facts(const Node *value);
const Reads *equation_reads(const Equation *e);
const Node **
node_memo_stripped(const Node *e); /* where rule_strip, and the normal order of rule_cse, remember results */
const Node **node_memo_normal(const Node *e);

bool node_is_constant(const Node *e);                                    /* made of numbers and the batch length */
bool node_is_costly(const Node *e);                                      /* more than a load: / sqrt exp ..; a draw */
bool node_within(const Node *e, int indices, const Index *const *index); /* uses no other indices */
bool node_uses_any(const Node *e, int indices, const Index *const *index);
bool node_is_guard(const Node *e); /* c ? x : 0 */

enum { MAX_CONJUNCTS = 32 };                                 /* a test of more parts is left as it is */
const Node *conjunction(const Node *const *part, int count); /* NULL if there are none */

/* A product as sign, factors and divisors. */
typedef struct Factor {
    const Node *node;
    bool divides;
} Factor;
typedef struct Product {
    bool negative;
    LIST(Factor) factors;
} Product;
void product_add(Product *p, const Node *e, bool divides);
const Node *product_node(const Product *p); /* the number first, factors, then divisors */

/* ---- rules_facts.c: changes ---- */
void equation_substitute(Equation *e, const Substitution *sub);
void equation_walk(Equation *e, NodeMap *f, void *data); /* value, test and left side */
void equation_settle(Equation *e); /* a test that is a number goes; a sum without indices is a map */
void rename_reads(Simplifier *s);  /* reads, and values of updates, of a tensor with `same` */
/* x, with the reduction, as an equation of its own over the indices of e that it has; *read: what stands for x in e.
 * The caller puts it before e. NULL if it cannot be: two batch axes, or it would have to leave a loop that it reads. */
Equation *equation_own(Simplifier *s, const Equation *e, const Node *x, const Node *test, Reduction reduction,
                       const char *suffix, const Node **read);

/* ---- the rules; R1 .. R7 are numbered in the language reference, section 8 ---- */
void rule_dead(Simplifier *s); /* rules_vanish.c */
void rule_ones(Simplifier *s);
void rule_copies(Simplifier *s);
void rule_strip(Simplifier *s);
void rule_inline_once(Simplifier *s);
void rule_inline_guards(Simplifier *s);
void rule_deltas(Simplifier *s); /* rules_sums.c */
void rule_hoist(Simplifier *s);
void rule_invariant(Simplifier *s);
void rule_cse(Simplifier *s);     /* rules_share.c */
void rule_results(Simplifier *s); /* rules_results.c */
void rule_drops(Simplifier *s);
void rule_split_index(Simplifier *s); /* rules_places.c */
void rule_pieces(Simplifier *s);
void rule_order(Simplifier *s); /* rules_order.c */
void rule_unloop(Simplifier *s);
#endif
