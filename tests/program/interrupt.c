/* interrupt.c: a trainer that ends itself: with SIGNAL_AT=N and SIGNAL=9 or 15 the signal comes in the N-th step of this
 * run, when the step is done but its end is not yet seen. A model.c is compiled with -Ddln_main=interrupted_main and
 * linked with this file. SPDX-License-Identifier: MIT */
#undef dln_main
#include "dln.h"
#include <signal.h>
#include <stdlib.h>

int interrupted_main(int argc, char **argv, const dln_model *model);

static const dln_model *wrapped;
static long left;

static int counted_step(void *m, const void *const *fields, int n, double *loss)
{
    const int status = wrapped->step(m, fields, n, loss);
    if (--left == 0) raise(atoi(getenv("SIGNAL")));
    return status;
}

int interrupted_main(int argc, char **argv, const dln_model *model)
{
    dln_model m = *model;
    const char *at = getenv("SIGNAL_AT");
    wrapped = model;
    left = at ? atol(at) : 0;
    if (at) m.step = counted_step;
    return dln_main(argc, argv, &m);
}
