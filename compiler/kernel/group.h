/* group.h: what is inside a kernel and a plan; for kernel/ and loop/ only.
 *
 * A kernel computes some equations of one program together. What it may write over is part of the plan: an equation
 * whose value replaces a state is computed in the state's own place (Storage of the value is that of the state) when
 * every other read of the old value can come before it; else the value is copied when the program ends. */
#ifndef DLNC_GROUP_H
#define DLNC_GROUP_H
#include "kernel/kernel.h"

typedef enum {
    SCHEDULE_SCALAR              /* plain loops, one equation after another */
} Schedule;

struct Kernel {
    const char *name;            /* of its C function, without the program's: dense_z */
    LIST(Equation *) equations;  /* in the program's order */
    Schedule schedule;
    bool add;                    /* the one equation adds to what is there: a total */
    Loop *loop;                  /* one step of this loop */
    int phase;                   /* of the program; all kernels of a loop have the same, */
    int inner;                   /* and their own inside a step */
    int id;                      /* its place in ProgramPlan.kernels */
};

struct NameTable { LIST(const char *) of; };                     /* by tensor id */

/* A plan with what only kernel/ and loop/ see. */
typedef struct PlanOf {
    Plan plan;
    struct NameTable *names;
    LIST(int) storage_of;        /* tensor id -> index in plan.storage, or -1 */
    LIST(Tensor *) instead;      /* tensor id -> the state in whose place it is computed, or NULL */
} PlanOf;

/* fuse.c */
void fuse_program(PlanOf *p, ProgramPlan *program);              /* equations -> kernels with phases; decides what is in place */
bool equation_needs(const Equation *e, const Tensor *t);
/* Calls f for every READ of e: value, test, left side. */
void visit_equation(const Equation *e, NodeVisit *f, void *data);
/* All reads of t in e are at the place that e writes. */
bool equation_needs_in_place(const Equation *e, const Tensor *t);

/* names.c */
bool name_is_taken(const char *name);
const char *index_spelling(const Index *i);

/* plan.c */
Tensor *plan_home(const Plan *p, const Tensor *t);               /* t, or the state in whose place it lies */
#endif
