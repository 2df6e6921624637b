/* oracle.h: holds the generated C of tensor programs against the interpreter. The programs of one Oracle go into one C
 * file, which is compiled and run on random numbers; what it leaves is compared with what interpret() finds. Memory that
 * nobody has written is NaN, buffers of the caller end where they end. */
#ifndef DLNC_TESTS_ORACLE_H
#define DLNC_TESTS_ORACLE_H
#include "kernel/kernel.h"

typedef struct OracleOptions {
    bool wide, fuse, sanitize;   /* --real=double, --fuse, -fsanitize=address,undefined */
    int threads;
    int n;                       /* samples; 0: a whole batch. Cut to the batch of each program */
    const char *cc, *flags;      /* NULL: gcc -O1 -march=native */
    const char *folder;          /* for the C file and what it reads and writes */
    bool keep_quiet;             /* no line for each value that differs */
} OracleOptions;

typedef struct Oracle {
    LIST(Program *) programs;
    LIST(const char *) names;    /* what a failure is called */
    LIST(bool) failed;
    uint64_t bits;               /* of all that the C file wrote: equal for equal bits */
    double worst;                /* |difference| / allowed, at most 1 if all is well */
    int compared;
} Oracle;

/* Values of outputs and updated states are compared: make what is to be seen an output. */
void oracle_add(Oracle *o, const char *name, Program *p);
/* Returns the number of programs that differ, -1 if the C file does not compile or run. May be called again with other options. */
int oracle_run(Oracle *o, const OracleOptions *options);
#endif
