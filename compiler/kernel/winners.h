/* winners.h: how the loops of a sum over winners run (winners.c); within kernel/ and loop/ only. For each window and
 * column, that is each element of `amount` that is not 0, a row of `width` results for every other tap is added to:
 *
 *     sum     part[h, column, taps] += operand[.. winner .., taps] * amount
 *     spread  out[.. winner .., taps] += operand[taps, column] * amount */
#ifndef DLNC_WINNERS_H
#define DLNC_WINNERS_H
#include "kernel/group.h"

typedef struct WinnerDigit { int factor, extent; const Node *atom; } WinnerDigit;       /* atom: winner / factor mod extent */
struct Winners {
    bool spread;
    const Node *amount, *winner, *operand;       /* READs */
    const Index *sample, *column;
    const Index *part;           /* sum: part[h] is of the samples h samples .. */
    int samples;
    int windows; const Index *window[MAX_RANK];  /* outermost first */
    int winners;                 /* places of a window */
    int digits; WinnerDigit digit[MAX_RANK];
    int taps; const Index *tap[MAX_RANK];        /* by falling step; the last `run` of them are `width` elements side by side */
    int run, width;
    int chunk, rows;             /* so many elements of so many rows (the tap before the run) are summed at once in registers */
    int group;                   /* so many places of window[0] at a time */
    int block;                   /* so many columns at a time */
    bool padded;                 /* sum: the operand has borders, */
    int low[MAX_RANK], extent[MAX_RANK];         /* and is read from low on */
};
const Index *winners_row(const Winners *w);      /* the tap of the rows, or NULL */

/* Before the other rewritings: sums of products with tensors that are 0 but at winners. */
void find_winners(const Program *p, const EmitOptions *options, Equations *all, Tiles *tiles);
/* The operand has been put into a copy with borders. */
void pad_winners(Winners *w, const Node *padded, Equation *e);
#endif
