/* interrupt.c: a trainer of which rank SIGNAL_RANK sends itself SIGNAL in its part of step SIGNAL_AT of this run. A model.c
 * is compiled with -Ddln_main=interrupted_main and linked with this file. SPDX-License-Identifier: MIT */
#undef dln_main
#include "dln.h"
#include <signal.h>
#include <stdlib.h>

int interrupted_main(int argc, char **argv, const dln_model *model);

static const dln_model *wrapped;
static long left;

static int counted_accumulate(void *m, const void *const *fields, int n, double *loss)
{
    if (--left == 0) raise(atoi(getenv("SIGNAL")));
    return wrapped->accumulate(m, fields, n, loss);
}

int interrupted_main(int argc, char **argv, const dln_model *model)
{
    dln_model m = *model;
    const char *at = getenv("SIGNAL_AT"), *rank = getenv("OMPI_COMM_WORLD_RANK");
    wrapped = model;
    left = at ? atol(at) : 0;
    if (at && rank && atoi(rank) == atoi(getenv("SIGNAL_RANK"))) m.accumulate = counted_accumulate;
    return dln_main(argc, argv, &m);
}
