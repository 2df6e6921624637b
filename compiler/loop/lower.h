/* lower.h: kernels -> loops. One file for each schedule; lower.c chooses none, it does what fuse.c decided. */
#ifndef DLNC_LOWER_H
#define DLNC_LOWER_H
#include "loop/scope.h"

/* scalar.c: plain loops, for any equation. */
void scalar_kernel(Scope *s, Body *to);
void scalar_equation(Scope *s, const Equation *e, Body *to);
/* The loops of the reduced indices and what they leave: a sum, the best value, its place. */
const CExpr *scalar_reduction(Scope *s, const Equation *e, Body *to);

/* The loops over e's reduced indices, and their fused place; the body of the innermost. */
Body *reduced_loops(Scope *s, const Equation *e, Body *to, const CExpr **fused);

/* product.c: SCHEDULE_PRODUCT */
void product_kernel(Scope *s, Body *to);

/* winners.c: SCHEDULE_WINNERS */
void winners_kernel(Scope *s, Body *to);

/* rows.c: SCHEDULE_ROWS and SCHEDULE_SERIAL */
void rows_kernel(Scope *s, Body *to);

typedef struct Functions { LIST(Function *) list; } Functions;
/* contract.c: two functions, the tile and the loops round it */
Declarations tile_kernel(const Scope *begin, Functions *to, const char *name);

/* lower.c */
Function *function_new(Functions *to, const char *head);
/* The functions of a kernel; shared: with what they need of the run as parameters, under the name `name`. */
typedef struct Lowered { Functions functions; Declarations declarations; } Lowered;
Lowered kernel_lower(const Plan *p, const ProgramPlan *program, const Kernel *k, const char *name, bool shared, CoreUse *use);
const char *kernel_function_name(const ProgramPlan *program, const Kernel *k);
/* The arguments of a kernel's function besides the run: "", ", int t" in a scan, ", int n, int slot" in a sequence;
 * without their types: as they are given. */
const char *kernel_arguments(const Kernel *k, bool types);
void kernel_describe(Function *f, const Kernel *k);

/* share.c: one C function for kernels that differ in nothing but their tensors */
void kernel_print(const Plan *p, const ProgramPlan *program, const Kernel *k, Text *to, CoreUse *use);
#endif
