/* oracle.h: holds the generated C of tensor programs against the interpreter. The cases of one Oracle go into one C file,
 * which is compiled and run on random numbers; what it leaves is compared with what interpret() finds. A case is one
 * program, or several that run one after another in the same memory: a model's initialize, step, step, predict. Memory
 * that nobody has written is NaN, buffers of the caller end where they end. */
#ifndef DLNC_TESTS_ORACLE_H
#define DLNC_TESTS_ORACLE_H
#include "kernel/kernel.h"

typedef struct OracleOptions {
    bool wide, fuse, sanitize;   /* --real=double, --fuse, -fsanitize=address,undefined */
    bool blas;                   /* --blas=always */
    int force;                   /* --schedule, see EmitOptions */
    int threads;
    int n;                       /* samples; 0: a whole batch. Cut to the batch of each program */
    const char *cc, *flags;      /* NULL: gcc -O1 -march=native. tcc is called with `flags` and nothing else */
    const char *folder;          /* for the C file and what it reads and writes */
    bool keep_quiet;             /* no line for each value that differs */
    bool forgive;                /* what differs where rounding decides (see oracle_run) is unstable, not wrong */
} OracleOptions;

/* One run of a program: part: of half a batch. */
typedef struct OracleRun { Program *program; int64_t iteration; bool part; } OracleRun;
typedef struct OracleCase {
    const char *name;            /* what a failure is called */
    uint64_t seed;               /* of its random numbers */
    int count;
    OracleRun *run;
    bool failed, unstable;       /* by the last oracle_run() */
} OracleCase;

typedef struct Oracle {
    LIST(OracleCase) cases;
    LIST(Program *) programs;    /* of all cases, each once */
    uint64_t bits;               /* of all that the C file wrote: equal for equal bits */
    double worst;                /* |difference| / allowed of what did not fail, at most 1 */
    int compared;
} Oracle;

/* Values of outputs and updated states are compared: make what is to be seen an output. */
void oracle_add(Oracle *o, const char *name, Program *p);
void oracle_add_runs(Oracle *o, const char *name, uint64_t seed, const OracleRun *runs, int count);
/* Returns the number of cases that differ, -1 if the C file does not compile, -2 if it does not run to its end. May be
 * called again with other options. forgive: what differs is computed again with every operation's result a few units in
 * the last place off, 16 times; a case whose values move by as much is unstable: a comparison in it stands on an edge. */
int oracle_run(Oracle *o, const OracleOptions *options);
#endif
