/* group.h: what is inside a kernel and a plan; for kernel/ and loop/ only.
 *
 * A kernel computes some equations of one program together. What it may write over is part of the plan: an equation
 * whose value replaces a state is computed in the state's own place (Storage of the value is that of the state) when
 * every other read of the old value can come before it; else the value is copied when the program ends. */
#ifndef DLNC_GROUP_H
#define DLNC_GROUP_H
#include "kernel/kernel.h"

typedef enum {
    SCHEDULE_SCALAR,             /* plain loops, one equation after another */
    SCHEDULE_TILE,               /* a sum of products in tiles of ROWS x 2 vectors, and maps of its result */
    SCHEDULE_ROWS,               /* loops over the outer indices; inside, vectors along the last axis or the reduced one */
    SCHEDULE_SERIAL,             /* small: by one thread, in order */
    SCHEDULE_PRODUCT,            /* a product of two matrices, for cblas */
    SCHEDULE_WINNERS             /* a sum of products that visits the winners of windows */
} Schedule;

/* How the loops of one equation run. Its indices in the order of its loops, the step of a scan left out; the first
 * `outer` of them each lie alone on an axis of what is made. */
typedef enum { FORM_PLAIN, FORM_LANES, FORM_REDUCE } FormKind;   /* scalar; vectors along the last index; along a reduced one */
typedef struct Form {
    FormKind kind;
    int loops, outer;
    const Index *loop[MAX_RANK];
    const Index *lane;           /* LANES: loop[loops - 1]; REDUCE: the reduced index */
} Form;

/* sum[reduced] broadcast * vector: `col` is a unit stride in vector and output and not in broadcast; `row` is in
 * broadcast and output and not in vector. */
enum { PANEL = 32 };              /* columns of the widest tile: two vectors of 16 floats */

typedef struct Tile {
    const Index *row, *col;      /* row NULL: one row, and further columns in the place of rows */
    const Node *broadcast, *vector;              /* READs */
    const Node *guard;           /* what of the tests is left: without row and col; or NULL */
    int reduced_count;
    const Index *reduced[MAX_RANK];              /* outermost first */
    int block;                   /* > 0: so many samples (reduced[0]) at a time, the sums in memory in between */
    bool in_between;             /* only there: nothing but the tile's own epilogue needs them (plan.c) */
} Tile;

/* out[row, col] = sum[sum] a * b; turned: stored [sum, row], [col, sum]. */
typedef struct MatrixProduct {
    const Index *row, *col, *sum;
    const Node *a, *b;           /* READs */
    bool a_turned, b_turned;
} MatrixProduct;

/* One loop over the samples round several kernels: sequence.c. */
typedef struct Sequence {
    LIST(Kernel *) kernels;      /* in the order of the calls */
    int slots;                   /* so many frames; a slot has its share of the samples, one after the other */
    Storage *frames;             /* what passes between the kernels only; NULL: nothing */
} Sequence;
typedef struct Winners Winners;  /* winners.h */

struct Kernel {
    const char *name;            /* of its C function, without the program's: dense_z */
    LIST(Equation *) equations;  /* in the program's order */
    LIST(Form) forms;            /* of each */
    LIST(int) places;            /* of each: where the program has it */
    Schedule schedule;
    Tile tile;                   /* TILE: of equations.at[0]; the others are maps at the same places */
    MatrixProduct product;            /* PRODUCT */
    const Winners *winners;      /* WINNERS */
    int outer;                   /* ROWS: so many indices are loops round all of it */
    bool add;                    /* the one equation adds to what is there: a total */
    Loop *loop;                  /* one step of this loop */
    Sequence *sequence;          /* or NULL */
    int phase;                   /* of the program; all kernels of a loop or sequence have the same, */
    int inner;                   /* and their own inside a step */
    int id;                      /* what a Graph knows it by; in the order of ProgramPlan.kernels */
    double flops, bytes;         /* of a step with a full batch, all steps of its loop together; every tensor counted once */
};

const char *schedule_name(Schedule s);           /* report.c: for people */

struct NameTable { LIST(const char *) of; };                     /* by tensor id */

/* A plan with what only kernel/ and loop/ see. */
typedef struct PlanOf {
    Plan plan;
    struct NameTable *names;
    LIST(int) storage_of;        /* tensor id -> index in plan.storage, or -1 */
    LIST(Tensor *) instead;      /* tensor id -> the state in whose place it is computed, or NULL */
    struct Shapes *shapes;       /* loop/share.c */
} PlanOf;

/* The equations that are to be grouped: the program's, rewritten for the schedules. */
typedef struct Equations { LIST(Equation *) list; } Equations;

/* fuse.c */
void fuse_program(PlanOf *p, ProgramPlan *program);              /* equations -> kernels with phases; decides what is in place */
bool equation_needs(const Equation *e, const Tensor *t);
/* Calls f for what each equation makes, and then for each tensor that it reads, once. */
typedef void Touched(Kernel *k, const Equation *e, Tensor *t, void *data);
void each_touched(const ProgramPlan *program, Touched *f, void *data);
/* All reads of t in e are at the place that e writes. */
bool equation_needs_in_place(const Equation *e, const Tensor *t);

/* access.c: where reads and writes lie, before there is a plan: row-major */
const Sum *place_sum(const Tensor *t, const Sum *const *subs);
Form form_of(const Equation *e, bool wide);
bool program_outputs(const Program *p, const Tensor *t);           /* t is one of its outputs */
bool equation_reduces(const Equation *e, const Index *i);        /* i is one of its reduced indices */
/* e without the choices `test ? e : 0` round it, whose tests are noted. */
typedef struct Tests { LIST(const Node *) list; } Tests;
const Node *without_tests(Tests *t, const Node *e);
int axis_of_test(const Node *test, const Node *read);            /* the axis of the read that the test says is inside; -1 */
/* The index of e that stands where `of` stands in the host's left side; NULL. */
const Index *counterpart(const Equation *host, const Index *of, const Equation *e);
const char *axis_letter(int axis);               /* i, j, ..: for the axes of a copy */
int64_t equation_work(const Equation *e);        /* places of its loops */
/* Whether e's value can be had for neighbours along i at once. unit, apart: reads that move by 1, by more. */
bool node_lanes(const Node *e, const Index *i, int *unit, int *apart);

/* plan.c: first fit; what is placed takes a multiple of 64 bytes. */
typedef struct Region { int64_t offset, bytes; int first, last; } Region;
typedef struct Arena { LIST(Region) taken; int64_t end; } Arena;
/* The lowest offset from `from` on where bytes are free in the times first .. last; takes them. */
int64_t arena_place(Arena *a, int64_t from, int64_t bytes, int first, int last);

/* sequence.c: which tensors lie in frames, and where there */
void place_frames(PlanOf *p, ProgramPlan *program);

/* tile.c: a * b with tests round it and its factors: where one fails the product is 0. */
typedef struct Product { const Node *read[2]; Tests tests; } Product;
bool product_of(Product *p, const Node *value);                  /* of two reads of floats */

/* winograd.c: sums over 3 taps that move by single steps */
void find_windows(Equations *all, bool always);                  /* always: also where it does not pay */

/* split.c: long sums into small results in two steps: one partial result for each sample (or row), then their sum. */
void split_sums(Equations *all);

/* tile.c: finds contractions; puts copies in front where an operand has borders or lies the wrong way round. */
typedef struct TileOf { const Equation *e; Tile tile; Winners *winners; } TileOf;       /* winners: of winners.c, not a tile */
typedef struct Tiles { LIST(TileOf) list; } Tiles;
void find_tiles(Equations *all, const EmitOptions *options, Tiles *tiles);         /* with BLAS it leaves large plain products alone */

/* panel.c */
void choose_panels(PlanOf *p);

/* blas.c: whether e is a large plain product of two matrices */
bool find_product(const Equation *e, MatrixProduct *p);

/* names.c */
bool name_is_taken(const char *name);
const char *index_spelling(const Index *i);

/* plan.c */
Tensor *plan_home(const Plan *p, const Tensor *t);               /* t, or the state in whose place it lies */
#endif
