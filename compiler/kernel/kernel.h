/* kernel.h: what is computed together, and where everything lies. A program's equations are grouped into kernels, each
 * one C function of the generated file; kernels that need nothing of each other share a phase, and a barrier stands
 * between phases. Every tensor that more than one kernel sees lies at a fixed offset of the caller's memory. */
#ifndef DLNC_KERNEL_H
#define DLNC_KERNEL_H
#include "base/text.h"
#include "tensor/model.h"

typedef struct EmitOptions {
    const char *prefix;          /* of every public name; default the model's name */
    bool wide_real;              /* --real=double */
    bool fuse;                   /* --fuse=never for the oracle: each equation its own kernel */
    enum { BLAS_NEVER, BLAS_AUTO, BLAS_ALWAYS } blas;
    enum {                       /* --schedule=, for tests: */
        FORCE_NOTHING,
        FORCE_ROWS,              /* rows only: neither tiles nor windows, winners, sequences (plain loops: fuse = false) */
        FORCE_ALL                /* all of these also where they do not pay */
    } force;
    bool direct;                 /* --winograd=never: windows of 3 taps as they are written */
    int64_t memory_limit;        /* bytes; 0: none */
    bool inference_only;
    const char *weights;         /* --weights: the safetensors file whose values the C begins with, or NULL */
    const char *version, *options;               /* of dlnc, for the head of the file */
} EmitOptions;

/* Where a tensor lies. */
typedef enum {
    PLACE_LOCAL,                 /* inside one kernel: a register, an array of one row or strip */
    PLACE_MEMORY,                /* the caller's memory, at offset */
    PLACE_CALLER,                /* an INPUT's or output's own pointer, given with the call */
    PLACE_RUN,                   /* a SETTING or CLOCK: a number in the model's struct */
    PLACE_TEXT                   /* a CONST: a static const array of the generated file */
} PlaceKind;
typedef struct Storage {
    Tensor *tensor;
    PlaceKind place;
    int64_t offset;              /* MEMORY: bytes from the begin, a multiple of 64 */
    int64_t bytes;
    int element;                 /* bytes of one: 4 or 8 (float), 4 (int), 1 (bool), 8 (TOTAL: double) */
    int stride[MAX_RANK];        /* elements between neighbours of each axis: the layout. Row-major unless the plan had a reason */
    int panel;                   /* > 0: the last axis is stored in panels of that many (performance.md rule 5); files keep the logical order */
    int first_phase, last_phase; /* live interval within its program; kept tensors: always */
    const struct Sequence *sequence;             /* not NULL: lies in the frames of this sequence, one for a slot instead of a sample */
} Storage;

typedef struct Kernel Kernel;    /* kernel/fuse.c and loop/ know what is inside */
typedef struct ProgramPlan {
    Program *program;
    LIST(Kernel *) kernels;      /* in order */
    int phases;
    int64_t scratch_bytes;       /* memory this program needs besides what is kept */
    int64_t live_bytes;          /* lower bound: the most that is alive at once */
    double flops, bytes_moved;   /* at a full batch */
} ProgramPlan;
typedef struct Plan {
    Model *model;
    const EmitOptions *options;
    LIST(Storage) storage;       /* use plan_storage() */
    LIST(ProgramPlan) programs;  /* those the model has, in the order of Model: initialize, measure.., settle, step, accumulate, apply, evaluate, predict, report */
    int64_t kept_bytes;          /* weights, states, totals; those of inference are the first bytes of the memory (plan.c) */
    int64_t weight_bytes;        /* of that: what inference needs */
    int64_t train_bytes, infer_bytes;            /* whole memory for training; for predict and evaluate only */
} Plan;

/* Requires simplified programs. Errors: --memory-limit exceeded (which tensors are alive at the peak and what would help). */
Plan *plan_model(Model *m, const EmitOptions *options);
const Storage *plan_storage(const Plan *p, const Tensor *t);
const ProgramPlan *plan_program(const Plan *p, const Program *program);
void plan_print_kernels(const Plan *p, FILE *to);        /* --emit=kernels: the grouping, as in traces.md */
void plan_print(const Plan *p, FILE *to);                /* --emit=plan: phases, offsets, live intervals, flops and bytes */
void plan_print_loops(const Plan *p, FILE *to);          /* --emit=loops */

/* The C of one program's kernels: static functions `static void <program>_<kernel>(const struct run *run)`, each with its
 * equations and .dln line in a comment above it; and the calls of one parallel region with the barriers between phases.
 * Both use what runtime/core defines (vec, load, store, contract, dln_exp ..) and the names below, which emit/file.c
 * declares in the generated file:
 *     real                                       float or double
 *     struct run { real *memory; const <model> *model; int n; <each input, target and output pointer by its C name>;
 *                  uint64_t seed, iteration; real <each setting and clock by its C name>; }
 * uses[] is told which parts of the core are needed. */
typedef struct CoreUse { bool vectors, contract, math, random, scatter, blas; } CoreUse;
void emit_kernels(const Plan *p, const ProgramPlan *program, Text *to, CoreUse *use);
void emit_calls(const Plan *p, const ProgramPlan *program, Text *to);     /* indented by 8 */
/* One kernel of them; called for all kernels of all programs, in order: what several share stands before the first. */
void emit_kernel(const Plan *p, const ProgramPlan *program, int kernel, Text *to, CoreUse *use);
/* What is to be told of a kernel: its C function; what it computes and touches in one run of the program; whether it is
 * called for each sample; whether a run of the program may begin with it; when it runs, how its loops are made, and its
 * equations. */
typedef struct KernelInfo {
    const char *function;
    double flops, bytes;
    bool by_sample, begins;
    int phase;
    const char *schedule;
    int equations; Equation *const *equation;
} KernelInfo;
KernelInfo kernel_info(const ProgramPlan *program, int kernel);

/* names.c: the C name of a tensor, the same wherever it is asked for: dense.w -> dense_w, dense.z' -> dense_z1; no clash with
 * another tensor, C, libc's common names, or the core. */
const char *c_name(const Plan *p, const Tensor *t);
bool name_is_keyword(const char *name);         /* of C or C++ */
#endif
