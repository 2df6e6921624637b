/* graph.h: the graph of kernels; within kernel/ only. */
#ifndef DLNC_GRAPH_H
#define DLNC_GRAPH_H
#include "kernel/group.h"

typedef struct Tensors { LIST(Tensor *) list; } Tensors;
typedef struct Kernels { LIST(Kernel *) list; } Kernels;

typedef struct Graph {
    PlanOf *plan;
    ProgramPlan *program;
    LIST(Tensors) reads;                         /* by kernel */
    LIST(Kernels) makers, readers, writers;      /* by tensor id; writers: who writes over a state */
    bool *seen;                                  /* what a search has seen, by kernel; used again by the next */
    int seen_room;
} Graph;

/* graph.c */
void graph_build(Graph *g);                      /* after kernels have come: numbers them */
void graph_join(Graph *g, Kernel *a, Kernel *b); /* what b reads and makes is a's from now on; b is no more */
Kernels *of_tensor(void *list, const Tensor *t); /* an entry of makers or readers */
typedef void Visit(Kernel *next, void *data);
void each_next(Graph *g, Kernel *k, Visit *f, void *data);       /* every kernel that must come after k */
bool same_unit(const Kernel *a, const Kernel *b);
bool reaches(Graph *g, Kernel *from, Kernel *to);                /* must `to` come after `from`? */
bool reaches_round(Graph *g, Kernel *from, Kernel *to);          /* .. by a path through a third kernel */
void graph_phases(Graph *g);

/* update.c */
Kernel *kernel_new(ProgramPlan *to, Equation *e);
void place_updates(Graph *g);                    /* decides which values are computed in a state's place; copies for the others */

/* fuse.c */
void join_kernels(Graph *g, const Tiles *tiles);

/* sequence.c */
void find_sequences(Graph *g);                   /* after all joins, before the phases */
void sequences_order(ProgramPlan *p);            /* after the phases */
#endif
