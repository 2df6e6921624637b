/* options.h: dlnc's command line. */
#ifndef DLNC_OPTIONS_H
#define DLNC_OPTIONS_H
#include "base/diag.h"
#include "kernel/kernel.h"

enum { EXIT_INPUT = 1, EXIT_USAGE = 2, EXIT_IO = 3, EXIT_BUG = 70 };

typedef struct Options {
    const char *input, *output, *emit, *depfile, *explain;
    bool format, in_place, summary, verify, write_if_changed, depends, run, accumulate;
    int batch;
    DiagFormat diagnostics;
    EmitOptions emit_options;
    int rest; char **rest_at;    /* run: what follows -- */
} Options;

/* Fills in *o. Returns -1 to go on, else the exit code (0 after --help and --version). */
int options_read(Options *o, int argc, char **argv);
#endif
