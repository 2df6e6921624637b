/* generator.h: what the files of the generator share. A program is a list of tensors (the arguments, then what each
 * equation makes) and text that grows; expressions are made from the indices that stand round them.
 *     generate.c   a whole file            expressions.c  subscripts, reads, expressions
 *     equations.c  definitions of equations, parameters, states, scans, pieces, repeats
 *     packs.c      definitions for tensors of any shape    stacks.c  models of the library's layers
 *     training.c   losses, optimizers, schedules, the train block */
#ifndef DLNC_TESTS_GENERATOR_H
#define DLNC_TESTS_GENERATOR_H
#include "base/text.h"
#include <stdint.h>

enum { MAX_INDICES = 12, MAX_TENSORS = 24, MAX_AXES = 4 };
typedef struct Idx {
    const char *name;
    int extent;
} Idx;
typedef struct Indices {
    Idx at[MAX_INDICES];
    int count;
    bool batch;
} Indices; /* batch: n is one of them */
typedef struct Shape {
    const char *name;
    int rank, extent[MAX_AXES]; /* without the batch axis */
    bool batch, integer;
} Shape;

typedef struct Generator {
    uint64_t random;
    Shape tensor[MAX_TENSORS];
    int tensors, fresh;
    double batches;     /* how often an equation has the batch axis */
    bool roomy;         /* some axes are long: as many as a vector has lanes, and one more or less */
    int batch;          /* samples; 0: training.c chooses */
    Text body, updates; /* of the definition */
} Generator;

int below(Generator *g, int n);
int between(Generator *g, int low, int high);
bool chance(Generator *g, double p);
const char *pick(Generator *g, const char *const *list, int count);
#define PICK(g, ...)                                                                                                   \
    pick(g, (const char *const[]){ __VA_ARGS__ }, (int)(sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *)))
int extent_of(Generator *g, int low, int high); /* between, or long */

/* expressions.c */
Idx fresh_index(Generator *g, int extent);
Indices with(const Indices *x, Idx index);
const char *read_tensor(Generator *g, const Indices *x, bool nested);
const char *expression(Generator *g, const Indices *x, int depth);
const char *reduction(Generator *g, const Indices *x, int depth);
/* An expression of names alone: numbers, or whole tensors of one shape. Never far from 0, never at a pole. */
const char *elementwise(Generator *g, const char *const *names, int count, int depth);

/* equations.c: the equations of a definition over the tensors that there are */
void equations(Generator *g, int count);
void tensor_add(Generator *g, const char *name, int rank, const int *extent, bool batch);

/* packs.c: definitions of layers for tensors of any shape, and a pipe of a few of them: " -> pack_0 -> pack_1" */
const char *pack_definitions(Generator *g, Text *pipe);

/* stacks.c: "input x: .." and layers, as lines of a model; *classes: the length of the last axis */
const char *layer_stack(Generator *g, int *rank, int *classes);

/* training.c: definitions of loss and optimizer, and the train block. outputs: names of the model's outputs */
const char *training(Generator *g, const char *const *outputs, int count, int classes);
#endif
