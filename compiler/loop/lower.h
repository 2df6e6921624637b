/* lower.h: kernels -> loops. One file for each schedule; lower.c chooses none, it does what fuse.c decided. */
#ifndef DLNC_LOWER_H
#define DLNC_LOWER_H
#include "loop/scope.h"

/* scalar.c: plain loops, for any equation. */
void scalar_kernel(Scope *s, Body *to);
void scalar_equation(Scope *s, const Equation *e, Body *to);

/* lower.c */
typedef struct Functions { LIST(Function *) list; } Functions;
Function *function_new(Functions *to, const char *head);
Functions kernel_functions(const Plan *p, const ProgramPlan *program, const Kernel *k, CoreUse *use);
#endif
