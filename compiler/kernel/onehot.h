/* onehot.h: tensors with one winner in each window (onehot.c), for winners.c. */
#ifndef DLNC_ONEHOT_H
#define DLNC_ONEHOT_H
#include "kernel/group.h"

typedef LIST(const Index *) Indices;

/* A tensor with one winner in each window, by its equation in indices that spell out place and window. */
typedef struct OneHot {
    const Equation *maker;
    Indices index;
    const Sum *left[MAX_RANK];
    const Node *value, *equal;   /* equal: digits == winner */
    const Node *winner;          /* READ of the argmax */
    int digits;
    struct { const Index *index; int factor; } digit[MAX_RANK];  /* the largest factor first; the last is 1 */
    Substitution won;            /* digits by the winner */
    Indices window;              /* the indices that are left, in the order of the axes */
    Tensor *amount;              /* what stands at the winners, by window */
} OneHot;

/* Whether e makes such a tensor: then fills in h. */
bool find_one_hot(OneHot *h, const Equations *all, const Equation *e);
Tensor *one_hot_amount(OneHot *h);
Equation *one_hot_equation(const OneHot *h);     /* of the amounts */
#endif
