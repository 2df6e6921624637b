/* lower.h: kernels -> loops. One file for each schedule; lower.c chooses none, it does what fuse.c decided. */
#ifndef DLNC_LOWER_H
#define DLNC_LOWER_H
#include "loop/scope.h"

/* scalar.c: plain loops, for any equation. */
void scalar_kernel(Scope *s, Body *to);
void scalar_equation(Scope *s, const Equation *e, Body *to);
/* The loops of the reduced indices and what they leave: a sum, the best value, its place. */
const CExpr *scalar_reduction(Scope *s, const Equation *e, Body *to);

/* rows.c: SCHEDULE_ROWS and SCHEDULE_SERIAL */
void rows_kernel(Scope *s, Body *to);

typedef struct Functions { LIST(Function *) list; } Functions;
/* contract.c: two functions, the tile and the loops round it */
void tile_kernel(const Scope *begin, Functions *to, const char *name, const char *head);

/* lower.c */
Function *function_new(Functions *to, const char *head);
Functions kernel_functions(const Plan *p, const ProgramPlan *program, const Kernel *k, CoreUse *use);
#endif
